/**
 * Runs the test files given as arguments and prints one line a file, failures in full, and node's
 * own summary: several hundred lines of passed tests help nobody to see the failed one. Exit 1 when
 * a test fails or a file runs no test.
 */
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { styleText } from 'node:util';

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly message?: string;
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly details?: {
      readonly duration_ms?: number;
      readonly type?: string;
      readonly error?: Error;
    };
  };
}

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
  milliseconds: number;
}

const color = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (format: 'red' | 'green' | 'yellow', text: string) =>
  color ? styleText(format, text) : text;

function cause(error: Error | undefined): string {
  const origin = error?.cause instanceof Error ? error.cause : error;
  const lines = String(origin?.stack ?? origin?.message ?? origin).split('\n');
  return lines
    .filter((line) => !/^ +at .*(node:|node_modules)/.test(line))
    .map((line) => `      ${line}`)
    .join('\n');
}

/** Events of node's test runner in, text out. */
async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, Tally>();
  const failures: string[] = [];
  const summary: string[] = [];
  const tallyOf = (file: string) => {
    if (!files.has(file)) files.set(file, { passed: 0, failed: 0, skipped: [], milliseconds: 0 });
    return files.get(file)!;
  };
  let current: string | null = null;

  function fileLine(file: string): string {
    const { passed, failed, skipped, milliseconds } = tallyOf(file);
    const mark = failed > 0 ? paint('red', '✖') : paint('green', '✔');
    const counts = [`${passed} passed`];
    if (failed > 0) counts.push(paint('red', `${failed} failed`));
    if (skipped.length > 0) counts.push(paint('yellow', `${skipped.length} skipped`));
    const notes = [...new Set(skipped)].map((reason) => `\n    skipped: ${reason}`).join('');
    return `${mark} ${file}  ${counts.join(', ')}, ${(milliseconds / 1000).toFixed(1)} s${notes}\n`;
  }

  for await (const { type, data } of source) {
    if (type === 'test:diagnostic' && data.nesting === 0 && data.file === undefined)
      summary.push(`ℹ ${data.message}\n`);
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message ?? '';
    if ((type !== 'test:pass' && type !== 'test:fail') || data.file === undefined) continue;
    const file = relative(process.cwd(), data.file);
    if (current !== null && current !== file) yield fileLine(current);
    current = file;
    const tally = tallyOf(file);
    if (data.nesting === 0) tally.milliseconds += data.details?.duration_ms ?? 0;
    const isSuite = data.details?.type === 'suite';
    if (data.skip !== undefined && data.skip !== false)
      tally.skipped.push(data.skip === true ? 'no reason' : data.skip);
    else if (type === 'test:pass' && !isSuite) tally.passed += 1;
    if (type === 'test:fail') {
      const failedInside = (data.details?.error as { failureType?: string } | undefined)
        ?.failureType;
      if (failedInside === 'subtestsFailed') continue;
      if (!isSuite) tally.failed += 1;
      failures.push(
        `\n${paint('red', '✖')} ${data.name} (${file})\n${cause(data.details?.error)}\n`,
      );
    }
  }
  if (current !== null) yield fileLine(current);
  yield* failures;
  yield '\n';
  yield* summary;
}

// Tensor tests use every core themselves: two files at a time keep two cores busy, more would only
// fight.
const events = run({ files: process.argv.slice(2).map((file) => resolve(file)), concurrency: 2 });
events.on('test:fail', () => {
  process.exitCode = 1;
});
for await (const text of report(events)) process.stdout.write(text);
