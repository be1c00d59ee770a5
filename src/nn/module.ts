import { scope } from '../tensor/memory.ts';

/**
 * A network or one of its layers: parameters asked of a `Path` in the constructor, the formula in
 * `forward`. `call` runs `forward` in a scope of its own, so that its temporaries are released
 * when it returns; the tensors it returns move to the caller's scope.
 */
export abstract class Module<A extends unknown[], R> {
  abstract forward(...args: A): R;

  call(...args: A): R {
    return scope(() => this.forward(...args));
  }
}
