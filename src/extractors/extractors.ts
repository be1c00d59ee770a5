/**
 * Which flow and sketch are taken from pictures: the built-in ones, or a network with public
 * weights that the user has.
 */
import { z } from 'zod';
import { loadFlowEstimator, type FlowEstimator } from '../conditions/flow.ts';
import { extractSketch, type SketchExtractor } from '../conditions/sketch.ts';
import { sha256 } from '../frames/file-hash.ts';
import { loadPidinet } from '../models/pidinet-weights.ts';
import { loadRaftSmall, RAFT_UPDATES } from '../models/raft.ts';
import { rootPath, type Path } from '../nn/path.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { readCheckpoint } from '../weights/tensors.ts';
import { pidinetSketch } from './pidinet-sketch.ts';
import { raftFlow } from './raft-flow.ts';

/** At what size RAFT matches the frames: docs/conditions.md has the errors and the times. */
export const RAFT = { side: 384, updates: RAFT_UPDATES } as const;
/** At what size PiDiNet looks for edges: below it sees little but the largest ones of an echo. */
export const PIDINET = { side: 512 } as const;

const file = z.string().min(1, 'expected the file of its weights, got an empty name');
const expecting = (words: string, network: string) => ({
  error: ({ input }: { input?: unknown }) =>
    `expected ${words} or { ${network}: file of its weights }, got ${JSON.stringify(input)}`,
});

export const extractorsConfig = z.strictObject({
  /** `farneback` is built in; RAFT-small reads princeton-vl's or torchvision's checkpoint. */
  flow: z.union(
    [z.literal('farneback'), z.strictObject({ raft: file })], expecting('farneback', 'raft'),
  ).default('farneback'),
  /** `builtin`, or PiDiNet with the authors' checkpoint. */
  sketch: z.union(
    [z.literal('builtin'), z.strictObject({ pidinet: file })], expecting('builtin', 'pidinet'),
  ).default('builtin'),
});
export type ExtractorsConfig = z.output<typeof extractorsConfig>;

/** The choice without the weights' files: what a resumed training must agree in. */
export function extractorNames(config: Partial<ExtractorsConfig> = {}): {
  readonly flow: string; readonly sketch: string;
} {
  const name = (choice: string | object) =>
    typeof choice === 'string' ? choice : Object.keys(choice)[0];
  const { flow = 'farneback', sketch = 'builtin' } = config;
  return { flow: name(flow), sketch: name(sketch) };
}

export interface Extractors {
  /** Built in, it loads OpenCV on the first call only. */
  readonly flowEstimator: () => Promise<FlowEstimator>;
  readonly extractSketch: SketchExtractor;
  /**
   * What stands apart from the built-in extractors, for a cache's key: name, settings and sha256 of
   * the weights. Empty without a network.
   */
  readonly identity: Readonly<Partial<Record<'flow' | 'sketch', string>>>;
  /** Releases the networks; the functions cannot be used afterwards. */
  dispose(): void;
}

/**
 * Opens the extractors of a configuration, the built-in ones by default.
 *
 * @throws one sentence naming the file when there is none, it is damaged, or holds the weights of
 * another network
 */
export function openExtractors(config: Partial<ExtractorsConfig> = {}): Extractors {
  const { flow = 'farneback', sketch = 'builtin' } = config;
  const paths: Path[] = [];
  const identity: { flow?: string; sketch?: string } = {};
  const dispose = () => paths.splice(0).forEach((path) => path.dispose());
  try {
    let flowEstimator = loadFlowEstimator;
    let draw: SketchExtractor = extractSketch;
    if (flow !== 'farneback') {
      const estimate = raftFlow(open(flow.raft, loadRaftSmall, paths), RAFT);
      flowEstimator = () => Promise.resolve(estimate);
      identity.flow = `raft-small ${RAFT.side} ${RAFT.updates} ${hashOf(flow.raft)}`;
    }
    if (sketch !== 'builtin') {
      draw = pidinetSketch(open(sketch.pidinet, loadPidinet, paths), PIDINET);
      identity.sketch = `pidinet ${PIDINET.side} ${hashOf(sketch.pidinet)}`;
    }
    return { flowEstimator, extractSketch: draw, identity, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A network with a file's weights in it; its path is put to the others. */
function open<T>(
  weights: string, load: (path: Path, tensors: ReadonlyMap<string, Tensor>) => T, paths: Path[],
): T {
  const path = rootPath();
  paths.push(path);
  return scope(() => {
    const { tensors } = readCheckpoint(weights);
    try {
      return load(path, tensors);
    } catch (error) {
      throw new Error(`${weights}: ${(error as Error).message}`, { cause: error });
    }
  });
}

function hashOf(weights: string): string {
  return sha256(weights);
}
