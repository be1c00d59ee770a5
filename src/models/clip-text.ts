import { z } from 'zod';
import { gelu, quickGelu } from '../nn/activation.ts';
import { multiHeadAttention } from '../nn/attention.ts';
import { Embedding } from '../nn/embedding.ts';
import { normal } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import type { DType } from '../tensor/dtype.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** transformers' `CLIPTextConfig`; the defaults are ViT-L/14, as in Stable Diffusion 1.x. */
export const clipTextConfig = z.strictObject({
  vocab_size: z.int().positive().default(49408),
  hidden_size: z.int().positive().default(768),
  intermediate_size: z.int().positive().default(3072),
  num_hidden_layers: z.int().nonnegative().default(12),
  num_attention_heads: z.int().positive().default(12),
  max_position_embeddings: z.int().positive().default(77),
  hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
});
export type ClipTextConfig = z.infer<typeof clipTextConfig>;

/**
 * CLIP's text transformer (Radford et al. 2021, keys of transformers' `CLIPTextModel`).
 * Pre-norm blocks with causal self-attention; the last hidden state of every token is the context.
 */
export class ClipText extends Module<[Tensor, DType?], Tensor> {
  readonly config: ClipTextConfig;
  private readonly tokens: Embedding;
  private readonly positions: Embedding;
  private readonly layers: readonly TextLayer[];
  private readonly norm: LayerNorm;

  /** @throws when the width is not divisible by the number of heads. */
  constructor(path: Path, config: ClipTextConfig) {
    super();
    const { hidden_size: width, num_attention_heads: heads } = config;
    if (width % heads !== 0) {
      throw new Error(`clip text: expected hidden_size divisible by ${heads} heads, got ${width}`);
    }
    const root = path.sub('text_model');
    const table = root.sub('embeddings');
    this.config = config;
    this.tokens = new Embedding(
      table.sub('token_embedding'), config.vocab_size, width, normal(0.02),
    );
    this.positions = new Embedding(
      table.sub('position_embedding'), config.max_position_embeddings, width, normal(0.02),
    );
    this.layers = Array.from({ length: config.num_hidden_layers },
      (_, index) => new TextLayer(root.sub('encoder.layers').sub(index), config));
    this.norm = new LayerNorm(root.sub('final_layer_norm'), width, config.layer_norm_eps);
  }

  /**
   * @param ids token numbers, int64 (batch, tokens)
   * @param dtype of the computation and of the result
   * @returns last hidden state (batch, tokens, hidden_size)
   * @throws when there are more tokens than position embeddings
   */
  forward(ids: Tensor, dtype: DType = 'float32'): Tensor {
    const [, count] = ids.shape;
    const { max_position_embeddings: most } = this.config;
    if (ids.shape.length !== 2 || count > most) {
      throw new Error(
        `clip text: expected ids of shape (batch, up to ${most}), got ${ids.shape.join('x')}`,
      );
    }
    const positions = this.positions.weight.narrow(0, 0, count);
    const mask = causalMask(count, ids.device).to(dtype);
    let x = this.tokens.call(ids).add(positions).to(dtype); // b n c
    for (const layer of this.layers) x = layer.call(x, mask);
    return this.norm.call(x); // b n c
  }
}

class TextLayer extends Module<[Tensor, Tensor], Tensor> {
  private readonly heads: number;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly norm1: LayerNorm;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly output: Linear;
  private readonly norm2: LayerNorm;
  private readonly expand: Linear;
  private readonly contract: Linear;

  constructor(path: Path, config: ClipTextConfig) {
    super();
    const { hidden_size: width, intermediate_size: inner, layer_norm_eps: eps } = config;
    const attention = path.sub('self_attn');
    this.heads = config.num_attention_heads;
    this.activation = config.hidden_act === 'gelu' ? (x) => gelu(x) : quickGelu;
    this.norm1 = new LayerNorm(path.sub('layer_norm1'), width, eps);
    this.query = new Linear(attention.sub('q_proj'), width, width);
    this.key = new Linear(attention.sub('k_proj'), width, width);
    this.value = new Linear(attention.sub('v_proj'), width, width);
    this.output = new Linear(attention.sub('out_proj'), width, width);
    this.norm2 = new LayerNorm(path.sub('layer_norm2'), width, eps);
    this.expand = new Linear(path.sub('mlp.fc1'), width, inner);
    this.contract = new Linear(path.sub('mlp.fc2'), inner, width);
  }

  forward(x: Tensor, mask: Tensor): Tensor {
    const h = this.norm1.call(x);
    const mixed = multiHeadAttention(
      this.query.call(h), this.key.call(h), this.value.call(h), this.heads, mask,
    );
    const attended = x.add(this.output.call(mixed));
    const expanded = this.activation(this.expand.call(this.norm2.call(attended)));
    return attended.add(this.contract.call(expanded));
  }
}

/** 0 where token i may see token j <= i, -Infinity elsewhere. (n, n) */
function causalMask(count: number, device: string): Tensor {
  const mask = Float32Array.from({ length: count * count },
    (_, index) => (index % count > Math.floor(index / count) ? -Infinity : 0));
  return tensor(mask, [count, count], { device });
}
