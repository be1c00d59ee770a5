/** Which number type sampling computes in when the user names none. */
import { hasBf16Instructions } from '../tensor/bf16.ts';

export type SamplingDType = 'float32' | 'bfloat16';

/**
 * bfloat16 on a processor with instructions for it, whose convolutions are then up to twice as fast as
 * in float32. Other devices compute in float32 unless asked. `flags`: the processor's own list; for tests.
 */
export function chooseDType(device: string, flags?: string): SamplingDType {
  return device === 'cpu' && hasBf16Instructions(flags) ? 'bfloat16' : 'float32';
}
