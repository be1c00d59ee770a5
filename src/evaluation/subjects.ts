/** What a model is evaluated on: whole clips, or the ED and ES frames of each clip one by one. */
import { conditionsOfStage, type ConditionName } from '../conditions/condition.ts';
import type { View } from '../data/camus-folder.ts';
import { listClips, readClip, type ClipListOptions, type ClipSource } from '../data/clips.ts';
import type { Extractors } from '../extractors/extractors.ts';
import type { Frames } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { extractClip } from '../training/extract-clip.ts';
import { drawContactSheet, drawFrameSheet } from './contact-sheet.ts';
import { readSubject, subjectOf, type Phase, type Subject } from './subject.ts';

/** A subject with what was generated for it, by run. */
export interface Shown { readonly subject: Subject; readonly videos: ReadonlyMap<string, Frames> }

export interface Subjects {
  /** Frames of each subject. */
  readonly frames: number;
  /** What can be given, and what of it is switched on and off beside the base. */
  readonly known: readonly ConditionName[];
  readonly switched?: readonly ConditionName[];
  /** The clips of a data set that it can be measured on. */
  readonly list: (data: string, options: ClipListOptions & { views?: readonly View[] }) => ClipSource[];
  /** The subjects of a clip by name. */
  readonly idsOf: (source: ClipSource) => readonly string[];
  readonly read: (source: ClipSource, extractors?: Extractors) => Promise<readonly Subject[]>;
  /** Draws the sheet of one clip. */
  readonly draw: (path: string, of: readonly Shown[]) => void;
}

/** By the model: one with temporal layers makes clips, one without makes frames. */
export function subjectsOf(model: HeartBeat): Subjects {
  return model.config.unet.temporal ? clips(model) : singleFrames(model);
}

/**
 * The sequences of a data set that a video model of so many frames can be measured on.
 *
 * @throws when it has ED and ES stills alone
 */
export function listSequences(frames: number): Subjects['list'] {
  return (data, options) => {
    const sources = listClips(data, { ...options, frames, kinds: ['sequence', 'half_sequence'] });
    if (sources.length > 0) return sources;
    const { split, views } = options;
    if (listClips(data, { split, views, kinds: ['stills'] }).length === 0) return [];
    throw new Error(`${data}: expected sequences of at least ${frames} frames for a video model, got ED and ES ` +
      'stills alone: on those an image model is evaluated (`train image`)');
  };
}

function clips(model: HeartBeat): Subjects {
  const { frames, conditions } = model.config;
  return {
    frames, known: conditions, list: listSequences(frames),
    idsOf: ({ id }) => [id],
    read: async (source, extractors) => [await readSubject(source, model, extractors)],
    draw: (path, [{ subject, videos }]) => drawContactSheet(path, subject, videos),
  };
}

const phases: readonly Phase[] = ['ED', 'ES'];

/** The two frames of a clip, each with the other one as its image prior. */
function singleFrames(model: HeartBeat): Subjects {
  const { resolution: size, conditions } = model.config;
  const ofImages = conditionsOfStage('image').map(({ name }) => name);
  const known = conditions.filter((name) => ofImages.includes(name));
  return {
    frames: 1, known, switched: known,
    list: (data, options) => listClips(data, { ...options, frames: 2 }),
    idsOf: ({ id }) => phases.map((phase) => `${id}_${phase}`),
    read: async (source, extractors) => {
      // of any recording the two frames that are asked for are ED and ES
      const clip = { ...readClip(source.folder, source.view, { size, frames: 2 }), kind: 'stills' as const };
      if (clip.ed === clip.es) {
        throw new Error(`${source.id}: expected ED and ES to be two frames, got one frame for both`);
      }
      const prepared = await extractClip(clip, extractors);
      return phases.map((phase) => {
        const [frame, prior] = phase === 'ED' ? [clip.ed, clip.es] : [clip.es, clip.ed];
        const subject = subjectOf(source, clip, prepared, model, { frames: [frame], prior });
        return { ...subject, id: `${source.id}_${phase}`, phase };
      });
    },
    draw: drawFrameSheet,
  };
}
