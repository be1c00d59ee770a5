/** A measuring network in a folder: `config.json` and safetensors, as diffusers lays one out. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { rootPath, type Path } from '../nn/path.ts';
import type { DType } from '../tensor/dtype.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';

const configFile = 'config.json';
const weights = 'diffusion_pytorch_model.safetensors';

/** A network with what was said about its training. `dispose` releases its weights. */
export interface LoadedNetwork<Network> {
  readonly network: Network;
  readonly card: Record<string, unknown>;
  readonly dispose: () => void;
}

/** The file of a network's weights, for a hash. */
export function networkWeights(folder: string): string {
  return join(folder, weights);
}

/**
 * Writes a network's folder, all or nothing.
 *
 * @param kind the class, kept as `_class_name`
 * @param path the root of its parameters
 * @param card plain JSON about the training
 * @param dtype of the stored weights
 */
export function saveNetwork(
  folder: string, kind: string, path: Path, config: object, card: Record<string, unknown> = {},
  dtype: DType = 'float32',
): void {
  const temporary = `${folder}.tmp-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    mkdirSync(temporary, { recursive: true });
    const content = { _class_name: kind, ...config, card };
    writeFileSync(join(temporary, configFile), `${JSON.stringify(content, null, 2)}\n`);
    scope(() => noGrad(() => {
      const stored = [...path.state()].map(([key, value]) => [key, value.to(dtype)] as const);
      writeSafetensors(join(temporary, weights), new Map(stored), {});
    }));
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new Error(`${kind}: could not write ${folder}: ${(error as Error).message}`);
  }
}

/** What a folder may hold: its class and how that is built. */
export interface NetworkKind<Config, Network> {
  readonly kind: string;
  readonly config: z.ZodType<Config>;
  readonly build: (path: Path, config: Config) => Network;
  /** The training that leaves such a folder: `segmenter`. */
  readonly stage: string;
}

/** The network of a folder; every key must fit. */
export function loadNetwork<Config, Network>(
  folder: string, { kind, config, build, stage }: NetworkKind<Config, Network>, device = 'cpu',
): LoadedNetwork<Network> {
  const file = join(folder, configFile);
  if (!existsSync(file) || !existsSync(networkWeights(folder))) {
    throw new Error(
      `${stage}: expected ${configFile} and ${weights} in ${folder}, got none: ` +
        `run \`train ${stage}\` first`,
    );
  }
  const { _class_name: found, card = {}, ...rest } = readJson(file, stage);
  if (found !== kind) {
    throw new Error(`${stage}: expected _class_name ${kind} in ${file}, got ${String(found)}`);
  }
  const parsed = config.safeParse(rest);
  if (!parsed.success) {
    const { path: where, message } = parsed.error.issues[0];
    throw new Error(`${stage}: ${file}: ${where.join('.')}: ${message}`);
  }
  const path = rootPath({ device });
  const { tensors } = readSafetensors(networkWeights(folder));
  try {
    const network = build(path, parsed.data);
    path.load(tensors, { strict: true });
    const dispose = () => path.dispose();
    return { network, card: card as Record<string, unknown>, dispose };
  } catch (error) {
    path.dispose();
    throw new Error(`${networkWeights(folder)}: ${(error as Error).message}`);
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

function readJson(file: string, stage: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    throw new Error(`${stage}: expected JSON in ${file}, got something else`);
  }
}
