/** Pulling from a Hub that lies, or says no: one sentence, and nothing half-written. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commit, files, hashOf, largeHeaders, repository, sendBytes, sendJson, sendStatus } from './hub-stand-in.ts';
import { access, blobs, cache, folder, hub, idle, large, onCdn, pull, refused, requests, startEachTestAnew, token,
  weight } from './pulling.ts';

startEachTestAnew();

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
