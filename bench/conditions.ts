/**
 * Measures the extractors on phantom clips and draws the pictures of docs/conditions.md:
 * node --import tsx bench/conditions.ts [patients]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { conditionsOfStage } from '../src/conditions/condition.ts';
import { strokesFromArrow } from '../src/conditions/arrow.ts';
import { extractConditions } from '../src/conditions/extraction.ts';
import { loadFlowEstimator } from '../src/conditions/flow.ts';
import { interpolateCycle } from '../src/conditions/mask-cycle.ts';
import { flowFromMasks } from '../src/conditions/mask-flow.ts';
import { oneHot } from '../src/conditions/mask.ts';
import { paintFlow, paintGrey, paintInk, paintLabels } from '../src/conditions/painting.ts';
import { drawSkeleton, skeletonsFromMasks } from '../src/conditions/skeleton.ts';
import { extractSketch } from '../src/conditions/sketch.ts';
import { readClip } from '../src/data/clips.ts';
import type { Clip } from '../src/data/clips.ts';
import { writePhantom } from '../src/data/phantom/phantom.ts';
import { frameAt, joinFrames, plane } from '../src/frames/frames.ts';
import type { Frames, Labels } from '../src/frames/frames.ts';
import { writePng } from '../src/frames/png.ts';
import { renderSheet } from '../src/frames/sheet.ts';

const pictures = fileURLToPath(new URL('../docs/images/', import.meta.url));
const patients = Number(process.argv[2] ?? 3);

/** Mean distance in pixels of two flows, and of standing still, where `labels` has a structure. */
function endPointError(flow: Frames, truth: Frames, labels: Labels, wanted: readonly number[]) {
  let [sum, still, count] = [0, 0, 0];
  for (let t = 0; t < truth.frames; t++) {
    const at = [0, 1].map((c) => [plane(flow, c, t), plane(truth, c, t)]);
    plane(labels, 0, t).forEach((label, i) => {
      if (!wanted.includes(label)) return;
      sum += Math.hypot(at[0][0][i] - at[0][1][i], at[1][0][i] - at[1][1][i]) * truth.width;
      still += Math.hypot(at[0][1][i], at[1][1][i]) * truth.width;
      count++;
    });
  }
  return { error: sum / count, still: still / count };
}

function dice(a: Labels, b: Labels, label: number): number {
  let [both, sum] = [0, 0];
  a.data.forEach((value, i) => {
    both += +(value === label && b.data[i] === label);
    sum += +(value === label) + +(b.data[i] === label);
  });
  return (2 * both) / sum;
}

function timed<T>(work: () => T): [T, number] {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1000];
}

function draw(clip: Clip, estimate: Awaited<ReturnType<typeof loadFlowEstimator>>): void {
  const inputs = extractConditions(clip);
  const rows = conditionsOfStage('video').map(({ name, label, paint }) => {
    const input = inputs[name];
    return typeof input === 'string'
      ? { label, text: input }
      : { label, picture: paint!(input as Frames) };
  });
  const video = { label: 'clip', picture: clip.video };
  const frameNames = { 0: 'ED', [clip.es]: 'ES' };
  save('conditions.png', [video, ...rows], frameNames, 'Conditions of a phantom clip');

  const masks = clip.masks as Labels;
  const { frames, height, width } = clip.video;
  const joined = interpolateCycle(frameAt(masks, 0), frameAt(masks, clip.es), {
    frames,
    es: clip.es,
  });
  const [[line]] = skeletonsFromMasks(frameAt(masks, 0));
  const middle = line[line.length >> 1];
  const apex = { x: middle.x, y: middle.y - 0.1 * height };
  const arrow = { stroke: line, from: middle, to: apex };
  const strokes = strokesFromArrow(arrow, { frames, es: clip.es });
  const sketches = Array.from({ length: frames }, (_, t) => {
    return extractSketch(frameAt(clip.video, t), clip.sector);
  });
  save('condition-sources.png', [
    video,
    { label: 'sketch of every frame', picture: paintInk(joinFrames(sketches)) },
    { label: 'true masks', picture: paintLabels(oneHot(masks)) },
    { label: 'from ED and ES', picture: paintLabels(oneHot(joined)) },
    { label: 'true leaflets', picture: paintGrey(drawSkeleton(clip.leaflets!, height, width)) },
    {
      label: 'valve from masks',
      picture: paintGrey(drawSkeleton(skeletonsFromMasks(masks), height, width)),
    },
    { label: 'stroke and arrow', picture: paintGrey(drawSkeleton(strokes, height, width)) },
    { label: 'true flow', picture: paintFlow(clip.flow!, 0.03) },
    {
      label: 'flow, Farneback',
      picture: paintFlow(estimate(clip.video, clip.sector, 'loop'), 0.03),
    },
    {
      label: 'flow from masks',
      picture: paintFlow(flowFromMasks(masks, { sector: clip.sector, last: 'loop' }), 0.03),
    },
  ], frameNames, 'Where conditions come from');
}

