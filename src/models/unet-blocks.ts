import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { checkpointed } from '../tensor/gradient-checkpointing.ts';
import { cat } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Downsample2D, ResnetBlock2D, Upsample2D, type ResnetConfig } from './blocks.ts';
import type { Context } from './cross-attention.ts';
import { SpatialTransformer, type TransformerConfig } from './spatial-transformer.ts';
import { TemporalConvolution } from './temporal-convolution.ts';
import { TemporalAttention } from './temporal.ts';

/** What every layer of a U-Net's pass sees besides the picture. */
export interface Surroundings {
  /** SiLU of the time embedding, (b, 4 * block_out_channels[0]). */
  readonly activatedTime: Tensor;
  readonly context: Context;
  readonly frames: number;
}

export interface BlockConfig {
  readonly layers: number;
  readonly resnet: ResnetConfig;
  /** Null in a block without attention. */
  readonly transformer: TransformerConfig | null;
  /** Null in a block whose frames do not meet. */
  readonly temporalHeads: number | null;
  /** Whether each residual block ends in a temporal convolution. */
  readonly temporalConvolution: boolean;
}

/** (b * frames, c, h, w) -> (b * frames, c', h, w) */
type Step = (x: Tensor, around: Surroundings) => Tensor;

/**
 * The paper's block, in order: residual block, spatial self-attention and cross-attention (one
 * transformer), and, last, temporal self-attention; either attention may be absent, and
 * VideoComposer's residual block ends in a temporal convolution. diffusers' blocks hold several of
 * these, so `temporal_attentions.<layer>` and `temp_convs.<layer>` count as `resnets` and
 * `attentions` do. [fig: "last in the block" is read of this unit, whose figure shows one of each.]
 */
class Layer extends Module<[readonly Tensor[], Surroundings], Tensor> {
  private readonly steps: readonly Step[];
  private readonly parameters: readonly Tensor[];

  constructor(path: Path, layer: number, inChannels: number, outChannels: number, config: BlockConfig) {
    super();
    const at = (kind: string) => path.sub(kind).sub(layer);
    const resnet = new ResnetBlock2D(at('resnets'), inChannels, outChannels, config.resnet);
    this.steps = [
      (x, around) => resnet.call(x, around.activatedTime),
      ...convolutionSteps(at, outChannels, config),
      ...attentionSteps(at, outChannels, config),
    ];
    this.parameters = ['resnets', 'temp_convs', 'attentions', 'temporal_attentions']
      .flatMap((kind) => [...at(kind).parameters().values()]);
  }

  /** @param parts what is joined on the channels: the picture, and on the way up a skip */
  forward(parts: readonly Tensor[], { activatedTime, context, frames }: Surroundings): Tensor {
    const given = [activatedTime, context.text, context.image, ...parts] as const;
    const trains = this.parameters.some(({ requiresGrad }) => requiresGrad);
    return checkpointed(given, (activatedTime, text, image, ...parts) => {
      const joined = parts.length === 1 ? parts[0] : cat(parts, 1);
      const around = { activatedTime, context: { text, image }, frames };
      return this.steps.reduce((h, step) => step(h, around), joined);
    }, trains);
  }
}

function convolutionSteps(at: (kind: string) => Path, channels: number, config: BlockConfig): Step[] {
  if (!config.temporalConvolution) return [];
  const temporal = new TemporalConvolution(at('temp_convs'), channels, config.resnet.groups);
  return [(x, around) => temporal.call(x, around.frames)];
}

function attentionSteps(at: (kind: string) => Path, channels: number, config: BlockConfig): Step[] {
  const steps: Step[] = [];
  if (config.transformer !== null) {
    const spatial = new SpatialTransformer(at('attentions'), channels, config.transformer);
    steps.push((x, around) => spatial.call(x, around.context));
  }
  if (config.temporalHeads !== null) {
    const temporal = new TemporalAttention(at('temporal_attentions'), channels, config.temporalHeads);
    steps.push((x, around) => temporal.call(x, around.frames));
  }
  return steps;
}

/**
 * CrossAttnDownBlock2D or DownBlock2D; returns every layer's output, for the skips, the last one
 * on.
 */
export class DownBlock extends Module<[Tensor, Surroundings], Tensor[]> {
  private readonly layers: Layer[];
  private readonly downsample: Downsample2D | null;

  constructor(
    path: Path,
    inChannels: number,
    outChannels: number,
    config: BlockConfig,
    downsamplePadding: number | null,
  ) {
    super();
    this.layers = Array.from({ length: config.layers }, (_, layer) =>
      new Layer(path, layer, layer === 0 ? inChannels : outChannels, outChannels, config),
    );
    this.downsample =
      downsamplePadding === null
        ? null
        : new Downsample2D(path.sub('downsamplers.0'), outChannels, downsamplePadding);
  }

  forward(x: Tensor, around: Surroundings): Tensor[] {
    const outputs: Tensor[] = [];
    let h = x;
    for (const layer of this.layers) outputs.push((h = layer.call([h], around))); // n out h w
    if (this.downsample) outputs.push(this.downsample.call(h)); // n out h/2 w/2
    return outputs;
  }
}

/** UNetMidBlock2DCrossAttn: residual block, attentions, residual block. */
export class MiddleBlock extends Module<[Tensor, Surroundings], Tensor> {
  private readonly layers: readonly Layer[];

  constructor(path: Path, channels: number, config: BlockConfig) {
    super();
    const plain = { ...config, transformer: null, temporalHeads: null };
    this.layers = [config, plain].map((own, layer) => new Layer(path, layer, channels, channels, own));
  }

  forward(x: Tensor, around: Surroundings): Tensor {
    return this.layers.reduce((h, layer) => layer.call([h], around), x);
  }
}

export interface UpChannels {
  /** Of what comes from below. */
  readonly below: number;
  readonly out: number;
  /** Of the skips, in the order in which they are used. */
  readonly skips: readonly number[];
}

/** CrossAttnUpBlock2D or UpBlock2D; takes its skips in the order in which they are used. */
export class UpBlock extends Module<
  [Tensor, readonly Tensor[], Surroundings, (readonly [number, number])?],
  Tensor
> {
  private readonly layers: Layer[];
  private readonly upsample: Upsample2D | null;

  constructor(path: Path, channels: UpChannels, config: BlockConfig, upsamples: boolean) {
    super();
    const { below, out, skips } = channels;
    this.layers = skips.map((skip, layer) => {
      const inside = (layer === 0 ? below : out) + skip;
      return new Layer(path, layer, inside, out, config);
    });
    this.upsample = upsamples ? new Upsample2D(path.sub('upsamplers.0'), out) : null;
  }

  /** @param size of the next skip, which an odd picture's doubled half would miss by one */
  forward(
    x: Tensor,
    skips: readonly Tensor[],
    around: Surroundings,
    size?: readonly [number, number],
  ): Tensor {
    const h = this.layers.reduce((h, layer, index) => layer.call([h, skips[index]], around), x);
    return this.upsample ? this.upsample.call(h, size) : h;
  }
}
