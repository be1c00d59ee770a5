/** Pulling from a Hub that keeps its word, over connections that break, beside other processes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, utimesSync,
  writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { carryOut, findWeight, planPull } from '../../src/hub/pull.ts';
import golden from '../golden/hub_cache.json' with { type: 'json' };
import { commit, files, hashOf, repository, sendAndDrop, sendBytes, sendJson, sendStatus,
  startStandIn } from './hub-stand-in.ts';
import { access, blobs, cache, config, folder, hub, idle, large, onCdn, pull, refused, requests, startEachTestAnew,
  token, weight } from './pulling.ts';

startEachTestAnew();

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
