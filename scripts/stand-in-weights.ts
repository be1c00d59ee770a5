/**
 * stand-in-weights.ts FOLDER: networks of preset paper with random weights, in the layouts and sizes of the public
 * ones (Stable Diffusion 1.5's U-Net, autoencoder, text encoder and tokenizer, MedSAM's image encoder), 4.4 GiB, and
 * FOLDER/paper.yaml that names them: to rehearse docs/paper.md on one's own data before the real ones are fetched.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { exportPipeline } from '../src/heartbeat/export.ts';
import { HeartBeat } from '../src/heartbeat/heartbeat.ts';
import { scope } from '../src/tensor/memory.ts';
import { writeSafetensors } from '../src/tensor/safetensors.ts';
import { resolveConfig } from '../src/training/config.ts';

const [given] = process.argv.slice(2);
if (given === undefined) throw new Error('usage: stand-in-weights.ts FOLDER');
const folder = resolve(given);
const { model: config, seed } = resolveConfig({ preset: 'paper' });
// Stable Diffusion's own U-Net has neither local features nor an image branch.
const model = new HeartBeat(
  { ...config, conditions: ['text'], unet: { ...config.unet, localChannels: 0, imageQuery: 'none' } }, { seed });
try {
  await exportPipeline(model, folder);
  // What the public folder does not have: our own parts, and an index that asks for them.
  for (const name of ['heartbeat', 'model_index.json']) rmSync(join(folder, name), { recursive: true });
  const medsam = join(folder, 'medsam');
  mkdirSync(medsam);
  const state = [...model.components.image_encoder.state()];
  scope(() => writeSafetensors(join(medsam, 'model.part'),
    new Map(state.map(([key, value]) => [`image_encoder.${key}`, value]))));
  renameSync(join(medsam, 'model.part'), join(medsam, 'model.safetensors'));
} finally {
  model.dispose();
}
const pretrained = {
  unet: join(folder, 'unet'), vae: join(folder, 'vae'), text_encoder: join(folder, 'text_encoder'),
  image_encoder: join(folder, 'medsam', 'model.safetensors'),
};
writeFileSync(join(folder, 'paper.yaml'), stringify({ pretrained }));
process.stdout.write(`${join(folder, 'paper.yaml')}\n`);
