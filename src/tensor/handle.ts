import type { External } from './native.ts';
import { native } from './native.ts';

/** Handles born between the opening and the closing of one scope (memory.ts opens and closes). */
export interface Scope {
  readonly outer: Scope | null;
  readonly born: Handle[];
}

let current: Scope | null = null;

export function currentScope(): Scope | null {
  return current;
}

/** Makes `scope` the one that new handles are born in. */
export function enterScope(scope: Scope | null): void {
  current = scope;
}

/** Anything whose value lives in libtorch. */
export class Boxed {
  readonly external: External;

  constructor(external: External) {
    this.external = external;
  }
}

/** One reference to an `at::Tensor`, owned by the scope it was born in. */
export class Handle extends Boxed {
  /** The scope that releases this handle; null when it is on its own. Written by memory.ts only. */
  owner: Scope | null;
  private gone = false;

  constructor(external: External) {
    super(external);
    this.owner = current;
    current?.born.push(this);
  }

  get disposed(): boolean {
    return this.gone;
  }

  /** Drops this reference now. Twice is once. Autograd keeps what it saved for itself. */
  dispose(): void {
    if (this.gone) return;
    this.gone = true;
    this.owner = null;
    native().dispose(this.external);
  }
}
