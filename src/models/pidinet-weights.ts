import type { Path } from '../nn/path.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Pidinet, type PidinetConfig } from './pidinet.ts';
import {
  pixelDifferenceAt, plainKernel, unusedWeight, type PixelDifference,
} from './pixel-difference.ts';
import { upstreamKeys } from './upstream-keys.ts';

/** The published sizes: width of the first stage, and of the dilated convolutions where there are. */
const SIZES = [
  { name: 'PiDiNet', width: 60, dilation: 24 },
  { name: 'PiDiNet-small', width: 30, dilation: 12 },
  { name: 'PiDiNet-tiny', width: 20, dilation: 8 },
] as const;

/** What a checkpoint holds. */
export interface PidinetVariant extends PidinetConfig {
  /** `PiDiNet`, `PiDiNet-small`, `PiDiNet-tiny`. */
  readonly name: string;
  /** Whether its difference convolutions were already made plain ones. */
  readonly converted: boolean;
}

/** The layers of `carv4` that may compute differences, in order: number, key, kind. */
const LAYERS: readonly { readonly key: string; readonly kind: PixelDifference }[] = [
  'init_block',
  ...[3, 4, 4, 4].flatMap((count, s) =>
    Array.from({ length: count }, (_, k) => `block${s + 1}_${k + 1}.conv1`)),
].map((name, layer) => ({ key: `${name}.weight`, kind: pixelDifferenceAt(layer) }));

/**
 * PiDiNet with the tensors of a checkpoint in it, by the authors' keys: as trained, or converted
 * to plain convolutions. Which one it is, is read off its tensors.
 *
 * @param path the root of its parameters; the caller disposes of it, and of the tensors
 * @throws when it is no PiDiNet of a published size and of the layer sequence `carv4`, or naming
 * the first key that is missing, unknown or of another shape
 */
export function loadPidinet(path: Path, tensors: ReadonlyMap<string, Tensor>): Pidinet {
  const named = upstreamKeys(tensors);
  const variant = pidinetVariant(named);
  const network = new Pidinet(path, variant);
  scope(() => {
    const plain = new Map(named);
    for (const { key, kind } of variant.converted ? [] : LAYERS) {
      const weight = named.get(key);
      if (weight !== undefined) plain.set(key, plainKernel(kind, expectKernel(key, weight).to('float32')));
    }
    path.load(plain, { strict: true });
  });
  return network;
}

/** Reads off the tensors which PiDiNet they are. Throws when it is none that is known. */
export function pidinetVariant(tensors: ReadonlyMap<string, Tensor>): PidinetVariant {
  const first = tensors.get('init_block.weight');
  if (first === undefined) {
    const some = [...tensors.keys()].slice(0, 3).join(', ');
    throw new Error(
      `pidinet: expected the weights of PiDiNet (init_block.weight, ...), got ${some || 'no tensor'}`,
    );
  }
  const width = first.shape[0];
  const dilation = tensors.get('dilations.0.conv1.weight')?.shape[0] ?? null;
  const attention = tensors.has('attentions.0.conv1.weight');
  const size = SIZES.find((each) =>
    each.width === width && (dilation === null || dilation === each.dilation));
  if (size === undefined) {
    const known = SIZES.map((each) => `${each.width} and ${each.dilation}`).join(', ');
    throw new Error(
      `pidinet: expected a published size (channels and dilated channels ${known}), got ${width} ` +
        `and ${dilation ?? 'none'}`,
    );
  }
  return { name: size.name, width, dilation, attention, converted: isConverted(tensors) };
}

/**
 * Whether difference convolutions were made plain: the radial ones are then 5x5. As trained, the
 * weight of each window that its difference never uses has died away, which no other sequence of
 * layers shows (the authors' `table5_baseline`, say, has the same keys and shapes).
 */
function isConverted(tensors: ReadonlyMap<string, Tensor>): boolean {
  const found = LAYERS.flatMap(({ key, kind }) => {
    const weight = tensors.get(key);
    return weight === undefined || kind === 'plain' || key.startsWith('init') ? [] : [{ key, kind, weight }];
  });
  const radial = found.filter(({ kind }) => kind === 'radial');
  if (radial.length > 0 && radial.every(({ weight }) => weight.shape[2] === 5)) return true;
  for (const { key, kind, weight } of found) {
    const [used, unused] = scope(() => {
      const [out] = expectKernel(key, weight).shape;
      const sizes = weight.reshape([out, 9]).abs();
      return [sizes.amax().item(), sizes.select(1, unusedWeight(kind)!).amax().item()];
    });
    if (unused <= 0.01 * used) continue;
    throw new Error(
      'pidinet: expected difference convolutions in the order carv4 (central, angular, radial, ' +
        `plain), got ${key} of another network with the same keys`,
    );
  }
  return false;
}

function expectKernel(key: string, weight: Tensor): Tensor {
  const { shape } = weight;
  const members = key.startsWith('init') ? 3 : 1;
  const fits = shape.length === 4 && shape[1] === members && shape[2] === 3 && shape[3] === 3;
  if (fits && shape[0] > 0) return weight;
  throw new Error(`pidinet: expected ${key} of shape nx${members}x3x3, got ${shape.join('x')}`);
}
