import { keep, noGrad, scope } from '../tensor/memory.ts';
import { foreachAdd_, foreachMul_ } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { copyAll } from './transfer.ts';

export interface EmaOptions {
  /** Of the shadow weights, once warm. */
  readonly decay?: number;
  /**
   * Begin with decay (1 + n) / (10 + n) at update n, so that the first weights are soon forgotten.
   */
  readonly warmUp?: boolean;
}

/** An exponential moving average of parameters, kept beside them. */
export class Ema {
  private readonly parameters: ReadonlyMap<string, Tensor>;
  private readonly shadow = new Map<string, Tensor>();
  private readonly decay: number;
  private readonly warmUp: boolean;
  private updates = 0;
  private swapped = false;

  constructor(parameters: ReadonlyMap<string, Tensor>, options: EmaOptions = {}) {
    const { decay = 0.9999, warmUp = true } = options;
    this.parameters = new Map(parameters);
    this.decay = decay;
    this.warmUp = warmUp;
    noGrad(() => {
      for (const [key, value] of parameters) this.shadow.set(key, keep(value.detach().clone()));
    });
  }

  /** shadow <- d shadow + (1 - d) parameter; called after each optimizer step. */
  update(): void {
    if (this.swapped)
      throw new Error('ema: expected the trained weights in place, got the average');
    const warm = (1 + this.updates) / (10 + this.updates);
    const d = this.warmUp ? Math.min(this.decay, warm) : this.decay;
    this.updates += 1;
    scope(() =>
      noGrad(() => {
        const shadows = [...this.shadow.values()];
        foreachMul_(shadows, d);
        foreachAdd_(shadows, [...this.parameters.values()], 1 - d);
      }),
    );
  }

  /** Runs `use` with the average in the place of the trained weights, which return afterwards. */
  withAverage<R>(use: () => R): R {
    this.swap();
    try {
      return use();
    } finally {
      this.swap();
    }
  }

  /** Exchanges the average and the trained weights; a second call undoes the first. */
  swap(): void {
    for (const [key, parameter] of this.parameters) {
      scope(() =>
        noGrad(() => {
          const shadow = this.shadow.get(key)!;
          const held = parameter.clone();
          parameter.copy_(shadow);
          shadow.copy_(held);
        }),
      );
    }
    this.swapped = !this.swapped;
  }

  /** For a checkpoint: the average by the parameters' keys. The tensors are the live ones. */
  state(): Map<string, Tensor> {
    if (this.swapped)
      throw new Error('ema: expected the trained weights in place, got the average');
    const count = tensor([this.updates], [1], { dtype: 'int64' });
    return new Map([...this.shadow, ['updates', count]]);
  }

  /** Continues from what `state()` gave; without `updates` the average counts as warm. */
  load(state: ReadonlyMap<string, Tensor>): void {
    copyAll('ema', this.shadow, state);
    this.updates = state.get('updates')?.item() ?? Number.MAX_SAFE_INTEGER;
  }

  /** Releases the shadow weights. */
  dispose(): void {
    for (const shadow of this.shadow.values()) shadow.dispose();
    this.shadow.clear();
  }
}
