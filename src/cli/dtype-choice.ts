/** Which number type sampling computes in when the user names none. */
import { existsSync, readFileSync } from 'node:fs';

export type SamplingDType = 'float32' | 'bfloat16';

/**
 * bfloat16 on a processor with instructions for it (AVX-512 BF16 or AMX), whose convolutions are
 * then up to twice as fast as in float32; elsewhere it is emulated and slower. Other devices
 * compute in float32 unless asked. `flags`: the processor's own list; for tests.
 */
export function chooseDType(device: string, flags: string = processorFlags()): SamplingDType {
  const native = /\b(avx512_bf16|amx_bf16)\b/.test(flags);
  return device === 'cpu' && native ? 'bfloat16' : 'float32';
}

function processorFlags(): string {
  if (!existsSync('/proc/cpuinfo')) return '';
  return /^flags\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
}
