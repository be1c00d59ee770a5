import { z } from 'zod';
import { Conv2d } from '../nn/convolution.ts';
import { normal } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** LDM's names for `NLayerDiscriminator`; the defaults are LDM's sizes. */
export const discriminatorConfig = z.strictObject({
  input_nc: z.int().positive().default(3),
  ndf: z.int().positive().default(64),
  n_layers: z.int().positive().default(3),
  norm_num_groups: z.int().positive().default(8),
});
export type DiscriminatorConfig = z.infer<typeof discriminatorConfig>;

/**
 * PatchGAN (Isola et al. 2017) as LDM trains its autoencoder with: every output judges one patch.
 * Keys `main.N` count convolution, norm and activation as LDM's `nn.Sequential` does.
 *
 * GroupNorm stands where LDM has BatchNorm: batches here are small and their frames come from few
 * clips, so that batch statistics would say more about the patient than about real or fake, would
 * let a picture's score depend on its neighbours, and would differ between real and fake passes.
 */
export class Discriminator extends Module<[Tensor], Tensor> {
  readonly config: DiscriminatorConfig;
  private readonly stages: readonly Stage[];
  private readonly logits: Conv2d;

  constructor(path: Path, config: DiscriminatorConfig) {
    super();
    const { ndf, n_layers: count, norm_num_groups: groups } = config;
    const main = path.sub('main');
    const stages = Array.from({ length: count + 1 }, (_, stage) => stage);
    const widths = stages.map((stage) => ndf * Math.min(2 ** stage, 8));
    this.config = config;
    this.stages = widths.map((width, stage) => {
      // In the Sequential: Conv, LeakyReLU, then Conv, Norm, LeakyReLU a stage.
      const index = stage === 0 ? 0 : 3 * stage - 1;
      return new Stage(main.sub(index), stage === 0 ? null : main.sub(index + 1), {
        from: stage === 0 ? config.input_nc : widths[stage - 1],
        width, groups, stride: stage < count ? 2 : 1,
      });
    });
    this.logits = new Conv2d(main.sub(3 * count + 2), widths.at(-1)!, 1, 4, {
      padding: 1, init: normal(0.02),
    });
  }

  /** Pictures (n, input_nc, h, w) in [-1, 1] -> a score a patch (n, 1, h', w'), high for real. */
  forward(x: Tensor): Tensor {
    return this.logits.call(this.stages.reduce((h, stage) => stage.call(h), x));
  }
}

interface StageOptions {
  readonly from: number;
  readonly width: number;
  readonly groups: number;
  readonly stride: number;
}

/** Conv4x4, GroupNorm except in the first stage, LeakyReLU 0.2. */
class Stage extends Module<[Tensor], Tensor> {
  private readonly conv: Conv2d;
  private readonly norm: GroupNorm | null;

  constructor(path: Path, normPath: Path | null, { from, width, groups, stride }: StageOptions) {
    super();
    this.conv = new Conv2d(path, from, width, 4, {
      stride, padding: 1, bias: normPath === null, init: normal(0.02),
    });
    this.norm = normPath && new GroupNorm(normPath, groups, width);
  }

  forward(x: Tensor): Tensor {
    const h = this.conv.call(x);
    return (this.norm === null ? h : this.norm.call(h)).leakyRelu(0.2);
  }
}
