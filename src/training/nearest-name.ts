/**
 * The known name that a mistyped one most likely meant: unknown keys, flags, verbs and presets all
 * ask here.
 */

/**
 * Optimal string alignment distance (Damerau-Levenshtein with each substring edited at most once):
 * insertions, deletions, substitutions and swaps of neighbours each cost 1.
 */
export function editDistance(a: string, b: string): number {
  const rows = a.length + 1;
  const columns = b.length + 1;
  const distance = new Int32Array(rows * columns);
  for (let i = 0; i < rows; i++) distance[i * columns] = i;
  for (let j = 0; j < columns; j++) distance[j] = j;
  for (let i = 1; i < rows; i++) {
    for (let j = 1; j < columns; j++) {
      const at = i * columns + j;
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      distance[at] = Math.min(
        distance[at - columns] + 1,
        distance[at - 1] + 1,
        distance[at - columns - 1] + cost,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance[at] = Math.min(distance[at], distance[at - 2 * columns - 2] + 1);
      }
    }
  }
  return distance[rows * columns - 1];
}

/** `learning_rate`, `learning-rate` and `learningRate` are one name to a reader. */
function plain(name: string): string {
  return name.replace(/[-_\s]/g, '').toLowerCase();
}

/**
 * The nearest of `known`, or null when none is within 2 edits, or a third of the name's length for
 * long names.
 */
export function nearestName(given: string, known: Iterable<string>): string | null {
  const wanted = plain(given);
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const name of known) {
    const candidate = plain(name);
    const distance = editDistance(wanted, candidate);
    if (distance < bestDistance && distance <= limit && distance < candidate.length) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * One sentence: `unknown key "learninRate": did you mean "learningRate"?`, or the list where
 * nothing is near.
 */
export function unknownName(kind: string, given: string, known: Iterable<string>): string {
  const names = [...known];
  const nearest = nearestName(given, names);
  const hint =
    nearest === null ? `expected one of ${names.join(', ')}` : `did you mean "${nearest}"?`;
  return `unknown ${kind} "${given}": ${hint}`;
}
