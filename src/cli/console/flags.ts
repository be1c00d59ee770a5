/** Parsers for the values of flags: given to commander's `option`, they say what was expected. */
import { InvalidArgumentError } from 'commander';

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function describeRange(kind: string, { min, max }: Range): string {
  if (min !== undefined && max !== undefined) return `expected ${kind} from ${min} to ${max}`;
  if (min !== undefined) return `expected ${kind} of at least ${min}`;
  if (max !== undefined) return `expected ${kind} of at most ${max}`;
  return `expected ${kind}`;
}

function within(value: number, { min = -Infinity, max = Infinity }: Range): boolean {
  return value >= min && value <= max;
}

/** A whole number, `1e3` and `0x10` included in neither: digits with an optional sign. */
export function integer(range: Range = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value) || !within(value, range)) {
      throw new InvalidArgumentError(`${describeRange('a whole number', range)}.`);
    }
    return value;
  };
}

/** A finite number: `0.1`, `1e-4`. */
export function number(range: Range = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || !within(value, range)) {
      throw new InvalidArgumentError(`${describeRange('a number', range)}.`);
    }
    return value;
  };
}

/** `name=number`, may be given several times: collects into a record. */
export function namedNumber(
  range: Range = {},
): (
  text: string,
  previous: Readonly<Record<string, number>> | undefined,
) => Record<string, number> {
  const parse = number(range);
  return (text, previous) => {
    const at = text.indexOf('=');
    if (at < 1) throw new InvalidArgumentError('expected name=number.');
    return { ...previous, [text.slice(0, at)]: parse(text.slice(at + 1)) };
  };
}

/** A text that may be given several times: collects into a list. */
export function repeated(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

/**
 * `--max_train_steps=5` is `--max-train-steps=5`; what follows `--` and what is no flag stays as it
 * is.
 */
export function normalizeFlags(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, at) => {
    if (!arg.startsWith('--') || (end >= 0 && at >= end)) return arg;
    const equals = arg.indexOf('=');
    const name = equals < 0 ? arg : arg.slice(0, equals);
    return name.replaceAll('_', '-') + arg.slice(name.length);
  });
}
