/** What `mixedPrecision: auto` becomes: decided once, where a training's configuration is resolved. */
import { hasBf16Instructions } from '../tensor/bf16.ts';
import { resolveConfig, type ConfigSources, type TrainingConfig } from './config.ts';
import type { OptimizationConfig } from './optimization.ts';

export type Precision = OptimizationConfig['mixedPrecision'];

export interface PrecisionOptions {
  readonly device?: string;
  /** Whether the processor computes bfloat16 itself; looked up when absent. */
  readonly native?: boolean;
  /** Configuration of the checkpoint that the training goes on from: `auto` is what it says. */
  readonly checkpoint?: unknown;
  /** Told in a line what was chosen, where it is not what one would expect. */
  readonly report?: (line: string) => void;
}

/** `no` on a processor without instructions for bfloat16, `bf16` everywhere else. */
export function precisionOn(device = 'cpu', native = hasBf16Instructions()): Precision {
  return device === 'cpu' && !native ? 'no' : 'bf16';
}

/** The configuration of the training whose recipe stands at `key` (`image`, `fewShot`), for its device. */
export function resolveFor(key: string, sources: ConfigSources, options: PrecisionOptions = {}): TrainingConfig {
  const { checkpoint, report } = options;
  const native = options.native ?? hasBf16Instructions();
  const chosen = precisionOn(options.device, native);
  let auto = false;
  const config = resolveConfig({
    ...sources,
    precision: (path) => {
      if (!path.startsWith(`${key}.`)) return chosen;
      auto = true;
      return precisionAt(path, checkpoint) ?? chosen;
    },
  });
  const taken = recipePrecision(key, config);
  const line = describeChoice(taken, { auto, chosen });
  if (line !== null) report?.(line);
  return config;
}

/** What is worth a line: a choice against the preset's bf16, a checkpoint's, and bf16 that is emulated. */
function describeChoice(taken: Precision, { auto, chosen }: { auto: boolean; chosen: Precision }): string | null {
  const name = { no: 'float32', bf16: 'bf16' } as const;
  const emulated = taken === 'bf16' && chosen === 'no';
  const slow = 'this processor has no bfloat16 instructions; on such a one a step in bf16 was measured 7 to 16 ' +
    'times slower than in float32';
  if (auto && taken !== chosen) {
    return `${name[taken]}, as in the checkpoint; a new training would take ${name[chosen]} here` +
      (emulated ? `: ${slow}` : '');
  }
  if (auto && taken === 'no') {
    return 'float32: this processor has no bfloat16 instructions (--mixed-precision bf16 forces it)';
  }
  return emulated ? `warning: ${slow} (auto takes float32)` : null;
}

/** The number type that a resolved recipe trains in. */
export function recipePrecision(key: string, config: TrainingConfig): Precision {
  const recipe = (config as unknown as Record<string, Record<string, OptimizationConfig>>)[key];
  return (recipe.optimization ?? recipe.generator).mixedPrecision;
}

/** The value at a dotted path of a saved configuration; null where it has none. */
function precisionAt(path: string, saved: unknown): Precision | null {
  const found = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | null)?.[key], saved);
  return found === 'no' || found === 'bf16' ? found : null;
}
