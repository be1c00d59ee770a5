/** `./heartbeat weights` as a user meets it: processes of their own, and a stand-in for the Hub on loopback. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Weight } from '../../src/hub/catalogue.ts';
import { commit, files, hashOf, repository, sendBytes, sendStatus, startStandIn,
  type StandIn } from '../hub/hub-stand-in.ts';

/** The transpiled command line, with a catalogue of what the stand-in has. */
function withCatalogue(catalogue: readonly Weight[]): string[] {
  const built = (path: string) => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);
  const program = `const { weights } = await import(${built('hub/catalogue.js')});
    weights.splice(0, weights.length, ...${JSON.stringify(catalogue)});
    process.argv.splice(1, 0, 'heartbeat');
    await import(${built('cli/main.js')});`;
  return [process.execPath, '--input-type=module', '--eval', program, '--'];
}

const standIn = withCatalogue([{
  name: 'stand-in', purpose: 'tests', repository, revision: null, licence: 'a licence to print',
  files: files.map((file) => ({ path: file.path, size: file.bytes.length, hash: hashOf(file) })),
}]);
const launcher = fileURLToPath(new URL('../../heartbeat', import.meta.url));
const large = files[1];
const token = 'hf_abcdefghijklmnop';
let hub: StandIn;
let home = '';
before(async () => {
  hub = await startStandIn();
  // Transpiles what is stale, before several processes at once want it.
  assert.equal((await run([launcher], ['--help'])).code, 0);
});
after(() => hub.close());
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'heartbeat home '));
  hub.on = () => false;
  hub.log.length = 0;
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts `command args` with nothing in its environment but what is given; `onError` sees stderr grow. */
function run(
  command: readonly string[],
  args: readonly string[],
  environment: Record<string, string> = {},
  onError: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: home, HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...environment };
    const child = spawn(command[0], [...command.slice(1), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => {
      err += text.toString();
      onError(err, (signal) => child.kill(signal));
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}
const snapshot = () => join(home, 'hub', 'models--echo--heart', 'snapshots', commit);
const blobs = () => join(home, 'hub', 'models--echo--heart', 'blobs');

describe('weights', () => {
  it('names the nearest weight and verb, and shows help and the list at once', async () => {
    const [near, verb, neither, help, list, absent] = await Promise.all([
      run([launcher], ['weights', 'pull', 'medsm']),
      run([launcher], ['weights', 'pul']),
      run([launcher], ['weights', 'pull']),
      run([launcher], ['help', 'weights', 'pull']),
      run([launcher], ['weights', 'list']),
      run([launcher], ['weights', 'pull', 'medsam']),
    ]);
    assert.deepEqual([near, verb, neither, help, list, absent].map(({ code }) => code), [2, 2, 2, 0, 0, 1]);
    assert.match(near.err, /^heartbeat: unknown weight "medsm": did you mean "medsam"\?.*\n$/);
    assert.match(verb.err, /^heartbeat: unknown "weights" command "pul": did you mean "pull"\?.*\n$/);
    assert.match(neither.err, /expected names \(sd15-unet, .*\) or --all, got neither/);
    assert.match(help.out, /--force-download[\s\S]*HF_HUB_OFFLINE/);
    assert.match(list.out, /medsam +the MedSAM[\s\S]*wanglab\/medsam-vit-base at de8488bca37b\n +licence +Apache-2\.0/);
    // The transpiled command line finds its client, and the stand-in has no such repository.
    assert.match(absent.err, /licence Apache-2\.0[^\n]*\nheartbeat: .*expected wanglab\/medsam-vit-base, got HTTP 404/);
  });

  it('two processes pull at once and fetch once; verify tells damage; pull repairs it; offline finds it', async () => {
    hub.on = ({ at, range }, response) => {
      if (at !== 'cdn') return false;
      setTimeout(() => sendBytes(large.bytes, range, response), 700);
      return true;
    };
    const pull = () => run(standIn, ['weights', 'pull', 'stand-in'], { HF_TOKEN: token });
    const both = await Promise.all([pull(), pull()]);
    for (const { code, out, err } of both) {
      assert.equal(code, 0, err);
      assert.equal(out, `${snapshot()}\n`);
      assert.match(err, /^stand-in: licence a licence to print \(http:\/\/127/);
      assert.ok(!err.includes(token));
    }
    assert.equal(hub.log.filter(({ at }) => at === 'cdn').length, 1, both[1].err);
    assert.deepEqual(readdirSync(blobs()).sort(), files.map(hashOf).sort());

    const damage = large.bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
    writeFileSync(join(blobs(), hashOf(large)), damage);
    const damaged = await run(standIn, ['weights', 'verify']);
    assert.equal(damaged.code, 1);
    assert.match(damaged.out, /^whole +stand-in +unet\/config\.json\ndamaged +stand-in +unet\/weights.*expected 6bc7/);
    assert.match(damaged.err, /expected 3 whole files, got 1 damaged .*"\.\/heartbeat weights pull stand-in --force/);
    hub.on = () => false;
    assert.equal((await run(standIn, ['weights', 'pull', 'stand-in', '--force-download'])).code, 0);
    const [verified, offline] = await Promise.all([
      run(standIn, ['weights', 'verify', 'stand-in']),
      run(standIn, ['weights', 'pull', '--all'], { HF_HUB_OFFLINE: '1', HF_ENDPOINT: 'http://127.0.0.1:1' }),
    ]);
    assert.equal(verified.code, 0, verified.err);
    assert.deepEqual([offline.code, offline.out], [0, `${snapshot()}\n`]);
  });

  it('Ctrl+C keeps what came: 130, and the next pull goes on', async () => {
    hub.on = ({ at }, response) => {
      if (at !== 'cdn') return false;
      response.writeHead(200, { 'content-length': large.bytes.length });
      response.write(large.bytes.subarray(0, 60_000));
      return true;
    };
    const parts = () => (existsSync(blobs()) ? readdirSync(blobs()) : []).filter((name) => /incomplete$/.test(name));
    let kill: ((signal: NodeJS.Signals) => void) | null = null;
    const waiting = setInterval(() => {
      if (!parts().some((name) => statSync(join(blobs(), name)).size === 60_000)) return;
      clearInterval(waiting);
      kill?.('SIGINT');
    }, 20);
    const { code, err, out } = await run(standIn, ['weights', 'pull', 'stand-in'], {}, (_, signal) => (kill = signal));
    clearInterval(waiting);
    assert.equal(code, 130, err);
    assert.equal(out, '');
    assert.match(err, /stopped; what came is kept, and the same command goes on from there\n$/);
    assert.equal(statSync(join(blobs(), `${hashOf(large)}.heartbeat.incomplete`)).size, 60_000);
    assert.ok(!existsSync(join(snapshot(), large.path)));
    hub.on = () => false;
    hub.log.length = 0;
    assert.equal((await run(standIn, ['weights', 'pull', 'stand-in'])).code, 0);
    assert.equal(hub.log.find(({ at }) => at === 'cdn')?.range, 'bytes=60000-');
    assert.ok(readFileSync(join(snapshot(), large.path)).equals(large.bytes));
  });

  it('fails with one sentence: gated, and offline with nothing here', async () => {
    hub.on = ({ url }, response) => {
      if (!url.includes('/resolve/')) return false;
      sendStatus(response, 403, { 'x-error-code': 'GatedRepo' });
      return true;
    };
    const [gated, offline] = await Promise.all([
      run(standIn, ['weights', 'pull', 'stand-in']),
      run(standIn, ['weights', 'pull', 'stand-in'], { HF_HUB_OFFLINE: '1', HF_HOME: join(home, 'empty') }),
    ]);
    assert.equal(gated.code, 1);
    assert.match(gated.err, /heartbeat: [^\n]*HTTP 403: access is gated; accept its terms at [^\n]*\n$/);
    assert.equal(offline.code, 1);
    assert.match(offline.err, /^heartbeat: stand-in: expected it whole in .*empty\/hub, because HF_HUB_OFFLINE.*\n$/);
  });
});
