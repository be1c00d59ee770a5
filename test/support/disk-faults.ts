/** Makes the disk fail for code under test: node's own `fs` functions, replaced for a while. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Fault = 'writeSync' | 'writeFileSync' | 'renameSync' | 'fsyncSync';

/**
 * From now until `restore`, the `after + 1`-th call of `fs[name]` and all later ones fail with
 * `code`, as on a full disk, or only `times` of them.
 */
export function injectFault(
  name: Fault, code: string, after: number, times = Infinity,
): { failed(): number; restore(): void } {
  const real = fs[name] as (...given: unknown[]) => unknown;
  let calls = 0;
  let failed = 0;
  const faulty = (...given: unknown[]): unknown => {
    calls += 1;
    if (calls <= after || failed === times) return real(...given);
    failed += 1;
    throw Object.assign(new Error(`${code}: injected, ${name}`), { code });
  };
  const put = (value: unknown) => {
    Object.assign(fs, { [name]: value });
    syncBuiltinESMExports();
  };
  put(faulty);
  return { failed: () => failed, restore: () => put(real) };
}

/** Runs `body` under an injected fault; returns how many calls failed. */
export function withFault(
  name: Fault, code: string, after: number, body: () => void, times = Infinity,
): number {
  const fault = injectFault(name, code, after, times);
  try {
    body();
  } finally {
    fault.restore();
  }
  return fault.failed();
}
