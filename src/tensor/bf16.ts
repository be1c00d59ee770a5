import { existsSync, readFileSync } from 'node:fs';

/**
 * Whether the processor computes bfloat16 itself (AVX-512 BF16 or AMX); without these instructions it is
 * emulated, and slower than float32 by far. `flags`: the processor's own list; for tests.
 */
export function hasBf16Instructions(flags: string = processorFlags()): boolean {
  return /\b(avx512_bf16|amx_bf16)\b/.test(flags);
}

function processorFlags(): string {
  if (!existsSync('/proc/cpuinfo')) return '';
  return /^flags\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
}
