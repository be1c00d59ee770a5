import { kaimingUniform, type Init } from '../nn/init.ts';
import { cat, zeros } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * The parts of the U-Net that the stages train or freeze, each as one (PAPER section 1, "What
 * trains").
 */
export const parameterGroups = [
  'spatial-convolution',
  'spatial-self-attention',
  'text-cross-attention',
  'image-cross-attention',
  'temporal-attention',
  'temporal-convolution',
] as const;
export type ParameterGroup = (typeof parameterGroups)[number];

/** First match wins: what a U-Net's key looks like, and the group it is in. */
const groupOfName: readonly (readonly [RegExp, ParameterGroup])[] = [
  [/\.temporal_attentions\./, 'temporal-attention'],
  [/\.temp_convs\./, 'temporal-convolution'],
  [/\.attn2\.to_[qkv]_image\./, 'image-cross-attention'],
  [/\.transformer_blocks\.\d+\.(attn2|norm2)\./, 'text-cross-attention'],
  [/\.attentions\./, 'spatial-self-attention'],
];

/**
 * Which group a U-Net's parameter is in, by its key. The text group has the output projection and
 * the norm that both branches of the cross-attention share; the self-attention group has the rest
 * of its transformer, feed-forward included; the convolution group has what is outside the
 * transformers, time embedding included.
 */
export function parameterGroup(key: string): ParameterGroup {
  return groupOfName.find(([name]) => name.test(key))?.[1] ?? 'spatial-convolution';
}

/** Whether a key is one that HeartBeat adds to the U-Net of Stable Diffusion: image branch, temporal layers. */
export function isAddedToUNet(key: string): boolean {
  return ['image-cross-attention', 'temporal-attention', 'temporal-convolution'].includes(parameterGroup(key));
}

/**
 * conv_in's first weights: torch's default for z_t's channels, zero for those of the local
 * features.
 */
export function blindTo(own: number, added: number): Init {
  const usual = kaimingUniform(own * 9);
  return (birth) => {
    const [out, channels, ...kernel] = birth.shape;
    if (channels === undefined || added === 0) return usual(birth);
    return widenConvIn(usual({ ...birth, shape: [out, own, ...kernel] }), own + added);
  };
}

/**
 * Gives conv_in's weight, such as Stable Diffusion's for 4 channels, more input channels that
 * start at zero: (out, c, kh, kw) -> (out, channels, kh, kw).
 */
export function widenConvIn(weight: Tensor, channels: number): Tensor {
  const [out, own, ...kernel] = weight.shape;
  if (own > channels) {
    throw new Error(`conv_in: expected a weight of at most ${channels} input channels, got ${own}`);
  }
  if (own === channels) return weight;
  const blind = zeros([out, channels - own, ...kernel], {
    dtype: weight.dtype,
    device: weight.device,
  });
  return cat([weight, blind], 1);
}
