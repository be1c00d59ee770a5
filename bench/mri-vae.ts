/**
 * How well the autoencoder of a model gives back the slices of M&Ms volumes it was not trained on:
 * bench/mri-vae.ts <M&Ms folder> <model folder> [volumes]. Prints PSNR and the latents' statistics
 * under the model's own scale, where the data it was trained on are N(0, 1).
 */
import { listMnmsVolumes, readMnmsClip, selectVolumes } from '../src/data/mnms.ts';
import { loadModelFolder } from '../src/heartbeat/model-folder.ts';
import { decodeClip } from '../src/heartbeat/synthesis.ts';
import { psnr } from '../src/metrics/psnr.ts';
import { ssim } from '../src/metrics/ssim.ts';
import { noGrad, scope } from '../src/tensor/memory.ts';
import { tensor } from '../src/tensor/tensor.ts';

const [data, folder, count = '6'] = process.argv.slice(2);
const model = loadModelFolder(folder);
const { resolution: size } = model.config;
const volumes = selectVolumes(listMnmsVolumes(data, { split: 'testing' }), { count: Number(count), seed: 0 });
const sums = { psnr: 0, ssim: 0 };
for (const source of volumes) {
  const { video } = readMnmsClip(source, { size, frames: 4 });
  const { back, mean, square } = noGrad(() => scope(() => {
    const shown = tensor(video.data, [video.frames, 1, size, size]);
    const latents = model.vae.scaleLatents(model.encode(shown).mode());
    return {
      back: decodeClip(model, latents), mean: latents.mean([0, 2, 3]).toFloat32(),
      square: latents.square().mean([0, 2, 3]).toFloat32(),
    };
  }));
  const figures = { psnr: psnr(back, video), ssim: ssim(back, video) };
  const std = [...square].map((value, c) => Math.sqrt(value - mean[c] ** 2).toFixed(2)).join(' ');
  process.stdout.write(`${source.id} (${source.vendor}): PSNR ${figures.psnr.toFixed(2)} dB, ` +
    `SSIM ${figures.ssim.toFixed(4)}; latents: mean ${[...mean].map((v) => v.toFixed(2)).join(' ')}, ` +
    `deviation ${std}\n`);
  sums.psnr += figures.psnr;
  sums.ssim += figures.ssim;
}
process.stdout.write(`mean of ${volumes.length} volumes: PSNR ${(sums.psnr / volumes.length).toFixed(2)} dB, ` +
  `SSIM ${(sums.ssim / volumes.length).toFixed(4)}\n`);
model.dispose();
