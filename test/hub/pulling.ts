/** What the tests of pulling share: a stand-in for the Hub, an empty cache for each test, and the pull. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import type { Weight } from '../../src/hub/catalogue.ts';
import { carryOut, planPull } from '../../src/hub/pull.ts';
import type { HubAccess } from '../../src/hub/request.ts';
import { commit, files, hashOf, repository, startStandIn, type Asked, type StandIn } from './hub-stand-in.ts';

export const [config, large] = files;
export const weight: Weight = {
  name: 'stand-in', purpose: 'tests', repository, revision: null, licence: 'none',
  files: files.map(({ path }) => ({ path, size: null, hash: null })),
};
export const token = 'hf_abcdefghijklmnop';
/** The name of the large file's part that nobody writes. */
export const idle = `${hashOf(large)}.heartbeat.incomplete`;

export let hub: StandIn;
export let cache = '';

/** To be called once in a test file. */
export function startEachTestAnew(): void {
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
}

export function access(changes: Partial<HubAccess> = {}): HubAccess & { waits: number[]; said: string[] } {
  const waits: number[] = [];
  const said: string[] = [];
  return {
    endpoint: hub.endpoint, token: null, timeout: 20_000, waits, said,
    pause: async (milliseconds) => waits.push(milliseconds),
    onRetry: (sentence) => said.push(sentence),
    ...changes,
  };
}

export async function pull(from: HubAccess = access(), what: Weight = weight, force = false): Promise<string> {
  const plan = await planPull(what, 'fp32', cache, from, force);
  await carryOut(plan, from, { force });
  return plan.snapshot;
}

/** The repository's folder in the cache. */
export const folder = () => join(cache, 'models--echo--heart');
export const blobs = (): string[] =>
  (existsSync(join(folder(), 'blobs')) ? readdirSync(join(folder(), 'blobs')).sort() : []);
export const requests = (path: string): Asked[] => hub.log.filter(({ url }) => url.includes(path));
/** What only the CDN does, and only for the large file. */
export function onCdn(
  act: (range: string | undefined, response: Parameters<StandIn['on']>[1], count: number) => boolean,
): void {
  hub.on = (asked, response, count) => asked.at === 'cdn' && act(asked.range, response, count);
}

/** The failed pull: its sentence; nothing stands under a final name, but for what is whole. */
export async function refused(pattern: RegExp, from: HubAccess = access(), what: Weight = weight): Promise<string> {
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
