import { enableGrad, keep, noGrad, scope } from './memory.ts';
import { native } from './native.ts';
import type { Tensor } from './tensor-class.ts';

/** A place where gradients wait: `leaf` collects what `outer`, whose graph made it, is owed. */
interface Boundary {
  readonly outer: Tensor;
  readonly leaf: Tensor;
}

/** A part of the network whose graph is not kept: its inputs, and the leaf that stands for its output. */
interface Segment {
  readonly inputs: readonly (Tensor | null)[];
  readonly body: (...inputs: (Tensor | null)[]) => Tensor;
  readonly leaf: Tensor;
}

/** What one forward pass leaves behind, in its order. */
interface Tape {
  readonly entries: (Boundary | Segment)[];
  /** The leaf for each tensor that came into a segment or out of one. */
  readonly leaves: Map<Tensor, Tensor>;
  readonly held: Tensor[];
}

let tape: Tape | null = null;

/**
 * Gradient checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): within `work`,
 * every `checkpointed` part keeps its inputs alone, and is computed a second time when its gradient is due.
 * `work` is given the function that takes the place of `loss.backward()`; gradients are the same.
 *
 * The parts are walked here and not by a node in libtorch's graph, because libtorch runs the backward pass of
 * a GPU's graph in threads of its own, from which no JavaScript can be called.
 */
export function withGradientCheckpointing<T>(work: (backward: (loss: Tensor) => void) => T): T {
  const outer = tape;
  const own: Tape = { entries: [], leaves: new Map(), held: [] };
  tape = own;
  try {
    return work((loss) => walkBack(own, loss));
  } finally {
    tape = outer;
    for (const tensor of own.held) tensor.dispose();
  }
}

/**
 * `body(...inputs)`, as a part of its own under `withGradientCheckpointing`, plainly elsewhere. The body
 * must be a function of its inputs and of parameters, and draw nothing at random; every tensor with a
 * graph that it uses must be among the inputs.
 *
 * @param trains whether any parameter inside trains; without, and without inputs that need gradients,
 *   there is nothing to compute twice
 */
export function checkpointed<I extends readonly (Tensor | null)[]>(
  inputs: readonly [...I], body: (...inputs: I) => Tensor, trains: boolean,
): Tensor {
  const own = tape;
  if (own === null || !native().gradMode()) return body(...(inputs as unknown as I));
  if (!trains && !inputs.some((input) => input?.requiresGrad)) return noGrad(() => body(...(inputs as unknown as I)));
  const kept = inputs.map((input) => input && leafOf(own, input)) as unknown as I;
  const leaf = hold(own, noGrad(() => scope(() => body(...kept).detach())));
  leaf.requiresGrad_(true);
  own.entries.push({ inputs: kept, body: body as unknown as Segment['body'], leaf });
  const shown = leaf.expand(leaf.shape); // a handle that the caller's scope may release
  own.leaves.set(shown, leaf);
  return shown;
}

/** A tensor's value with the graph behind it cut off; its gradient waits there for `walkBack`. */
function leafOf(own: Tape, input: Tensor): Tensor {
  const known = own.leaves.get(input);
  if (known !== undefined) return known;
  const leaf = hold(own, input.detach());
  if (input.requiresGrad) {
    leaf.requiresGrad_(true);
    own.entries.push({ outer: hold(own, input.expand(input.shape)), leaf });
  }
  own.leaves.set(input, leaf);
  return leaf;
}

function hold(own: Tape, tensor: Tensor): Tensor {
  own.held.push(keep(tensor));
  return tensor;
}

/** From the loss to the parameters, the last part first: by then its output has its whole gradient. */
function walkBack(own: Tape, loss: Tensor): void {
  // Parts of these graphs are shared between boundaries, and so are walked more than once.
  const retainGraph = own.entries.length > 0;
  loss.backward({ retainGraph });
  for (let entry = own.entries.pop(); entry !== undefined; entry = own.entries.pop()) {
    const { leaf } = entry;
    scope(() => {
      const gradient = leaf.grad;
      if (gradient === null) return;
      leaf.grad = null;
      if ('outer' in entry) return entry.outer.backward({ gradient, retainGraph });
      const again = enableGrad(() => entry.body(...entry.inputs));
      if (again.requiresGrad) again.backward({ gradient });
    });
    // Nothing before this entry reads the output of its part.
    if (!('outer' in entry)) leaf.dispose();
  }
}
