import { empty, full } from '../tensor/creation.ts';
import type { DType } from '../tensor/dtype.ts';
import { keep, noGrad, scope } from '../tensor/memory.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Init } from './init.ts';
import { copyAll, sameShape } from './transfer.ts';

export interface PathOptions {
  readonly device?: string;
  readonly dtype?: DType;
  /** Of the initial weights; each is a function of (seed, its full key). */
  readonly seed?: number;
  /**
   * Leaves parameters without first values, for a network whose weights are all loaded next: a
   * billion random numbers take minutes.
   */
  readonly blank?: boolean;
}

export interface LoadReport {
  /** Keys of this network that the source lacks, which kept their values. */
  readonly missing: string[];
  /** Keys of the source that this network lacks. */
  readonly unexpected: string[];
}

interface Registry {
  readonly device: string;
  readonly dtype: DType;
  readonly seed: number;
  readonly blank: boolean;
  readonly parameters: Map<string, Tensor>;
  readonly buffers: Map<string, Tensor>;
}

/**
 * A place in a network, and the registry of what lives below it. The path of a parameter is its
 * checkpoint key, and decides its first value and its device. `parameters`, `state`, `load`,
 * `freeze` and their kin see the part below this path and name it relative to this path; at the
 * root that is the whole network.
 */
export class Path {
  readonly fullName: string;
  private readonly registry: Registry;

  /** Use `rootPath()` and `sub()`. */
  constructor(registry: Registry, fullName: string) {
    this.registry = registry;
    this.fullName = fullName;
  }

  get device(): string {
    return this.registry.device;
  }

  get dtype(): DType {
    return this.registry.dtype;
  }

  /** A deeper place; a name with dots goes several steps at once. */
  sub(name: string | number): Path {
    return new Path(this.registry, join(this.fullName, String(name)));
  }

  /** A new trainable tensor with this key. Two of one key are an error. */
  parameter(name: string, shape: readonly number[], init: Init): Tensor {
    const key = this.claim(name);
    const { seed, blank } = this.registry;
    const value = this.born(shape, () => (blank ? empty(shape) : init({ seed, key, shape })));
    value.requiresGrad_(true);
    this.registry.parameters.set(key, value);
    return value;
  }

  /**
   * A new tensor with this key that is saved and loaded but never trained, such as a running mean.
   */
  buffer(name: string, shape: readonly number[], fill: number): Tensor {
    const key = this.claim(name);
    const value = this.born(shape, () => full(shape, fill));
    this.registry.buffers.set(key, value);
    return value;
  }

  /** Every parameter, frozen or not. */
  parameters(): Map<string, Tensor> {
    return this.below(this.registry.parameters);
  }

  buffers(): Map<string, Tensor> {
    return this.below(this.registry.buffers);
  }

  /** Parameters and buffers: what a checkpoint holds. */
  state(): Map<string, Tensor> {
    return new Map([...this.parameters(), ...this.buffers()]);
  }

  /** The parameters that are not frozen. */
  trainable(): Map<string, Tensor> {
    return new Map([...this.parameters()].filter(([, value]) => value.requiresGrad));
  }

  /** Freezes the parameters whose key satisfies `predicate`, and thaws the others. */
  freeze(predicate: (key: string) => boolean): void {
    for (const [key, value] of this.parameters()) {
      const trains = !predicate(key);
      if (value.requiresGrad !== trains) value.requiresGrad_(trains);
    }
  }

  /**
   * Copies values in by key, converted to this path's dtype and device; nothing is copied when
   * anything is wrong. A key of another shape is always an error; a missing or an extra one is
   * when `strict`.
   */
  load(tensors: ReadonlyMap<string, Tensor>, { strict = true } = {}): LoadReport {
    const state = this.state();
    const where = this.fullName === '' ? '' : ` below ${this.fullName}`;
    for (const [key, target] of state) {
      const source = tensors.get(key);
      if (source === undefined || sameShape(source, target)) continue;
      throw new Error(
        `load${where}: ${key} expected shape ${shapeText(target.shape)}, ` +
          `got ${shapeText(source.shape)}`,
      );
    }
    const missing = [...state.keys()].filter((key) => !tensors.has(key));
    const unexpected = [...tensors.keys()].filter((key) => !state.has(key));
    if (strict && missing.length > 0) {
      const wants = shapeText(state.get(missing[0])!.shape);
      throw new Error(
        `load${where}: expected ${missing[0]} of shape ${wants}, got no such key${others(missing)}`,
      );
    }
    if (strict && unexpected.length > 0) {
      const has = shapeText(tensors.get(unexpected[0])!.shape);
      throw new Error(
        `load${where}: got ${unexpected[0]} of shape ${has}, ` +
          `expected no such key${others(unexpected)}`,
      );
    }
    const given = [...state].filter(([key]) => tensors.has(key));
    copyAll('load', new Map(given), tensors);
    return { missing, unexpected };
  }

  /** Releases every tensor below this path; the network cannot be used afterwards. */
  dispose(): void {
    for (const map of [this.registry.parameters, this.registry.buffers]) {
      for (const key of [...map.keys()]) {
        if (!this.holds(key)) continue;
        map.get(key)!.dispose();
        map.delete(key);
      }
    }
  }

  private claim(name: string): string {
    const key = join(this.fullName, name);
    if (this.registry.parameters.has(key) || this.registry.buffers.has(key)) {
      throw new Error(`path: expected a new key, got ${key} a second time`);
    }
    return key;
  }

  private born(shape: readonly number[], make: () => Tensor): Tensor {
    return keep(
      scope(() =>
        noGrad(() => {
          const value = make();
          if (value.shape.join() !== shape.join()) {
            const [wants, got] = [shapeText(shape), shapeText(value.shape)];
            throw new Error(`path: expected an initial value of shape ${wants}, got ${got}`);
          }
          return value.to(this.registry.dtype).to(this.registry.device).detach();
        }),
      ),
    );
  }

  private holds(key: string): boolean {
    return this.fullName === '' || key.startsWith(`${this.fullName}.`);
  }

  private below(map: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const cut = this.fullName === '' ? 0 : this.fullName.length + 1;
    const found = [...map].filter(([key]) => this.holds(key));
    return new Map(found.map(([key, value]) => [key.slice(cut), value]));
  }
}

/** The top of a new network, with an empty registry. */
export function rootPath(options: PathOptions = {}): Path {
  const { device = 'cpu', dtype = 'float32', seed = 0, blank = false } = options;
  return new Path({ device, dtype, seed, blank, parameters: new Map(), buffers: new Map() }, '');
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

function others(keys: readonly string[]): string {
  return keys.length === 1 ? '' : ` (and ${keys.length - 1} more)`;
}
