/**
 * Changes checkpoints that PyTorch wrote by chance and reads them:
 * node --import tsx scripts/fuzz-checkpoints.ts [FILES] [SEED] [--reasons]. Prints one line; exit 1,
 * and the file is left, when one of them ends otherwise than read or refused in a sentence.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzCheckpoints } from '../test/weights/fuzz.ts';

const [files = 10_000, seed = 1] = process.argv.slice(2).map(Number).filter(Number.isSafeInteger);
const folder = mkdtempSync(join(tmpdir(), 'fuzz-checkpoints-'));
const path = join(folder, 'file.pt');
try {
  const { refused, read, slowestMs, memoryGrowth, reasons } = fuzzCheckpoints(path, files, seed);
  if (process.argv.includes('--reasons')) {
    for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) console.log(count, reason);
  }
  console.log(
    `${files} files (seed ${seed}): ${refused} refused in ${reasons.size} ways, ${read} read, ` +
      `slowest ${slowestMs.toFixed(1)} ms of CPU, peak memory growth ${(memoryGrowth / 1e6).toFixed(1)} MB`,
  );
  rmSync(folder, { recursive: true });
} catch (error) {
  console.error(`${path}: ${(error as Error).message}`);
  process.exitCode = 1;
}
