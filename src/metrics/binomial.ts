/** Shares of clips with an interval that is right for few of them, and for none. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The interval of a share by Clopper and Pearson (Biometrika 1934): exact, so that 0 of n still has an
 * upper end above 0. `successes` need not be whole: Korn and Graubard (Survey Methodology 1998) put the
 * share times the effective number of trials there.
 *
 * @param successes 0..trials
 * @param trials independent ones, above 0
 */
export function clopperPearson(successes: number, trials: number, level = 0.95): Interval {
  if (!(trials > 0 && successes >= 0 && successes <= trials && level > 0 && level < 1)) {
    throw new Error('clopperPearson: expected 0 <= successes <= trials and a level in 0..1, got ' +
      `${successes} of ${trials} at ${level}`);
  }
  const tail = (1 - level) / 2;
  const failures = trials - successes;
  return {
    low: successes === 0 ? 0 : betaQuantile(tail, successes, failures + 1),
    high: failures === 0 ? 1 : betaQuantile(1 - tail, successes + 1, failures),
  };
}

export interface Share extends Interval {
  /** Clips, and the patients that they are of. */
  readonly n: number;
  readonly patients: number;
  readonly count: number;
  /** count / n */
  readonly value: number;
}

/**
 * Share of clips for which something is so, with its 95 % interval. Clips of one patient are not
 * independent: the effective number of trials is taken to be the number of patients (Korn and
 * Graubard's interval at the largest design effect), which is cautious; with one clip a patient it is
 * Clopper and Pearson's.
 *
 * @returns null where there is no clip
 */
export function shareOf(is: readonly boolean[], groups: readonly string[]): Share | null {
  if (is.length === 0) return null;
  const patients = new Set(groups).size;
  const count = is.filter(Boolean).length;
  const value = count / is.length;
  const { low, high } = clopperPearson(value * patients, patients);
  return { n: is.length, patients, count, value, low: round(low), high: round(high) };
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

/** The x at which the regularised incomplete beta function is `share`, by bisection. */
function betaQuantile(share: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  for (let k = 0; k < 100 && low < high; k++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** I_x(a, b), by its continued fraction (DLMF 8.17.22) where that converges fast. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) +
    logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  return front / betaFraction(x, a, b);
}

/** The denominator 1 + d1/(1 + d2/(1 + ...)), by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let [value, c, d] = [1, 1, 0];
  for (let n = 1; n < 1000; n++) {
    const m = Math.floor(n / 2);
    const term = n % 2 === 0
      ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
      : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + term * d || tiny);
    c = 1 + term / c || tiny;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return value;
}

/** ln of the gamma function for x > 0: Stirling's series (DLMF 5.11.1) after stepping x above 12. */
function logGamma(x: number): number {
  let [at, product] = [x, 1];
  for (; at < 12; at++) product *= at;
  const square = 1 / (at * at);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 -
    square / 1188)))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}
