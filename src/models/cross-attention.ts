import { multiHeadAttention } from '../nn/attention.ts';
import { zeros } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { cat } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What guides a clip as a whole: tokens of its text and of its image prior, one set a clip. */
export interface Context {
  /** (b, tokens, width) */
  readonly text: Tensor;
  /**
   * (b, tokens, width); null does exactly what tokens of zeros do, for nothing. A `joint` attention
   * wants the zeros: among the text's tokens their number counts.
   */
  readonly image: Tensor | null;
}

/**
 * How the cross-attention sees the image: by a branch with a query of its own as in HeartBeat
 * (`own`), by one with the text's query as in IP-Adapter and MoonShot (`shared`), with its tokens
 * behind the text's in the one attention there is, as in VideoComposer (`joint`), or not at all, as
 * in Stable Diffusion (`none`).
 */
export type ImageQuery = 'own' | 'shared' | 'joint' | 'none';

/** Attention of the tokens of one frame among themselves. Keys `to_q to_k to_v to_out.0`. */
export class SelfAttention extends Module<[Tensor], Tensor> {
  private readonly heads: number;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly out: Linear;

  constructor(path: Path, channels: number, heads: number) {
    super();
    this.heads = heads;
    this.query = new Linear(path.sub('to_q'), channels, channels, { bias: false });
    this.key = new Linear(path.sub('to_k'), channels, channels, { bias: false });
    this.value = new Linear(path.sub('to_v'), channels, channels, { bias: false });
    this.out = new Linear(path.sub('to_out.0'), channels, channels);
  }

  /** @param x (n, tokens, channels) */
  forward(x: Tensor): Tensor {
    const [q, k, v] = [this.query.call(x), this.key.call(x), this.value.call(x)];
    return this.out.call(multiHeadAttention(q, k, v, this.heads));
  }
}

/** A modality's attention: Q of the picture, K and V of the modality's tokens. */
interface Branch {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly tokens: (context: Context) => Tensor | null;
}

/**
 * out = W_o (Attention(Q^T, K^T, V^T) + Attention(Q^I, K^I, V^I))   (PAPER section 1, injection)
 *
 * Keys of the text branch and the output as in diffusers, of the image branch `to_q_image
 * to_k_image to_v_image`; V^I is zero at birth, so that the network starts as the text-only one. With `joint`
 * there is one branch, out = W_o Attention(Q, K, V) over the tokens of text and image together.
 * All frames of a clip share its context: their tokens are queries of one attention, which is the
 * same as repeating the context over the frames.
 */
export class CrossAttention extends Module<[Tensor, Context], Tensor> {
  private readonly heads: number;
  private readonly branches: readonly Branch[];
  private readonly out: Linear;

  constructor(
    path: Path,
    channels: number,
    contextWidth: number,
    heads: number,
    image: ImageQuery,
  ) {
    super();
    this.heads = heads;
    const query = (name: string) => new Linear(path.sub(name), channels, channels, { bias: false });
    const text: Branch = {
      query: query('to_q'),
      key: new Linear(path.sub('to_k'), contextWidth, channels, { bias: false }),
      value: new Linear(path.sub('to_v'), contextWidth, channels, { bias: false }),
      tokens: ({ text, image: seen }) => (image === 'joint' && seen !== null ? cat([text, seen], 1) : text),
    };
    const imageBranch = (): Branch => ({
      query: image === 'own' ? query('to_q_image') : text.query,
      key: new Linear(path.sub('to_k_image'), contextWidth, channels, { bias: false }),
      value: new Linear(path.sub('to_v_image'), contextWidth, channels, {
        bias: false,
        init: zeros,
      }),
      tokens: (context) => context.image,
    });
    this.branches = image === 'none' || image === 'joint' ? [text] : [text, imageBranch()];
    this.out = new Linear(path.sub('to_out.0'), channels, channels);
  }

  /** @param x (b * frames, tokens, channels), the frames of a clip side by side */
  forward(x: Tensor, context: Context): Tensor {
    const clips = context.text.shape[0];
    const queries = x.reshape([clips, -1, x.shape[2]]); // b frames*tokens c
    const seen = this.branches.flatMap((branch) => {
      const tokens = branch.tokens(context);
      if (tokens === null) return [];
      const [q, k, v] = [
        branch.query.call(queries),
        branch.key.call(tokens),
        branch.value.call(tokens),
      ];
      return [multiHeadAttention(q, k, v, this.heads)];
    });
    return this.out.call(seen.reduce((sum, next) => sum.add(next))).reshape(x.shape);
  }
}
