/**
 * Compares the networks with the built-in extractors, for docs/conditions.md:
 * node --import tsx bench/extractors.ts raft-small.pth table5_pidinet.pth [frames.png [clip folder]]
 * Flow of phantom clips against their true flow; sketches of a frame drawn side by side, of the
 * phantom or of a CAMUS patient's folder (whose pictures are not to be passed on).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadFlowEstimator, type FlowEstimator } from '../src/conditions/flow.ts';
import { paintGrey, paintInk } from '../src/conditions/painting.ts';
import { extractSketch } from '../src/conditions/sketch.ts';
import { readClip, type Clip } from '../src/data/clips.ts';
import { writePhantom } from '../src/data/phantom/phantom.ts';
import { PIDINET, RAFT } from '../src/extractors/extractors.ts';
import { pidinetSketch } from '../src/extractors/pidinet-sketch.ts';
import { raftFlow } from '../src/extractors/raft-flow.ts';
import { frameAt, plane } from '../src/frames/frames.ts';
import { writePng } from '../src/frames/png.ts';
import { renderSheet } from '../src/frames/sheet.ts';
import { loadPidinet } from '../src/models/pidinet-weights.ts';
import { loadRaftSmall } from '../src/models/raft.ts';
import { rootPath } from '../src/nn/path.ts';
import { scope } from '../src/tensor/memory.ts';
import { readCheckpoint } from '../src/weights/tensors.ts';

const [raft, pidinet, picture, patient] = process.argv.slice(2);
if (raft === undefined || pidinet === undefined) {
  throw new Error('expected the files of RAFT-small and of PiDiNet, got fewer');
}
const SIDES = [128, 256, RAFT.side];

/** Mean distance in pixels of a flow and the true one over the labels wanted, and of no flow. */
function endPointError(flow: Clip['flow'], clip: Clip, wanted: readonly number[]) {
  let [sum, still, count] = [0, 0, 0];
  for (let t = 0; t < clip.video.frames; t++) {
    const [dx, dy] = [0, 1].map((c) => plane(flow!, c, t));
    const [trueX, trueY] = [0, 1].map((c) => plane(clip.flow!, c, t));
    plane(clip.masks!, 0, t).forEach((label, i) => {
      if (!wanted.includes(label)) return;
      sum += Math.hypot(dx[i] - trueX[i], dy[i] - trueY[i]) * clip.video.width;
      still += Math.hypot(trueX[i], trueY[i]) * clip.video.width;
      count++;
    });
  }
  return `${(sum / count).toFixed(2)} px (still ${(still / count).toFixed(2)})`;
}

function timed<T>(work: () => T): [T, string] {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [result, `${((user + system) / 1e6).toFixed(1)} s of CPU`];
}

function compareFlow(name: string, estimate: FlowEstimator, clip: Clip): void {
  const [flow, time] = timed(() => estimate(clip.video, clip.sector, 'loop'));
  console.log(`${name}: error ${endPointError(flow, clip, [2])} in muscle, ` +
    `${endPointError(flow, clip, [1, 2, 3])} in the heart, ${time} a clip`);
}

const folder = mkdtempSync(join(tmpdir(), 'phantom-'));
const [flowPath, sketchPath] = [rootPath(), rootPath()];
try {
  writePhantom(folder, { patients: 1, seed: 2, views: ['4CH'] });
  const phantom = join(folder, 'database_nifti', 'patient0001');
  const clip = readClip(phantom, '4CH', { size: 128, frames: 16 });
  if (picture === undefined) {
    compareFlow('Farneback', await loadFlowEstimator(), clip);
    const network = scope(() => loadRaftSmall(flowPath, readCheckpoint(raft).tensors));
    for (const side of SIDES) {
      compareFlow(`RAFT-small at ${side}`, raftFlow(network, { ...RAFT, side }), clip);
    }
  } else {
    const network = scope(() => loadPidinet(sketchPath, readCheckpoint(pidinet).tensors));
    const shown = patient === undefined ? clip : readClip(patient, '4CH', { size: 128, frames: 2 });
    const frame = frameAt(shown.video, 0);
    const [drawn, own] = timed(() => extractSketch(frame, shown.sector));
    const [found, time] = timed(() => pidinetSketch(network, PIDINET)(frame, shown.sector));
    console.log(`sketch of a frame: built in ${own}, PiDiNet ${time}`);
    const rows = [
      { label: 'frame', picture: paintGrey(frame) },
      { label: 'built in', picture: paintInk(drawn) },
      { label: `PiDiNet at ${PIDINET.side}`, picture: paintInk(found) },
    ];
    writePng(picture, renderSheet({ title: 'Sketches of a frame', rows, cell: 192, columns: 1 }), 0);
  }
} finally {
  for (const path of [flowPath, sketchPath]) path.dispose();
  rmSync(folder, { recursive: true, force: true });
}
