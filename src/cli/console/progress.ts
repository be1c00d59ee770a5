/**
 * Progress of a counted loop: a bar that redraws on a terminal, plain lines every few seconds
 * elsewhere.
 */

export interface ProgressOptions {
  /** What is being done, two or three words. */
  readonly label: string;
  /** The count at which the work is done. */
  readonly total: number;
  /** What is counted, in the plural: `steps`, `patients`. */
  readonly unit: string;
  /** What was done before this process (a resumed run): shown, but left out of the rate. */
  readonly initial?: number;
  readonly stream?: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** Milliseconds, monotonic; for tests. */
  readonly clock?: () => number;
}

export interface Progress {
  /** `done` of `total` are done; `note` (a loss, a file name) is shown behind. */
  update(done: number, note?: string): void;
  /** Prints a line above the bar. */
  line(text: string): void;
  /** Ends the bar with the time it all took. */
  finish(note?: string): void;
}

const lineEvery = 5000;
const redrawEvery = 100;
/**
 * The rate is that of the last half minute or so, so that the time left follows a machine that
 * slows down.
 */
const rateWindow = 30_000;

/** Seconds as `7 s`, `3 min 20 s` or `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** `12.3 steps/s`, or seconds each where that is the clearer number: `4.1 s each`. */
function formatRate(perSecond: number, unit: string): string {
  if (perSecond >= 1)
    return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1)} ${unit}/s`;
  return `${(1 / perSecond).toFixed(1)} s each`;
}

export function startProgress(options: ProgressOptions): Progress {
  const { label, total, unit, initial = 0 } = options;
  const stream = options.stream ?? process.stderr;
  const clock = options.clock ?? (() => performance.now());
  const live = stream.isTTY === true;
  const began = clock();
  const marks: { time: number; done: number }[] = [{ time: began, done: initial }];
  let shown = began;
  let done = initial;

  function rate(now: number): number {
    while (marks.length > 2 && now - marks[1].time > rateWindow) marks.shift();
    const seconds = (now - marks[0].time) / 1000;
    return seconds > 0 ? (done - marks[0].done) / seconds : 0;
  }

  function status(now: number, note?: string): string {
    const parts = [`${label} ${done}/${total} ${unit}`];
    const perSecond = rate(now);
    if (perSecond > 0) {
      parts.push(formatRate(perSecond, unit), `${formatDuration((total - done) / perSecond)} left`);
    }
    if (note !== undefined && note !== '') parts.push(note);
    return parts.join(', ');
  }

  function draw(text: string): void {
    const width = 20;
    const filled = Math.min(width, Math.floor((done / Math.max(1, total)) * width));
    const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${text}`;
    stream.write(`\r\x1b[2K${bar.slice(0, (stream.columns ?? 80) - 1)}`);
  }

  return {
    update(count, note) {
      done = count;
      const now = clock();
      if (now - marks[marks.length - 1].time > rateWindow / 60) marks.push({ time: now, done });
      if (now - shown < (live ? redrawEvery : lineEvery)) return;
      shown = now;
      if (live) draw(status(now, note));
      else stream.write(`${status(now, note)}\n`);
    },
    line(text) {
      stream.write(live ? `\r\x1b[2K${text}\n` : `${text}\n`);
    },
    finish(note) {
      const parts = [`${label}: ${done} ${unit} in ${formatDuration((clock() - began) / 1000)}`];
      if (note !== undefined && note !== '') parts.push(note);
      stream.write(`${live ? '\r\x1b[2K' : ''}${parts.join(', ')}\n`);
    },
  };
}
