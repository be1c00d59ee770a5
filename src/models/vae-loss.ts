import { z } from 'zod';
import { noGrad, scope } from '../tensor/memory.ts';
import { gradientsOf } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { spectrumLoss } from './spectrum-loss.ts';
import type { Posterior } from './vae.ts';

/**
 * The terms of LDM's autoencoder loss (Rombach et al. 2022, `LPIPSWithDiscriminator`), without its
 * perceptual term, which needs a network trained on photographs. Every term is LDM's divided by the
 * pixels of a picture: LDM's weights keep their meaning, and the reconstruction is a mean error.
 */
export const vaeLossConfig = z.strictObject({
  klWeight: z.number().nonnegative().default(1e-6),
  /** Of the absolute error of horizontal and vertical differences. */
  gradientWeight: z.number().nonnegative().default(0),
  /** Of the distance between radial log power spectra, which keeps speckle from being blurred. */
  spectrumWeight: z.number().nonnegative().default(0),
  /** LDM's disc_weight, multiplied by the adaptive weight. */
  adversarialWeight: z.number().nonnegative().default(0.5),
});
export type VaeLossConfig = z.infer<typeof vaeLossConfig>;

/** mean |x - y| */
export function reconstructionLoss(x: Tensor, y: Tensor): Tensor {
  return x.sub(y).abs().mean();
}

/** Mean absolute error of the differences between neighbours, down and across. (n, c, h, w) */
export function gradientLoss(x: Tensor, y: Tensor): Tensor {
  const error = x.sub(y);
  return difference(error, 2).abs().mean().add(difference(error, 3).abs().mean());
}

function difference(x: Tensor, dim: number): Tensor {
  const last = x.shape[dim] - 1;
  return x.narrow(dim, 1, last).sub(x.narrow(dim, 0, last));
}

/** KL(posterior || N(0, 1)), summed over latents, averaged over pictures, divided by `pixels`. */
export function klLoss(posterior: Posterior, pixels: number): Tensor {
  const [mean, logvar] = [posterior.mean.to('float32'), posterior.logvar.to('float32')];
  const summed = mean.square().add(logvar.exp()).sub(1).sub(logvar).sum();
  return summed.mul(0.5 / (mean.shape[0] * pixels));
}

/** Hinge loss of the discriminator: (mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))) / 2. */
export function hingeDiscriminatorLoss(real: Tensor, fake: Tensor): Tensor {
  return real.neg().add(1).relu().mean().add(fake.add(1).relu().mean()).mul(0.5);
}

/** Hinge loss of the generator: -mean D(fake). */
export function hingeGeneratorLoss(fake: Tensor): Tensor {
  return fake.mean().neg();
}

/**
 * LDM's lambda: |d fit / d w| / (|d adversarial / d w| + 1e-4) at the decoder's last layer w, in
 * [0, 1e4], outside the graph. Both losses can still be differentiated; `w.grad` stays as it was.
 */
export function adaptiveWeight(fit: Tensor, adversarial: Tensor, w: Tensor): Tensor {
  const norm = (loss: Tensor): Tensor => {
    const [gradient] = gradientsOf(loss, [w], { retainGraph: true });
    return gradient.to('float32').norm();
  };
  return scope(() => noGrad(() => norm(fit).div(norm(adversarial).add(1e-4)).clamp(0, 1e4)));
}

export interface VaeLossInput {
  /** Pictures and their reconstructions, (n, c, h, w). */
  readonly target: Tensor;
  readonly reconstruction: Tensor;
  readonly posterior: Posterior;
  /** The discriminator's scores of the reconstructions; null before it takes part. */
  readonly scores: Tensor | null;
  /** `Vae.lastLayer`. */
  readonly lastLayer: Tensor;
}

/** Scalars, float32. The terms are unweighted; only `total` is to be differentiated. */
export interface VaeLoss {
  readonly total: Tensor;
  readonly terms: Readonly<Record<string, Tensor>>;
}

/** The autoencoder's loss, in float32 whatever the network computed in. */
export function vaeLoss(input: VaeLossInput, config: VaeLossConfig): VaeLoss {
  const [x, y] = [input.reconstruction.to('float32'), input.target.to('float32')];
  const pixels = y.numel / y.shape[0];
  const terms: Record<string, Tensor> = {
    reconstruction: reconstructionLoss(x, y), kl: klLoss(input.posterior, pixels),
  };
  let fit = terms.reconstruction;
  if (config.gradientWeight > 0) {
    terms.gradient = gradientLoss(x, y);
    fit = fit.add(terms.gradient.mul(config.gradientWeight));
  }
  if (config.spectrumWeight > 0) {
    terms.spectrum = spectrumLoss(x, y);
    fit = fit.add(terms.spectrum.mul(config.spectrumWeight));
  }
  let total = fit.add(terms.kl.mul(config.klWeight));
  if (input.scores !== null && config.adversarialWeight > 0) {
    terms.adversarial = hingeGeneratorLoss(input.scores.to('float32'));
    terms.adaptiveWeight = adaptiveWeight(fit, terms.adversarial, input.lastLayer);
    const weight = terms.adaptiveWeight.mul(config.adversarialWeight);
    total = total.add(terms.adversarial.mul(weight));
  }
  return { total, terms };
}