function save(
  name: string,
  rows: Parameters<typeof renderSheet>[0]['rows'],
  frameNames: Readonly<Record<number, string>>,
  title: string,
): void {
  const path = join(pictures, name);
  writePng(path, renderSheet({ title, rows, frameNames, cell: 112, columns: 8 }), 0);
  console.log(`wrote docs/images/${name}`);
}

const folder = mkdtempSync(join(tmpdir(), 'phantom-'));
try {
  mkdirSync(pictures, { recursive: true });
  writePhantom(folder, { patients, seed: 2, views: ['4CH'] });
  const estimate = await loadFlowEstimator();
  for (let k = 1; k <= patients; k++) {
    const patient = `patient${String(k).padStart(4, '0')}`;
    const path = join(folder, 'database_nifti', patient);
    const clip = readClip(path, '4CH', { size: 128, frames: 16 });
    const masks = clip.masks as Labels;
    const [, sketchTime] = timed(() => extractSketch(frameAt(clip.video, 0), clip.sector));
    const [joined, cycleTime] = timed(() => {
      const cycle = { frames: 16, es: clip.es };
      return interpolateCycle(frameAt(masks, 0), frameAt(masks, clip.es), cycle);
    });
    const [, valveTime] = timed(() => skeletonsFromMasks(masks));
    const [seen, seenTime] = timed(() => estimate(clip.video, clip.sector, 'loop'));
    const [made, madeTime] = timed(() => {
      return flowFromMasks(masks, { sector: clip.sector, last: 'loop' });
    });
    const muscle = [2];
    const whole = [1, 2, 3];
    const figures = [
      `ED+ES Dice LV ${dice(joined, masks, 1).toFixed(3)} myocardium ` +
        `${dice(joined, masks, 2).toFixed(3)} LA ${dice(joined, masks, 3).toFixed(3)}`,
      ...([['Farneback', seen], ['from masks', made]] as const).map(([name, flow]) => {
        const m = endPointError(flow, clip.flow!, masks, muscle);
        const h = endPointError(flow, clip.flow!, masks, whole);
        return `flow ${name}: error ${m.error.toFixed(2)} px in muscle ` +
          `(still ${m.still.toFixed(2)}), ` +
          `${h.error.toFixed(2)} px in the heart (still ${h.still.toFixed(2)})`;
      }),
      `CPU ms: sketch ${sketchTime.toFixed(0)} a frame; a clip: cycle ${cycleTime.toFixed(0)}, ` +
        `valve ${valveTime.toFixed(0)}, Farneback ${seenTime.toFixed(0)}, ` +
        `flow of masks ${madeTime.toFixed(0)}`,
    ];
    console.log([patient, ...figures].join('\n  '));
    if (k === patients) draw(clip, estimate);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
