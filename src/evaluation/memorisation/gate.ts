/** The gate: says of a clip which training clip it is nearest to, and whether it is too near. */
import { frameAt, type Frames } from '../../frames/frames.ts';
import { markedBy } from './calibration.ts';
import { fingerprint, type GateExtractor } from './fingerprint.ts';
import { staleness, type IndexSources, type MemorisationIndex } from './index-file.ts';
import { NearestClips, spaces, type Neighbours, type Space } from './nearest.ts';

export interface Verdict extends Neighbours {
  /** In which spaces it is too near; null where the index has no thresholds. */
  readonly marked: readonly Space[] | null;
}

export class MemorisationGate {
  readonly index: MemorisationIndex;
  private readonly extractors: readonly GateExtractor[];
  private readonly search: NearestClips;

  /** @param extractors those of the index, in its order; see `openGate` */
  constructor(index: MemorisationIndex, extractors: readonly GateExtractor[]) {
    this.index = index;
    this.extractors = extractors;
    this.search = new NearestClips(index.about.clips, index.prints);
  }

  /**
   * @param video 1 f h w in [0, 1], of the index's frames; against an index of pictures each frame is judged, and
   *   the nearest one's verdict is the video's
   * @param except a patient whose clips do not count: a real clip's own
   * @returns null where no training clip is left
   */
  check(video: Frames, except?: string): Verdict | null {
    const { index } = this;
    const parts = index.about.frames > 1 ? [video] : Array.from({ length: video.frames }, (_, t) => frameAt(video, t));
    const verdicts = parts.flatMap((part) => {
      const neighbours = this.search.find(fingerprint(part, this.extractors), except);
      return neighbours === null ? [] : [judge(neighbours, index)];
    });
    return verdicts.sort((a, b) => nearness(a, index) - nearness(b, index)).at(0) ?? null;
  }

  dispose(): void {
    this.search.dispose();
  }
}

function judge(neighbours: Neighbours, { about: { calibration } }: MemorisationIndex): Verdict {
  const marked = calibration === null ? null : markedBy(neighbours, calibration.thresholds);
  return { ...neighbours, marked };
}

/**
 * The gate of an index.
 *
 * @throws when it was made with other networks, or for clips of another size
 */
export function openGate(
  index: MemorisationIndex, extractors: readonly GateExtractor[], wanted: Partial<IndexSources>,
  where: string,
): MemorisationGate {
  const stale = staleness(index, extractors, wanted);
  if (stale !== null) {
    throw new Error(`${where}: this memorisation index does not fit (${stale}): build it again`);
  }
  return new MemorisationGate(index, extractors);
}

/** How near a clip is, so that the worst comes first: distance over threshold in the nearer space. */
export function nearness(neighbours: Neighbours, { about: { calibration } }: MemorisationIndex): number {
  if (calibration === null) return neighbours.pixel.distance;
  return Math.min(...spaces.map((space) => relative(neighbours, space, calibration.thresholds)));
}

/** The space in which a clip is nearest, as `nearness` counts. */
export function nearestSpace(neighbours: Neighbours, { about: { calibration } }: MemorisationIndex): Space {
  if (calibration === null) return 'pixel';
  const [pixel, feature] = spaces.map((space) => relative(neighbours, space, calibration.thresholds));
  return feature < pixel ? 'feature' : 'pixel';
}

function relative(
  neighbours: Neighbours, space: Space, thresholds: Readonly<Record<Space, number>>,
): number {
  return neighbours[space].distance / Math.max(thresholds[space], 1e-9);
}

/** `pixel 0.120 (marked up to 0.312), patient0012_4CH; feature ...` */
export function verdictText(verdict: Verdict, { about: { calibration } }: MemorisationIndex): string {
  return spaces.map((space) => {
    const { distance, nearest } = verdict[space];
    const limit = calibration === null ? '' : ` (marked up to ${calibration.thresholds[space].toFixed(3)})`;
    return `${space} ${distance.toFixed(3)}${limit} from ${nearest}`;
  }).join('; ');
}
