/** `./heartbeat weights pull`: fetches public weights from the Hugging Face Hub. */
import type { Command } from 'commander';
import { weights, type Weight } from '../hub/catalogue.ts';
import { cacheFolder, endpointOf, isOffline, readToken, stallTimeout } from '../hub/environment.ts';
import { carryOut, findWeight, planPull } from '../hub/pull.ts';
import type { HubAccess } from '../hub/request.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { styleFor } from './console/style.ts';
import { UserError } from './console/user-error.ts';
import { freeDisk } from './machine.ts';
import { addVariantFlag, chosenWeights, formatSize, interruptible, unitFor } from './weights-choice.ts';
import type { VariantFlags } from './weights-choice.ts';

interface PullFlags extends VariantFlags {
  readonly all?: boolean;
  readonly forceDownload?: boolean;
}

const examples = `
Examples:
  ./heartbeat weights pull sd15-unet sd15-vae clip-text medsam
  ./heartbeat weights pull sd15-unet --variant fp16
  ./heartbeat weights pull --all
  ./heartbeat weights pull sd15-vae --force-download   after "weights verify" called it damaged

The licence is printed before the first byte is fetched. What is here already is not fetched again.
A file appears when its hash is right; one that was cut off, by Ctrl+C or by the network, goes on
where it stopped. Prints the folder of each weight.

  HF_HOME, HF_HUB_CACHE     where it goes                 HF_ENDPOINT     another Hub
  HF_TOKEN, HF_TOKEN_PATH   the token for gated weights   HF_HUB_OFFLINE  1: ask nobody
  HF_HUB_DOWNLOAD_TIMEOUT   seconds without a byte after which a connection is given up (30)`;

export function register(command: Command): void {
  command
    .description('Fetch public weights into the cache of the Hugging Face Hub.')
    .argument('[names...]', 'which weights (see ./heartbeat weights list)');
  addVariantFlag(command)
    .option('--all', 'all of them')
    .option('--force-download', 'fetch what is here, too')
    .addHelpText('after', examples)
    .action(pull);
}

async function pull(names: readonly string[], flags: PullFlags): Promise<void> {
  const { all = false, variant, forceDownload = false } = flags;
  if (all ? names.length > 0 : names.length === 0) {
    const known = weights.map(({ name }) => name).join(', ');
    const got = all ? 'both' : 'neither';
    throw new UserError(`weights pull: expected names (${known}) or --all, got ${got}`, { exitCode: 2 });
  }
  const chosen = all ? weights : chosenWeights(names);
  const cache = cacheFolder();
  if (isOffline()) {
    for (const weight of chosen) process.stdout.write(`${presentFolder(weight, variant, cache)}\n`);
    return;
  }
  const endpoint = endpointOf();
  const access = { endpoint, token: readToken(), timeout: stallTimeout() };
  await interruptible(async (signal) => {
    for (const weight of chosen) {
      say(`${weight.name}: licence ${weight.licence} (${endpoint}/${weight.repository})`);
      const folder = await pullOne(weight, { variant, force: forceDownload, cache, access: { ...access, signal } });
      process.stdout.write(`${folder}\n`);
    }
  }, 'stopped; what came is kept, and the same command goes on from there');
}

function presentFolder(weight: Weight, variant: VariantFlags['variant'], cache: string): string {
  const folder = findWeight(weight, variant, cache);
  if (folder !== null) return folder;
  throw new UserError(`${weight.name}: expected it whole in ${cache}, because HF_HUB_OFFLINE is set, ` +
    'got files missing; unset HF_HUB_OFFLINE and run this again');
}

interface Job {
  readonly variant: VariantFlags['variant'];
  readonly force: boolean;
  readonly cache: string;
  readonly access: HubAccess;
}

/** Returns the folder where the files stand. */
async function pullOne(weight: Weight, { variant, force, cache, access }: Job): Promise<string> {
  let bar: Progress | null = null;
  const line = (text: string) => (bar === null ? say(text) : bar.line(text));
  const hub: HubAccess = { ...access, onRetry: line };
  const plan = await planPull(weight, variant, cache, hub, force);
  const total = plan.missing.reduce((sum, { size }) => sum + size, 0);
  if (plan.missing.length === 0) say(`${weight.name}: all ${plan.revision.files.length} files are here`);
  expectRoom(cache, total);
  const { unit, size } = unitFor(total);
  let here = 0;
  try {
    await carryOut(plan, hub, {
      force,
      onWait: (path) => line(`${path}: another process is fetching it; waiting for that`),
      onProgress: (bytes, path) => {
        here = bytes;
        const initial = Math.floor(bytes / size);
        bar ??= startProgress({ label: weight.name, total: Math.ceil(total / size), unit, initial });
        bar.update(initial, path);
      },
    });
  } catch (error) {
    if (bar !== null) line(`${weight.name}: ${formatSize(here)} of ${formatSize(total)} are here`);
    throw error;
  }
  (bar as Progress | null)?.finish(`${plan.missing.length} files`);
  return plan.snapshot;
}

/** Said before the first byte, not after the last that fits. */
function expectRoom(cache: string, bytes: number): void {
  const free = freeDisk(cache);
  if (free >= bytes) return;
  throw new UserError(`${cache}: expected ${formatSize(bytes)} of free disk, got ${formatSize(free)}; ` +
    'make room, or name another place in HF_HUB_CACHE');
}

function say(text: string): void {
  process.stderr.write(`${styleFor(process.stderr).dim(text)}\n`);
}
