/** What an evaluation keeps of the gate, and the card's section on it. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Frames } from '../../frames/frames.ts';
import { readJson, writeJson } from '../../frames/json.ts';
import { quantile } from '../../metrics/bootstrap.ts';
import { shareOf } from '../../metrics/binomial.ts';
import { bySpace, calibrationSchema, shareSchema } from './calibration.ts';
import type { MemorisationGate, Verdict } from './gate.ts';
import { indexItems } from './items.ts';
import { spaces } from './nearest.ts';
import { drawPairs, worstFirst } from './pairs.ts';

const text = z.string();
const neighbour = z.strictObject({ nearest: text, distance: z.number() });
const verdictSchema = z.strictObject({
  pixel: neighbour, feature: neighbour, marked: z.array(z.enum(spaces)).nullable(),
});

const gateSchema = z.strictObject({
  /** sha256 of the index. */
  index: text,
  training: z.strictObject({ clips: z.int(), patients: z.int() }),
  resolution: z.int(),
  /** Of a clip; 1 where pictures are judged. */
  frames: z.int().optional(),
  networks: z.array(z.strictObject({ name: text, sha256: text })),
  calibration: calibrationSchema.nullable(),
  /** Why there is no calibration. */
  reason: text.nullable(),
  power: z.array(z.strictObject({
    name: text, what: text, meant: z.boolean(),
    pixel: shareSchema, feature: shareSchema, joint: shareSchema, source: shareSchema,
  })),
});

export const memorisationSchema = gateSchema.extend({
  /** `real` first: held-out clips, of which none was trained on. */
  runs: z.array(z.strictObject({
    run: text,
    /** Share marked by either space, and by each; null without thresholds. */
    marked: shareSchema.nullable(),
    pixel: shareSchema.nullable(),
    feature: shareSchema.nullable(),
    medians: z.strictObject({ pixel: z.number(), feature: z.number() }),
  })),
  clips: z.array(verdictSchema.extend({ id: text, run: text })),
});
export type Memorisation = z.infer<typeof memorisationSchema>;

/** Where an evaluation keeps its index, its side-by-side picture and what the card says of the gate. */
export function memorisationFolder(output: string): string {
  return join(output, 'memorisation');
}

/** The side-by-side picture of an evaluation; null when there is none. */
export function pairsPicture(output: string): string | null {
  const file = join(memorisationFolder(output), 'nearest.png');
  return existsSync(file) ? file : null;
}

const keptSchema = z.strictObject({ index: text, verdicts: z.record(text, verdictSchema) });

/** The verdicts on a clip's videos by run, when they are by this index; else null. */
export function keptVerdicts(output: string, id: string, index: string): Record<string, Verdict> | null {
  const file = verdictFile(output, id);
  if (!existsSync(file)) return null;
  const parsed = keptSchema.safeParse(readJson(file));
  return parsed.success && parsed.data.index === index ? parsed.data.verdicts : null;
}

/** Judges a clip's videos and keeps the verdicts; the real one is compared with other patients' clips. */
export function keepVerdicts(
  output: string, { id, patient }: { readonly id: string; readonly patient: string },
  videos: ReadonlyMap<string, Frames>, gate: MemorisationGate,
): void {
  const verdicts = [...videos].flatMap(([run, video]) => {
    const verdict = gate.check(video, run === 'real' ? patient : undefined);
    return verdict === null ? [] : [[run, verdict] as const];
  });
  writeJson(verdictFile(output, id), { index: gate.index.hash, verdicts: Object.fromEntries(verdicts) });
}

/** Pairs that are shown, at most one a clip. */
const SHOWN = 6;

/**
 * Keeps what the card says of the gate, and draws the generated clips nearest to a training clip.
 *
 * @param clips the measured ones, with their runs
 * @param video a generated one
 * @param data the data set that was indexed; without it, training clips are shown as the index has them
 */
export function finishMemorisation(
  output: string, gate: MemorisationGate, clips: readonly string[],
  video: (id: string, run: string) => Frames | null, data: string | null,
): void {
  const { index } = gate;
  const { about } = index;
  const folder = memorisationFolder(output);
  mkdirSync(folder, { recursive: true });
  writeJson(join(folder, 'gate.json'), {
    index: index.hash,
    training: { clips: about.clips.length, patients: new Set(about.clips.map(({ patient }) => patient)).size },
    resolution: about.resolution, frames: about.frames,
    networks: about.networks.map(({ name, sha256 }) => ({ name, sha256 })),
    calibration: about.calibration, reason: about.reason, power: about.power,
  });
  const pairs = clips.flatMap((id) => {
    const own = Object.entries(keptVerdicts(output, id, index.hash) ?? {}).flatMap(([run, verdict]) =>
      (run === 'real' ? [] : [{ name: `${id} ${run}`, verdict, video: () => video(id, run)! }]));
    return worstFirst(own, index).slice(0, 1);
  });
  if (pairs.length === 0) return;
  const shown = worstFirst(pairs, index).slice(0, SHOWN);
  drawPairs(join(folder, 'nearest.png'), shown, index, data === null ? undefined : trainingPictures(data, gate));
}

/** Training clips at the size of the index, read from their data set. */
export function trainingPictures(data: string, gate: MemorisationGate): (id: string) => Frames | null {
  const { resolution, frames } = gate.index.about;
  const items = new Map(indexItems({ data, frames }, 'training').map((item) => [item.id, item]));
  return (id) => items.get(id)?.read(resolution) ?? null;
}

/** The card's section; null where some measured clip was not judged by the gate that stands there. */
export function memorisationSection(
  output: string, clips: readonly { readonly id: string; readonly patient: string }[], runs: readonly string[],
): Memorisation | null {
  const file = join(memorisationFolder(output), 'gate.json');
  if (!existsSync(file)) return null;
  const gate = gateSchema.parse(readJson(file));
  const kept = clips.map(({ id }) => keptVerdicts(output, id, gate.index));
  if (kept.some((verdicts) => verdicts === null || runs.some((run) => !(run in verdicts)))) return null;
  const rows = ['real', ...runs].flatMap((run) => {
    const own = clips.flatMap(({ patient }, i) => {
      const verdict = kept[i]![run] as Verdict | undefined;
      return verdict === undefined ? [] : [{ patient, verdict }];
    });
    if (own.length === 0) return [];
    const groups = own.map(({ patient }) => patient);
    const share = (is: (marked: readonly string[]) => boolean) => (gate.calibration === null ? null
      : shareOf(own.map(({ verdict }) => is(verdict.marked ?? [])), groups));
    return [{
      run, marked: share((marked) => marked.length > 0),
      ...bySpace((space) => share((marked) => marked.includes(space))),
      medians: bySpace((space) => quantile(
        own.map(({ verdict }) => verdict[space].distance).sort((a, b) => a - b), 0.5)),
    }];
  });
  const verdicts = clips.flatMap(({ id }, i) => Object.entries(kept[i]!).map(([run, verdict]) =>
    ({ id, run, ...verdict, marked: verdict.marked === null ? null : [...verdict.marked] })));
  return { ...gate, runs: rows, clips: verdicts };
}

function verdictFile(output: string, id: string): string {
  return join(output, 'clips', id, 'memorisation.json');
}
