/**
 * The table of all conditions. Encoders, dropout, command-line flags, validation and the rows of
 * the contact sheet derive from it; nothing else knows a condition by name.
 */
import type { Frames } from '../frames/frames.ts';
import type { RandomStream } from '../frames/random.ts';
import { paintFlow, paintGrey, paintInk, paintLabels } from './painting.ts';
import type { Painting } from './painting.ts';

export type ConditionName = 'text' | 'image' | 'sketch' | 'mask' | 'skeleton' | 'flow';

/** What a model is given, after extraction; an absent condition is dropped. */
export type ConditionInputs = Partial<Record<ConditionName, Frames | string>>;

export interface ConditionFlag {
  /** As commander takes it: `--mask <path>`. */
  readonly flag: string;
  readonly help: string;
}

export interface Condition {
  readonly name: ConditionName;
  /** Local conditions are planes on the latent grid; global ones are tokens for cross-attention. */
  readonly kind: 'local' | 'global';
  /** Stage 1 trains on images, stage 2 on videos (PAPER section 1). */
  readonly stages: readonly ('image' | 'video')[];
  /** One frame (or one sentence) for a whole clip, instead of one a frame. */
  readonly single: boolean;
  /** Planes a frame, for a data set with `classes` labels; 0 for text. */
  readonly channels: (classes: number) => number;
  /** Values a plane may hold. */
  readonly range: readonly [number, number];
  /**
   * What an encoder multiplies the planes by. A heart moves by hundredths of the picture's side a
   * frame, which a network of unit-scale weights would not notice.
   */
  readonly gain: number;
  /** Each pixel's planes add up to 1. */
  readonly oneHot: boolean;
  /** Factor of its features when the user says nothing; 1 is as trained. */
  readonly strength: number;
  /** What the model gets in its place when it is dropped (PAPER section 1). */
  readonly dropped: 'zero features' | 'empty prompt' | 'zero tokens';
  /** Every way to give it on the command line. */
  readonly flags: readonly ConditionFlag[];
  /** Title of its row in the contact sheet. */
  readonly label: string;
  /** RGB picture (3 f h w) of the planes; null where words say it. */
  readonly paint: ((planes: Frames) => Painting) | null;
}

const LOCAL = {
  kind: 'local',
  strength: 1,
  oneHot: false,
  range: [0, 1],
  gain: 1,
  dropped: 'zero features',
} as const;

export const conditions: readonly Condition[] = [
  {
    name: 'text',
    kind: 'global',
    stages: ['image', 'video'],
    single: true,
    channels: () => 0,
    range: [0, 1],
    gain: 1,
    oneHot: false,
    strength: 1,
    dropped: 'empty prompt',
    flags: [{
      flag: '--text <sentence>',
      help: 'what is seen; 2CH and 4CH stand for the trained prompts',
    }],
    label: 'text',
    paint: null,
  },
  {
    name: 'image',
    kind: 'global',
    stages: ['image', 'video'],
    single: true,
    channels: () => 1,
    range: [0, 1],
    gain: 1,
    oneHot: false,
    strength: 1,
    dropped: 'zero tokens',
    flags: [{
      flag: '--image <path>',
      help: 'image prior: one frame whose look is taken over (PNG or NIfTI)',
    }],
    label: 'image prior',
    paint: paintGrey,
  },
  {
    ...LOCAL,
    name: 'sketch',
    stages: ['image', 'video'],
    single: true,
    channels: () => 1,
    flags: [
      {
        flag: '--sketch <path>',
        help: 'a drawing (PNG, black on white or white on black)',
      },
      {
        flag: '--sketch-from <path>',
        help: 'the sketch of this frame (PNG or NIfTI)',
      },
    ],
    label: 'sketch',
    paint: paintInk,
  },
  {
    ...LOCAL,
    name: 'mask',
    stages: ['image', 'video'],
    single: false,
    channels: (classes) => classes,
    oneHot: true,
    flags: [{
      flag: '--mask <paths...>',
      help: 'label maps: a NIfTI sequence, a folder of PNG files, or an ED and an ES mask to join',
    }],
    label: 'mask',
    paint: paintLabels,
  },
  {
    ...LOCAL,
    name: 'skeleton',
    stages: ['image', 'video'],
    single: false,
    channels: () => 1,
    flags: [
      {
        flag: '--skeleton <path>',
        help: 'mitral valve: strokes in JSON, masks to find it in, or the word mask (those of --mask)',
      },
      {
        flag: '--arrow <path>',
        help: 'mitral valve from one stroke and its moving direction (JSON)',
      },
    ],
    label: 'mitral valve',
    paint: paintGrey,
  },
  {
    ...LOCAL,
    name: 'flow',
    stages: ['video'],
    single: false,
    channels: () => 2,
    range: [-1, 1],
    gain: 64,
    flags: [{
      flag: '--flow <path>',
      help:
        'motion: a flow NIfTI, a video to follow (NIfTI, PNG), masks to move with (NIfTI), ' +
        'or the word mask (those of --mask)',
    }],
    label: 'optical flow',
    paint: paintFlow,
  },
];

export const conditionNames: readonly ConditionName[] = conditions.map(({ name }) => name);

/** The table's entry of a name. */
export function conditionOf(name: ConditionName): Condition {
  const found = conditions.find((condition) => condition.name === name);
  if (!found) {
    throw new Error(`condition: expected one of ${conditionNames.join(', ')}, got '${name}'`);
  }
  return found;
}

/** The conditions of a training stage, in the table's order. */
export function conditionsOfStage(stage: 'image' | 'video'): readonly Condition[] {
  return conditions.filter(({ stages }) => stages.includes(stage));
}

/**
 * `heartbeat`: drop in training so that every subset is learned; `none`: the paper's own words; or
 * the probability of each condition to be dropped by itself, 0 where it is not named.
 */
export type ConditionDropout = 'heartbeat' | 'none' | Readonly<Partial<Record<ConditionName, number>>>;

/** All dropped, all kept, otherwise each by itself (PAPER section 1; VideoComposer's numbers). */
export const DROPOUT_RATES = { dropAll: 0.1, keepAll: 0.1, dropEach: 0.5 } as const;

/**
 * Which conditions one training sample keeps: a pure function of the stream. It always draws the
 * same number of times, so that what the stream gives afterwards does not hang on the outcome.
 */
export function dropConditions(
  stream: RandomStream,
  dropout: ConditionDropout = 'heartbeat',
): Record<ConditionName, boolean> {
  const fate = stream.uniform();
  const { dropAll, keepAll, dropEach } = DROPOUT_RATES;
  const entries = conditionNames.map((name) => {
    const draw = stream.uniform();
    if (typeof dropout === 'object') return [name, draw >= (dropout[name] ?? 0)];
    const own = draw >= dropEach;
    const kept = fate < dropAll ? false : fate < dropAll + keepAll ? true : own;
    return [name, dropout === 'none' || kept];
  });
  return Object.fromEntries(entries) as Record<ConditionName, boolean>;
}
