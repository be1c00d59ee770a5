/** Which number type sampling computes in when the user names none. */
import { hasBf16Instructions } from '../tensor/bf16.ts';

export type SamplingDType = 'float32' | 'bfloat16';

/**
 * bfloat16 on a processor with instructions for it, whose convolutions are then up to twice as fast as
 * in float32, and on CUDA, as trainings choose; float32 elsewhere. `flags`: the processor's own list; for tests.
 */
export function chooseDType(device: string, flags?: string): SamplingDType {
  const native = device === 'cpu' ? hasBf16Instructions(flags) : device.startsWith('cuda');
  return native ? 'bfloat16' : 'float32';
}
