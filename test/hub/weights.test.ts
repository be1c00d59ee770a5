/** The catalogue, the environment, and verification. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findSnapshot, repositoryFolder, showInSnapshot, writeMain } from '../../src/hub/cache.ts';
import { filesOf, weights } from '../../src/hub/catalogue.ts';
import { cacheFolder, endpointOf, isOffline, readToken, stallTimeout } from '../../src/hub/environment.ts';
import { retryAfterOf } from '../../src/hub/hub-error.ts';
import { verifyFile } from '../../src/hub/verify.ts';
import { commit, files, hashOf } from './hub-stand-in.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat weights '));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the catalogue', () => {
  it('has names, paths, hashes and sizes that can be', () => {
    const places = new Set<string>();
    for (const { name, repository, revision, licence, files: all } of weights) {
      assert.match(name, /^[a-z0-9-]+$/);
      assert.match(repository, /^[\w.-]+\/[\w.-]+$/);
      assert.match(revision ?? '0'.repeat(40), /^[0-9a-f]{40}$/);
      assert.ok(licence.length > 0 && all.length > 0);
      for (const { path, size, hash } of all) {
        assert.ok(!path.startsWith('/') && !path.split('/').includes('..'), path);
        assert.match(hash ?? '0'.repeat(64), /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, path);
        assert.ok(size === null || (Number.isSafeInteger(size) && size > 0), path);
        assert.equal(size === null, hash === null, path);
        assert.ok(!places.has(`${repository}/${path}`), `${path} twice`);
        places.add(`${repository}/${path}`);
      }
    }
    assert.equal(new Set(weights.map(({ name }) => name)).size, weights.length);
  });

  it('gives each variant its own file', () => {
    for (const weight of weights) {
      const names = (['fp32', 'fp16'] as const).map((variant) => filesOf(weight, variant).map(({ path }) => path));
      const both = weight.files.some(({ variant }) => variant !== undefined);
      assert.equal(names[0].length, names[1].length);
      assert.equal(names[0].join() !== names[1].join(), both, weight.name);
    }
  });
});

describe('the environment', () => {
  it('names the folder that the client names', async () => {
    const { getHFHubCachePath, getRepoFolderName } = await import('@huggingface/hub');
    const names = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME'] as const;
    const kept = names.map((name) => process.env[name]);
    try {
      for (let chosen = 0; chosen < 2 ** names.length; chosen++) {
        names.forEach((name, at) => {
          if (chosen & (1 << at)) process.env[name] = join(folder, name);
          else delete process.env[name];
        });
        assert.equal(cacheFolder(), getHFHubCachePath(), String(chosen));
      }
    } finally {
      names.forEach((name, at) => {
        if (kept[at] === undefined) delete process.env[name];
        else process.env[name] = kept[at];
      });
    }
    const name = getRepoFolderName({ name: 'echo/heart', type: 'model' });
    assert.equal(repositoryFolder('cache', 'echo/heart'), join('cache', name));
  });

  it('reads ~ and $NAME, and empty as unset', () => {
    assert.equal(cacheFolder({ HF_HOME: '$DATA/hf', DATA: '/data' }), join('/data', 'hf', 'hub'));
    assert.ok(!cacheFolder({ HF_HUB_CACHE: '~/hub' }).includes('~'));
    assert.equal(cacheFolder({ HF_HUB_CACHE: '' }), cacheFolder({}));
    assert.deepEqual([isOffline({ HF_HUB_OFFLINE: 'yes' }), isOffline({ HF_HUB_OFFLINE: '0' }), isOffline({})],
      [true, false, false]);
  });

  it('takes an address for HF_ENDPOINT, and says what else it got', () => {
    assert.equal(endpointOf({ HF_ENDPOINT: 'https://hub.example/mirror//' }), 'https://hub.example/mirror');
    assert.equal(endpointOf({}), 'https://huggingface.co');
    for (const bad of ['hub.example', 'ftp://hub.example', 'https://hub.example?x=1']) {
      assert.throws(() => endpointOf({ HF_ENDPOINT: bad }), /HF_ENDPOINT: expected an http or https address/);
    }
    assert.throws(() => endpointOf({ HF_ENDPOINT: 'https://me:geheim@hub.example' }),
      (error: Error) => /got one for hub\.example/.test(error.message) && !error.message.includes('geheim'));
    assert.throws(() => stallTimeout({ HF_HUB_DOWNLOAD_TIMEOUT: '-1' }), /expected seconds, more than 0, got "-1"/);
    assert.equal(stallTimeout({ HF_HUB_DOWNLOAD_TIMEOUT: '2.5' }), 2500);
  });

  it('has a token in a variable, or in the file of a login, and never shows it', () => {
    mkdirSync(join(folder, 'home'), { recursive: true });
    writeFileSync(join(folder, 'home', 'token'), 'hf_fromfile\n');
    const home = { HF_HOME: join(folder, 'home') };
    assert.equal(readToken(home), 'hf_fromfile');
    assert.equal(readToken({ ...home, HF_TOKEN: ' hf_given\r\n' }), 'hf_given');
    assert.equal(readToken({ ...home, HF_TOKEN: '' }), 'hf_fromfile');
    assert.equal(readToken({ ...home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), null);
    assert.equal(readToken({ HF_HOME: join(folder, 'none') }), null);
    assert.throws(() => readToken({ ...home, HF_TOKEN: 'hf_geheim ö' }),
      (error: Error) => /^HF_TOKEN: expected a token .* got 11 characters/.test(error.message) &&
        !error.message.includes('geheim'));
  });

  it('waits as Retry-After says, in seconds or until a date', () => {
    const now = Date.parse('2024-10-07T10:00:00Z');
    const seconds = (text: string) => retryAfterOf(new Headers({ 'retry-after': text }), now);
    assert.deepEqual(['7', 'Mon, 07 Oct 2024 10:01:30 GMT', 'Mon, 07 Oct 2024 09:00:00 GMT', 'soon'].map(seconds),
      [7, 90, 0, null]);
  });
});

describe('verification', () => {
  const [config, large] = files;
  const unpinned = { path: large.path, size: null, hash: null };

  it('tells whole, damaged, missing and unknown apart', async () => {
    const place = join(folder, 'repository');
    mkdirSync(join(place, 'blobs'), { recursive: true });
    for (const file of [config, large]) {
      writeFileSync(join(place, 'blobs', hashOf(file)), file.bytes);
      showInSnapshot(place, commit, file.path, hashOf(file));
    }
    const look = (path: string) => findSnapshot(place, [path], null)?.files.get(path);
    let read = 0;
    const state = await verifyFile(unpinned, look(large.path), { onBytes: (bytes) => (read += bytes) });
    assert.deepEqual(state, { kind: 'whole', pinned: false });
    assert.equal(read, large.bytes.length);
    const pinned = { path: config.path, size: config.bytes.length, hash: hashOf(config) };
    assert.deepEqual(await verifyFile(pinned, look(config.path)), { kind: 'whole', pinned: true });
    assert.deepEqual(await verifyFile(unpinned, look('absent')), { kind: 'missing' });

    writeFileSync(join(place, 'blobs', hashOf(large)), large.bytes.map((byte) => byte ^ 1));
    const damaged = await verifyFile(unpinned, look(large.path));
    assert.equal(damaged.kind === 'damaged' && damaged.expected, hashOf(large));
    const short = await verifyFile({ ...pinned, size: 7 }, look(config.path));
    assert.deepEqual(short, { kind: 'damaged', expected: '7 bytes', got: '20 bytes' });
    writeFileSync(join(place, 'snapshots', commit, 'plain'), 'no link, no pin');
    assert.deepEqual(await verifyFile({ ...unpinned, path: 'plain' }, look('plain')), { kind: 'unknown' });
  });

  it('looks first at the pinned revision, then at main, then at the fullest', () => {
    const place = join(folder, 'revisions');
    const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(40));
    for (const [revision, names] of [[a, ['x']], [b, ['x']], [c, ['x', 'y']]] as const) {
      mkdirSync(join(place, 'snapshots', revision), { recursive: true });
      for (const name of names) writeFileSync(join(place, 'snapshots', revision, name), '');
    }
    writeMain(place, b);
    assert.equal(findSnapshot(place, ['x'], a)?.commit, a);
    assert.equal(findSnapshot(place, ['x'], null)?.commit, b);
    assert.equal(findSnapshot(place, ['x', 'y'], a)?.commit, c);
    assert.equal(findSnapshot(place, ['z'], a), null);
  });
});
