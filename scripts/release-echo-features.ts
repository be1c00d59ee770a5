/**
 * release-echo-features.ts RUN FOLDER: the networks of the echo features that a run has trained
 * (`train segmenter`, `train echo-video`) as they are shipped: weights in float16, and a card.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadEchoVideo } from '../src/metrics/echo-features.ts';
import { networkWeights, saveNetwork } from '../src/metrics/network-folder.ts';
import { Segmenter } from '../src/metrics/segmenter.ts';
import { loadSegmenter } from '../src/metrics/segmenter-folder.ts';
import { EchoVideo } from '../src/models/echo-video.ts';
import { rootPath } from '../src/nn/path.ts';
import { readSafetensors } from '../src/tensor/safetensors.ts';
import { sha256 } from '../src/frames/file-hash.ts';
import { modelOf } from '../src/training/runs.ts';

const [run, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: release-echo-features.ts RUN FOLDER');

const sources = [
  { name: 'segmenter', ...loadSegmenter(modelOf(run, 'segmenter')) },
  { name: 'echo-video', ...loadEchoVideo(modelOf(run, 'echo-video')) },
];
const rows = sources.map((source) => {
  const path = rootPath();
  const kind = 'segmenter' in source ? 'Segmenter' : 'EchoVideo';
  const config = 'segmenter' in source ? source.segmenter.config : source.network.config;
  if ('segmenter' in source) new Segmenter(path, source.segmenter.config);
  else new EchoVideo(path, source.network.config);
  const { tensors } = readSafetensors(networkWeights(modelOf(run, source.name as 'segmenter')));
  path.load(tensors, { strict: true });
  for (const value of tensors.values()) value.dispose();
  const out = join(folder, source.name);
  saveNetwork(out, kind, path, config, source.card, 'float16');
  path.dispose();
  source.dispose();
  const { clips, steps, seconds, validation } = source.card;
  const figures = Object.entries(validation as Record<string, number>)
    .map(([name, value]) => `${name} ${value.toPrecision(3)}`).join(', ');
  return `| ${source.name} | ${clips} | ${steps} | ${seconds} | ${figures} | ` +
    `${sha256(networkWeights(out))} |`;
});
writeFileSync(join(folder, 'README.md'), `# Echo features

Two small networks that \`evaluate\` measures with. Weights in float16.

- **segmenter**: finds the masks; its encoder's lowest level is what frames are compared by.
- **echo-video**: reads phase, ejection fraction and view of a clip; its last level is what clips are
  compared by.

Both were trained on the phantom of this repository alone: a Frechet echo distance on them is not FID
or FVD, and says how like the phantom's features a set is to that network. No patient's data. MIT.

| network | training clips | steps | seconds | on held-out clips | sha256 of the weights |
|---|---|---|---|---|---|
${rows.join('\n')}
`);
process.stdout.write(`${folder}\n`);
