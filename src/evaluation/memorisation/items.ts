/** What a memorisation index is made of: the clips of a data set, or single pictures of them. */
import type { Split } from '../../data/camus-folder.ts';
import { listClips, readClipVideo, recordingFrames, type ClipSource } from '../../data/clips.ts';
import { frameAt, type Frames } from '../../frames/frames.ts';

export interface IndexItem {
  readonly id: string;
  readonly source: ClipSource;
  /** A whole cycle, whose last frame leads to its first. */
  readonly whole: boolean;
  /** 1 f h w, letterboxed to a square of so many pixels. */
  readonly read: (resolution: number) => Frames;
}

/** What an index of so many frames is of, in words; clips where nobody says. */
export function itemNouns(frames?: number): [one: string, many: string] {
  return frames === 1 ? ['picture', 'pictures'] : ['clip', 'clips'];
}

/** Pictures of a recording that training takes, evenly spread over the beat; of stills, ED and ES. */
const TRAINED_PICTURES = 16;

/**
 * The clips of a split as a video model is trained on them; with `frames` of 1 the pictures of which an image model
 * is: of the training split those that training takes, of the others ED and ES, which an evaluation asks for.
 */
export function indexItems(
  { data, frames }: { readonly data: string; readonly frames: number }, split: Split,
): IndexItem[] {
  if (frames > 1) {
    return listClips(data, { split, frames, kinds: ['sequence', 'half_sequence'] }).map((source) => ({
      id: source.id, source, whole: source.kind === 'sequence',
      read: (size) => readClipVideo(source.folder, source.view, { size, frames }),
    }));
  }
  const read = onceEach();
  return listClips(data, { split, frames: 2 }).flatMap((source) => {
    const asked = source.kind === 'stills' || split !== 'training';
    const names = asked ? ['ED', 'ES'] : numbers(Math.min(TRAINED_PICTURES, recordingFrames(source)));
    // of two frames of any recording the first is ED and the second ES
    return names.map((name, t): IndexItem => ({
      id: `${source.id}_${name}`, source, whole: false,
      read: (size) => frameAt(read(source, { size, frames: names.length }), t),
    }));
  });
}

/** Reads a recording once for its pictures, which are asked for one after the other. */
function onceEach(): (source: ClipSource, options: { readonly size: number; readonly frames: number }) => Frames {
  let last: { readonly key: string; readonly video: Frames } | null = null;
  return ({ id, folder, view }, options) => {
    const key = `${id} ${options.size}`;
    if (last?.key !== key) last = { key, video: readClipVideo(folder, view, options) };
    return last.video;
  };
}

/** `01`, `02` and so on. */
function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i + 1).padStart(2, '0'));
}
