/** Pulling from a stand-in for the Hub on loopback, that keeps its word or breaks it. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync,
  symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { hostname, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Weight } from '../../src/weights/catalogue.ts';
import { carryOut, findWeight, planPull } from '../../src/weights/pull.ts';
import type { HubAccess } from '../../src/weights/request.ts';
import golden from '../golden/hub_cache.json' with { type: 'json' };
import { commit, files, hashOf, largeHeaders, repository, sendAndDrop, sendBytes, sendJson, sendStatus, startStandIn,
  type StandIn } from './hub-stand-in.ts';

const [config, large] = files;
const weight: Weight = {
  name: 'stand-in', purpose: 'tests', repository, revision: null, licence: 'none',
  files: files.map(({ path }) => ({ path, size: null, hash: null })),
};
const token = 'hf_abcdefghijklmnop';

let hub: StandIn;
let cache = '';
before(async () => {
  hub = await startStandIn();
});
after(() => hub.close());
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'heartbeat hub '));
  hub.on = () => false;
  hub.log.length = 0;
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

function access(changes: Partial<HubAccess> = {}): HubAccess & { waits: number[]; said: string[] } {
  const waits: number[] = [];
  const said: string[] = [];
  return {
    endpoint: hub.endpoint, token: null, timeout: 20_000, waits, said,
    pause: async (milliseconds) => waits.push(milliseconds),
    onRetry: (sentence) => said.push(sentence),
    ...changes,
  };
}

async function pull(from: HubAccess = access(), what: Weight = weight, force = false): Promise<string> {
  const plan = await planPull(what, 'fp32', cache, from, force);
  await carryOut(plan, from, { force });
  return plan.snapshot;
}

const folder = () => join(cache, 'models--echo--heart');
const blobs = () => (existsSync(join(folder(), 'blobs')) ? readdirSync(join(folder(), 'blobs')).sort() : []);
const idle = `${hashOf(large)}.heartbeat.incomplete`;
const requests = (path: string) => hub.log.filter(({ url }) => url.includes(path));
/** What only the CDN does, and only for the large file. */
function onCdn(
  act: (range: string | undefined, response: Parameters<StandIn['on']>[1], count: number) => boolean,
): void {
  hub.on = (asked, response, count) => asked.at === 'cdn' && act(asked.range, response, count);
}

/** The failed pull: its sentence; nothing stands under a final name, but for what is whole. */
async function refused(pattern: RegExp, from: HubAccess = access(), what: Weight = weight): Promise<string> {
  let message = '';
  await assert.rejects(pull(from, what), (error: Error) => {
    message = error.message;
    assert.match(message, pattern);
    assert.equal(error.constructor.name, 'HubError', message);
    assert.match(message, /expected .*, got /);
    assert.doesNotMatch(message, /\n|Signature/);
    return true;
  });
  assert.ok(!existsSync(join(folder(), 'blobs', hashOf(large))));
  assert.ok(!existsSync(join(folder(), 'snapshots', commit, large.path)));
  return message;
}

