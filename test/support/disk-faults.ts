/** Makes the disk fail for code under test: node's own `fs` functions, replaced for a while. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Fault = 'writeSync' | 'writeFileSync' | 'renameSync' | 'fsyncSync';

/**
 * Runs `body` while the `after + 1`-th call of `fs[name]` and all later ones fail with `code`, as
 * on a full disk, or only `times` of them; returns how many calls failed.
 */
export function withFault(
  name: Fault, code: string, after: number, body: () => void, times = Infinity,
): number {
  const real = fs[name] as (...given: unknown[]) => unknown;
  let calls = 0;
  let failed = 0;
  const faulty = (...given: unknown[]): unknown => {
    calls += 1;
    if (calls <= after || failed === times) return real(...given);
    failed += 1;
    throw Object.assign(new Error(`${code}: injected, ${name}`), { code });
  };
  Object.assign(fs, { [name]: faulty });
  syncBuiltinESMExports();
  try {
    body();
  } finally {
    Object.assign(fs, { [name]: real });
    syncBuiltinESMExports();
  }
  return failed;
}
