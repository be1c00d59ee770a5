import { conditions, type ConditionName } from '../conditions/condition.ts';
import { vaeReduction } from '../models/vae.ts';
import { embeddingSide } from '../models/medsam.ts';
import type { TrainingConfig } from './config.ts';
import { heldEmbedding } from './prepare.ts';
import type { PreparedClip, PreparedPlanes } from './prepared-clip.ts';

/**
 * A clip of a configuration's sizes with every condition, whose content means nothing: what time and memory
 * are measured with where no data have been prepared.
 */
export function trialClip({ model }: Pick<TrainingConfig, 'model'>, number: number): PreparedClip {
  const { resolution: size, frames, vae, image_encoder: encoder } = model;
  const area = size * size;
  const latent = frames * vae.latent_channels * (size / vaeReduction(vae)) ** 2;
  const bytes = (count: number, of: (i: number) => number) =>
    Uint8Array.from({ length: count }, (_, i) => of(i + number));
  const floats = (count: number, scale: number) =>
    Float32Array.from({ length: count }, (_, i) => scale * Math.sin(12.9898 * (i + number)));
  const planes = new Map<ConditionName, PreparedPlanes>(conditions
    .filter(({ kind }) => kind === 'local')
    .map(({ name }): [ConditionName, PreparedPlanes] => {
      if (name === 'mask') {
        const label = (i: number) => Math.floor(i / size) % model.classes;
        return [name, { kind: 'labels', channels: 1, data: bytes(frames * area, label) }];
      }
      if (name === 'flow') return [name, { kind: 'real', channels: 2, data: floats(frames * 2 * area, 0.01) }];
      return [name, { kind: 'unit', channels: 1, data: bytes(frames * area, (i) => (i * 7) % 256) }];
    }));
  const side = embeddingSide(encoder);
  return {
    id: `trial${number}`, patient: `trial${number}`, view: '4CH', prompt: 'An ECHO with 4-chamber view.',
    frames, size, stills: false, planes, beat: { ed: 0, es: Math.floor(frames / 2), whole: true, ef: 50 },
    video: bytes(frames * area, (i) => (i * 31 + (i >> 8) * 17) % 256),
    latents: { mean: floats(latent, 1), logvar: new Float32Array(latent).fill(-4) },
    embedding: floats(frames * encoder.out_chans * side * side, 1),
  };
}

/** Bytes of one prepared clip on the disk: its pictures and conditions, its latents and embeddings. */
export function clipBytes({ video, planes, latents, embedding }: PreparedClip): { extracted: number; encoded: number } {
  const extracted = [...planes.values()].reduce((sum, { data }) => sum + data.byteLength, video.byteLength);
  const numbers = embedding?.length ?? 0;
  const each = numbers > heldEmbedding ? 2 : 4;
  return { extracted, encoded: (latents === null ? 0 : 8 * latents.mean.length) + each * numbers };
}