describe('a Hub that keeps its word', () => {
  it('fills the cache as huggingface_hub does', async () => {
    const snapshot = await pull();
    const tree: Record<string, unknown> = {};
    for (const entry of readdirSync(folder(), { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const path = join(entry.parentPath, entry.name);
      tree[relative(cache, path)] = lstatSync(path).isSymbolicLink() ? { link: readlinkSync(path) }
        : { sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
    }
    assert.deepEqual(tree, golden.tree);
    for (const { path, bytes } of files) assert.ok(readFileSync(join(snapshot, path)).equals(bytes), path);
    assert.equal(findWeight(weight, 'fp32', cache), snapshot);
  });

  it('is not asked for a file that is here, by whomever it was fetched', async () => {
    await pull();
    hub.log.length = 0;
    await pull();
    assert.equal(requests('/resolve/').length, 0);
    // A blob without its link, as another commit of the same file leaves it.
    rmSync(join(folder(), 'snapshots'), { recursive: true });
    const snapshot = await pull();
    assert.equal(requests('/resolve/').length, 0);
    assert.ok(readFileSync(join(snapshot, large.path)).equals(large.bytes));
    // A plain file in the snapshot, as systems without links have it.
    rmSync(join(snapshot, config.path));
    rmSync(join(folder(), 'blobs', hashOf(config)));
    writeFileSync(join(snapshot, config.path), config.bytes);
    await pull();
    assert.equal(requests('/resolve/').length, 0);
  });

  it('is asked again for a blob of the wrong size, and with force for any', async () => {
    const snapshot = await pull();
    writeFileSync(join(folder(), 'blobs', hashOf(large)), 'short');
    await pull();
    assert.ok(readFileSync(join(snapshot, large.path)).equals(large.bytes));
    writeFileSync(join(folder(), 'blobs', hashOf(large)), large.bytes.map((byte) => byte ^ 1));
    await pull();
    assert.ok(!readFileSync(join(snapshot, large.path)).equals(large.bytes), 'same size: only verify reads it');
    await pull(access(), weight, true);
    assert.ok(readFileSync(join(snapshot, large.path)).equals(large.bytes));
  });

  it('sees the token, and the CDN never does, not even when it leads back', async () => {
    onCdn((_, response, count) => {
      if (count > 0) return false;
      sendStatus(response, 302, { location: `${hub.endpoint}/${repository}/resolve/${commit}/back` });
      return true;
    });
    const withCdn = hub.on;
    hub.on = (asked, response, count) => {
      if (!asked.url.endsWith('/back')) return withCdn(asked, response, count);
      sendBytes(large.bytes, asked.range, response);
      return true;
    };
    await pull(access({ token }));
    const [cdn] = hub.log.filter(({ at }) => at === 'cdn');
    assert.equal(cdn.authorization, undefined);
    assert.equal(requests('/back')[0].authorization, undefined);
    const others = hub.log.filter(({ at, url }) => at === 'hub' && !url.endsWith('/back'));
    assert.ok(others.length >= 4);
    for (const asked of others) assert.equal(asked.authorization, `Bearer ${token}`);
  });

  it('may redirect to itself, with the token', async () => {
    hub.on = (asked, response) => {
      if (!asked.url.startsWith('/api/models/echo/heart/revision/main?')) return false;
      sendStatus(response, 307, { location: asked.url.replace('/main?', '/main/renamed?') });
      return true;
    };
    const plain = hub.on;
    hub.on = (asked, response, count) => {
      if (!asked.url.includes('/renamed?')) return plain(asked, response, count);
      sendJson(response, { id: repository, sha: commit });
      return true;
    };
    await pull(access({ token }));
    assert.equal(requests('/renamed')[0].authorization, `Bearer ${token}`);
  });
});

describe('a connection that breaks', () => {
  it('goes on where it stopped', async () => {
    onCdn((range, response, count) => {
      if (count < 2) sendAndDrop(large.bytes, range, response, 100_000);
      return count < 2;
    });
    const from = access();
    const snapshot = await pull(from);
    assert.ok(readFileSync(join(snapshot, large.path)).equals(large.bytes));
    const ranges = hub.log.filter(({ at }) => at === 'cdn').map(({ range }) => range ?? 'bytes=0-');
    assert.equal(ranges.length, 3);
    assert.equal(ranges[0], 'bytes=0-');
    const starts = ranges.map((range) => Number(/\d+/.exec(range)));
    assert.ok(starts[1] > 0 && starts[1] <= 100_000 && starts[2] > starts[1] && starts[2] <= 200_000, String(starts));
    assert.match(from.said[0], /trying again in 1 s$/);
    assert.deepEqual(blobs(), [hashOf(config), hashOf(files[2]), hashOf(large)].sort());
  });

  it('is given up after six tries, and the next run goes on', async () => {
    onCdn((range, response) => {
      sendAndDrop(large.bytes, range, response, 20_000);
      return true;
    });
    const from = access();
    await refused(/run this again, and it goes on/, from);
    assert.deepEqual(from.waits, [1000, 2000, 4000, 8000, 16_000]);
    const kept = statSync(join(folder(), 'blobs', idle)).size;
    assert.ok(kept > 0 && kept <= 120_000, String(kept));
    hub.on = () => false;
    hub.log.length = 0;
    await pull();
    assert.equal(hub.log.find(({ at }) => at === 'cdn')?.range, `bytes=${kept}-`);
    assert.ok(!blobs().some((name) => name.endsWith('.incomplete')));
  });

  it('that stands still is dropped', async () => {
    onCdn((_, response, count) => {
      if (count > 0) return false;
      response.writeHead(200, { 'content-length': large.bytes.length });
      response.write(large.bytes.subarray(0, 5000));
      return true;
    });
    const from = access({ timeout: 1500 });
    await pull(from);
    assert.match(from.said[0], /expected bytes, got none for 1\.5 s/);
  });

  it('to nobody is one sentence', async () => {
    const gone = await startStandIn();
    await gone.close();
    const from = access({ endpoint: gone.endpoint });
    const message = await refused(/expected an answer, got ECONNREFUSED; look at the network and at HF_ENDPOINT/, from);
    assert.ok(message.startsWith(`${gone.endpoint}/api/`));
    assert.deepEqual(from.waits, []);
  });

  it('is ended by the signal, and what came is kept', async () => {
    const controller = new AbortController();
    onCdn((_, response) => {
      response.writeHead(200, { 'content-length': large.bytes.length });
      response.write(large.bytes.subarray(0, 5000), () => setTimeout(() => controller.abort(), 100));
      return true;
    });
    await assert.rejects(pull(access({ signal: controller.signal })), { name: 'AbortError' });
    assert.equal(statSync(join(folder(), 'blobs', idle)).size, 5000);
  });
});

describe('a server that lies', () => {
  it('about a length too long is refused before the first byte', async () => {
    onCdn((_, response) => {
      sendBytes(Buffer.concat([large.bytes, Buffer.from('!')]), undefined, response);
      return true;
    });
    await refused(/expected 300000 bytes, got an answer of 300001/);
  });

  it('by sending more than it says is refused', async () => {
    onCdn((_, response) => {
      response.write(large.bytes);
      response.end('more');
      return true;
    });
    await refused(/expected 300000 bytes, got more/);
    assert.ok(!blobs().some((name) => name.startsWith(hashOf(large))), 'nothing of it is kept');
  });

  it('about a length too short is asked for the rest, and then refused', async () => {
    onCdn((range, response) => {
      if (range === undefined) sendBytes(large.bytes.subarray(0, 250_000), undefined, response);
      else sendStatus(response, 416, { 'content-range': 'bytes */250000' });
      return true;
    });
    await refused(/expected bytes 250000 to 299999 of 300000, got HTTP 416 with range "bytes \*\/250000"/);
    assert.equal(statSync(join(folder(), 'blobs', idle)).size, 250_000);
  });

  it('with other bytes is refused, and nothing is kept', async () => {
    onCdn((_, response) => {
      sendBytes(Buffer.from(large.bytes).fill(0, 70_000, 70_009), undefined, response);
      return true;
    });
    await refused(new RegExp(`expected sha256 ${hashOf(large)}, got other bytes`));
    assert.ok(!blobs().some((name) => name.startsWith(hashOf(large))));
  });

  it('by ignoring Range costs nothing that was there', async () => {
    mkdirSync(join(folder(), 'blobs'), { recursive: true });
    writeFileSync(join(folder(), 'blobs', idle), large.bytes.subarray(0, 150_000));
    onCdn((_, response) => {
      sendBytes(large.bytes, undefined, response);
      return true;
    });
    const snapshot = await pull();
    assert.ok(readFileSync(join(snapshot, large.path)).equals(large.bytes));
  });

  it('with another range than asked for is refused', async () => {
    mkdirSync(join(folder(), 'blobs'), { recursive: true });
    writeFileSync(join(folder(), 'blobs', idle), large.bytes.subarray(0, 150_000));
    onCdn((_, response) => {
      sendBytes(large.bytes, 'bytes=100000-', response);
      return true;
    });
    await refused(/expected bytes 150000 to 299999 of 300000, got HTTP 206 with range "bytes 100000-/);
    assert.equal(statSync(join(folder(), 'blobs', idle)).size, 150_000);
  });

  it('about which file it is, is refused', async () => {
    const claims: [Record<string, string>, RegExp][] = [
      [{ 'x-linked-etag': `"${'a'.repeat(64)}"` }, /expected hash .*, got a{64}/],
      [{ 'x-repo-commit': 'b'.repeat(40) }, /expected commit c0ffee0+, got b{40}/],
      [{ 'x-linked-size': '7' }, /expected 300000 bytes, got an offer of 7/],
    ];
    for (const [wrong, pattern] of claims) {
      hub.on = (asked, response) => {
        if (!asked.url.endsWith(large.path) || asked.at === 'cdn') return false;
        sendStatus(response, 302, { ...largeHeaders(large), ...wrong, location: `${hub.cdn}/${large.path}` });
        return true;
      };
      await refused(pattern);
    }
  });

  it('about names cannot leave the cache', async () => {
    const bad = ['../../../../evil', 'A'.repeat(64), ''];
    for (const oid of bad) {
      hub.on = (asked, response) => {
        if (!asked.url.includes('/paths-info/')) return false;
        sendJson(response, files.map(({ path }) => ({ type: 'file', path, size: 3, oid })));
        return true;
      };
      await refused(/expected unet\/config\.json at c0ffee000000, got no size and hash/);
    }
    hub.on = (asked, response) => {
      if (!asked.url.includes('/revision/main')) return false;
      sendJson(response, { id: repository, sha: '../../evil' });
      return true;
    };
    await refused(/expected the commit of main, got none/);
    assert.deepEqual(readdirSync(cache), []);
  });

  it('by redirecting in circles, or out of the web, is refused', async () => {
    onCdn((_, response) => {
      sendStatus(response, 302, { location: '?again' });
      return true;
    });
    await refused(/expected at most 8 redirects, got more/);
    onCdn((_, response) => {
      sendStatus(response, 302, { location: 'file:///etc/passwd' });
      return true;
    });
    await refused(/expected a redirect to an https address, got one to file:/);
  });

  it('by being a sign-in page is told', async () => {
    hub.on = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome to the airport</html>');
      return true;
    };
    await refused(/expected JSON as the Hub answers, got text\/html; look at HF_ENDPOINT, and whether this network/);
  });

  it('about pinned files is refused before a byte is fetched', async () => {
    const pinned = { ...weight, files: [{ path: large.path, size: large.bytes.length, hash: 'f'.repeat(64) }] };
    await refused(/of 300000 bytes with hash f{64} as pinned, got 300000 bytes with hash 6bc74e/, access(), pinned);
    assert.equal(requests('/resolve/').length, 0);
  });
});

describe('a Hub that says no', () => {
  const answers = (status: number, headers: Record<string, string>, times = Infinity) => {
    hub.on = ({ url, at }, response, count) => {
      if (at === 'cdn' || !url.includes(large.path) || count >= times) return false;
      sendStatus(response, status, headers);
      return true;
    };
  };

  it('401, 403, 404: what to do', async () => {
    answers(401, {});
    await refused(/got HTTP 401: no such repository, or not open to you .*no token was sent; set HF_TOKEN/);
    answers(403, { 'x-error-code': 'GatedRepo', 'x-error-message': 'Access is \x9b31mrestricted' });
    const message = await refused(/HTTP 403 \("Access is +31mrestricted"\): access is gated; accept its terms at http/,
      access({ token }));
    assert.ok(message.includes(`${hub.endpoint}/${repository};`));
    assert.match(message, /was sent and does not open it/);
    answers(404, { 'x-error-code': 'EntryNotFound' });
    await refused(/HTTP 404: that file is not there/);
  });

  it('gated is known before anything is fetched', async () => {
    hub.on = (asked, response) => {
      if (!asked.url.includes('/revision/main')) return false;
      sendJson(response, { id: repository, sha: commit, gated: 'manual' });
      return true;
    };
    await refused(/expected an open repository, got a gated one; accept its terms there, then set HF_TOKEN/);
    assert.equal(hub.log.length, 1);
  });

  it('429 and 503: waits as long as it is told to, or gives up at once', async () => {
    answers(429, { 'retry-after': '3' }, 1);
    const from = access();
    await pull(from);
    assert.deepEqual(from.waits, [3000]);
    rmSync(folder(), { recursive: true });
    answers(503, {});
    const tired = access();
    await refused(/HTTP 503: a passing fault there; run this again later/, tired);
    assert.equal(tired.waits.length, 5);
    answers(429, { 'retry-after': '3600' });
    const busy = access();
    await refused(/HTTP 429: too many requests; run this again in 3600 s/, busy);
    assert.deepEqual(busy.waits, []);
  });

  it('never with the token in our words', async () => {
    answers(401, { 'x-error-message': `bad token ${token}` });
    const message = await refused(/bad token \*\*\*/, access({ token }));
    assert.ok(!message.includes(token));
  });
});

describe('parts of files', () => {
  const own = (pid: number, host = hostname().replace(/[^A-Za-z0-9]/g, '-')) =>
    join(folder(), 'blobs', `${hashOf(large)}.heartbeat-${host}-${pid}.incomplete`);
  beforeEach(() => mkdirSync(join(folder(), 'blobs'), { recursive: true }));
  const pulled = async () => readFileSync(join(await pull(), large.path)).equals(large.bytes);

  it('of a process that died are gone on with', async () => {
    // Beyond the largest process number of any system.
    writeFileSync(own(2 ** 30), large.bytes.subarray(0, 200_000));
    assert.ok(await pulled());
    assert.equal(hub.log.find(({ at }) => at === 'cdn')?.range, 'bytes=200000-');
    assert.ok(!blobs().some((name) => name.endsWith('.incomplete')));
  });

  it('that are damaged, too long or whole already', async () => {
    const lengths: [Buffer, (string | undefined)[]][] = [
      [Buffer.from(large.bytes.subarray(0, 200_000)).fill(9, 5, 6), ['bytes=200000-', undefined]],
      [Buffer.concat([large.bytes, large.bytes]), [undefined]],
      [large.bytes, []],
    ];
    for (const [bytes, ranges] of lengths) {
      rmSync(join(folder(), 'blobs', hashOf(large)), { force: true });
      writeFileSync(join(folder(), 'blobs', idle), bytes);
      hub.log.length = 0;
      assert.ok(await pulled());
      assert.deepEqual(hub.log.filter(({ at }) => at === 'cdn').map(({ range }) => range), ranges);
    }
  });

  it('of a process at work are waited for', async () => {
    writeFileSync(own(process.ppid), large.bytes.subarray(0, 1000));
    const plan = await planPull(weight, 'fp32', cache, access());
    const waited: string[] = [];
    const done = carryOut(plan, access(), {
      onWait: (path) => {
        waited.push(path);
        writeFileSync(join(folder(), 'blobs', hashOf(large)), large.bytes);
        rmSync(own(process.ppid));
      },
    });
    await done;
    assert.deepEqual(waited, [large.path]);
    assert.equal(hub.log.filter(({ at }) => at === 'cdn').length, 0);
    assert.ok(await pulled());
  });

  it('that nobody has touched for long, or of another machine, are left alone and not waited for', async () => {
    const old = new Date(Date.now() - 3_600_000);
    for (const path of [own(process.ppid), own(1, 'elsewhere')]) {
      writeFileSync(path, 'theirs');
      utimesSync(path, old, old);
    }
    assert.ok(await pulled());
    assert.equal(readFileSync(own(1, 'elsewhere'), 'utf8'), 'theirs');
    assert.equal(readFileSync(own(process.ppid), 'utf8'), 'theirs');
  });

  it('do not hinder a link that leads nowhere', async () => {
    const place = join(folder(), 'snapshots', commit, large.path);
    mkdirSync(join(place, '..'), { recursive: true });
    symlinkSync('../../../blobs/gone', place);
    assert.ok(await pulled());
  });
});
