/**
 * Colour on a terminal that wants it: NO_COLOR (not empty) and a stream that is no terminal both
 * mean plain text.
 */

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
}

/** `environment` and `stream` are the process's own; given by tests. */
export function styleFor(
  stream: { isTTY?: boolean } = process.stdout,
  environment: Record<string, string | undefined> = process.env,
): Style {
  const off = environment.NO_COLOR !== undefined && environment.NO_COLOR !== '';
  const on = stream.isTTY === true && !off && environment.TERM !== 'dumb';
  const paint = (open: number, close: number) => (text: string) =>
    on ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    yellow: paint(33, 39),
    green: paint(32, 39),
  };
}
