/**
 * Names of a checkpoint's tensors as the network itself has them: those under `state_dict.` alone
 * where there are any (a training's optimizer stands beside them), without the `module.` that
 * training on several devices leaves before each.
 */
export function upstreamKeys<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  const under = 'state_dict.';
  const wrapped = [...tensors].filter(([key]) => key.startsWith(under));
  const named = wrapped.length > 0
    ? wrapped.map(([key, value]) => [key.slice(under.length), value] as const)
    : [...tensors];
  return new Map(named.map(([key, value]) => [key.replace(/^module\./, ''), value]));
}
