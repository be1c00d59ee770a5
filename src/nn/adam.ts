import { keep, noGrad, scope } from '../tensor/memory.ts';
import {
  foreachAdd_,
  foreachAddcdiv_,
  foreachAddcmul_,
  foreachAddScalar_,
  foreachMul_,
  foreachNorm,
  foreachSqrt,
  stack,
  zerosLike,
} from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { copyAll } from './transfer.ts';

export interface AdamOptions {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
  /** AdamW's decay, of the weight itself; otherwise it joins the gradient (L2), as in Adam. */
  readonly decoupled?: boolean;
}

interface Moments {
  readonly parameter: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

/**
 * Adam (Kingma and Ba 2015), and AdamW with `decoupled`. The learning rate comes with each step,
 * so that the schedule stays outside. A parameter without a gradient is left as it is, its moments
 * too.
 */
export class Adam {
  private readonly moments = new Map<string, Moments>();
  private readonly options: Required<AdamOptions>;
  private steps = 0;

  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamOptions = {}) {
    this.options = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, decoupled: false, ...options };
    noGrad(() => {
      for (const [key, parameter] of parameters) {
        const [first, second] = [keep(zerosLike(parameter)), keep(zerosLike(parameter))];
        this.moments.set(key, { parameter, first, second });
      }
    });
  }

  /** One update with learning rate `lr` from the gradients that `backward()` left. */
  step(lr: number): void {
    this.steps += 1;
    const {
      betas: [beta1, beta2],
      eps,
      weightDecay,
      decoupled,
    } = this.options;
    const correction1 = 1 - beta1 ** this.steps;
    const correction2 = 1 - beta2 ** this.steps;
    scope(() =>
      noGrad(() => {
        const active = [...this.moments.values()].filter(
          ({ parameter }) => parameter.grad !== null,
        );
        if (active.length === 0) return;
        const parameters = active.map(({ parameter }) => parameter);
        const gradients = parameters.map(({ grad }) => grad!);
        const first = active.map((moments) => moments.first);
        const second = active.map((moments) => moments.second);
        if (weightDecay > 0 && decoupled) foreachMul_(parameters, 1 - lr * weightDecay);
        if (weightDecay > 0 && !decoupled) foreachAdd_(gradients, parameters, weightDecay);
        foreachMul_(first, beta1);
        foreachAdd_(first, gradients, 1 - beta1);
        foreachMul_(second, beta2);
        foreachAddcmul_(second, gradients, gradients, 1 - beta2);
        const denominator = foreachSqrt(second);
        foreachMul_(denominator, 1 / Math.sqrt(correction2));
        foreachAddScalar_(denominator, eps);
        foreachAddcdiv_(parameters, first, denominator, -lr / correction1);
      }),
    );
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const { parameter } of this.moments.values()) parameter.grad = null;
  }

  /**
   * For a checkpoint: `<key>.exp_avg`, `<key>.exp_avg_sq` and `step`; the moments are the live
   * ones.
   */
  state(): Map<string, Tensor> {
    const step = tensor([this.steps], [1], { dtype: 'int64' });
    return new Map([['step', step], ...this.named()]);
  }

  private named(): [string, Tensor][] {
    return [...this.moments].flatMap(([key, { first, second }]): [string, Tensor][] => [
      [`${key}.exp_avg`, first],
      [`${key}.exp_avg_sq`, second],
    ]);
  }

  /**
   * Continues from what `state()` gave for the same parameters; a key or shape that differs is an
   * error.
   */
  load(state: ReadonlyMap<string, Tensor>): void {
    const moments = new Map(this.named());
    const extra = [...state.keys()].find((key) => key !== 'step' && !moments.has(key));
    if (extra !== undefined) throw new Error(`adam: expected no key ${extra} in its state`);
    const steps = state.get('step');
    if (steps === undefined) throw new Error('adam: expected step in its state, got no such key');
    copyAll('adam', moments, state);
    this.steps = steps.item();
  }

  /** Releases the moments. */
  dispose(): void {
    for (const { first, second } of this.moments.values()) {
      first.dispose();
      second.dispose();
    }
    this.moments.clear();
  }
}

/**
 * Scales all gradients so that their common Euclidean norm is at most `max`.
 *
 * @returns the norm before
 */
export function clipGradNorm(parameters: Iterable<Tensor>, max: number): number {
  return scope(() =>
    noGrad(() => {
      const gradients = [...parameters].flatMap(({ grad }) => (grad === null ? [] : [grad]));
      if (gradients.length === 0) return 0;
      const norm = stack(foreachNorm(gradients)).square().sum().sqrt().item();
      // As torch: the small term keeps an all-zero gradient from dividing by zero.
      const scale = max / (norm + 1e-6);
      if (scale < 1) foreachMul_(gradients, scale);
      return norm;
    }),
  );
}
