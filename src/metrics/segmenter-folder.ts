import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rootPath, type Path } from '../nn/path.ts';
import { noGrad } from '../tensor/memory.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';
import { Segmenter, segmenterConfig, type SegmenterConfig } from './segmenter.ts';

const configFile = 'config.json';
const weights = 'diffusion_pytorch_model.safetensors';

/** A segmenter with what was said about its training. `dispose` releases its weights. */
export interface LoadedSegmenter {
  readonly segmenter: Segmenter;
  readonly card: Record<string, unknown>;
  readonly dispose: () => void;
}

/** The file of a segmenter's weights, for a hash. */
export function segmenterWeights(folder: string): string {
  return join(folder, weights);
}

/**
 * Writes a segmenter's folder, `config.json` and safetensors, all or nothing.
 *
 * @param path the root of its parameters
 * @param card plain JSON about the training
 */
export function saveSegmenter(
  folder: string, path: Path, config: SegmenterConfig, card: Record<string, unknown> = {},
): void {
  const temporary = `${folder}.tmp-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    mkdirSync(temporary, { recursive: true });
    const content = { _class_name: 'Segmenter', ...config, card };
    writeFileSync(join(temporary, configFile), `${JSON.stringify(content, null, 2)}\n`);
    noGrad(() => writeSafetensors(join(temporary, weights), path.state(), {}));
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new Error(`segmenter: could not write ${folder}: ${(error as Error).message}`);
  }
}

/** The segmenter of a folder; every key must fit. */
export function loadSegmenter(folder: string, device = 'cpu'): LoadedSegmenter {
  const file = join(folder, configFile);
  if (!existsSync(file) || !existsSync(segmenterWeights(folder))) {
    throw new Error(
      `segmenter: expected ${configFile} and ${weights} in ${folder}, got none: ` +
        'run `train segmenter` first',
    );
  }
  const { _class_name: kind, card = {}, ...rest } = readJson(file);
  if (kind !== 'Segmenter') {
    throw new Error(`segmenter: expected _class_name Segmenter in ${file}, got ${String(kind)}`);
  }
  const parsed = segmenterConfig.safeParse(rest);
  if (!parsed.success) {
    const { path: where, message } = parsed.error.issues[0];
    throw new Error(`segmenter: ${file}: ${where.join('.')}: ${message}`);
  }
  const path = rootPath({ device });
  const { tensors } = readSafetensors(segmenterWeights(folder));
  try {
    const segmenter = new Segmenter(path, parsed.data);
    path.load(tensors, { strict: true });
    const dispose = () => path.dispose();
    return { segmenter, card: card as Record<string, unknown>, dispose };
  } catch (error) {
    path.dispose();
    throw new Error(`${segmenterWeights(folder)}: ${(error as Error).message}`);
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

function readJson(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    throw new Error(`segmenter: expected JSON in ${file}, got something else`);
  }
}
