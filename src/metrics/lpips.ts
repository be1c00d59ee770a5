/** LPIPS between two videos: what it is called, its weights, the mean over frames. */
import { shapeText, type Frames } from '../frames/frames.ts';
import { Lpips, lpipsInput, lpipsTrunkTitle, type LpipsTrunk } from '../models/lpips.ts';
import type { Path } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Beginnings of the sha256 of torchvision's files (their names carry them), and of the package's files whole. */
export const lpipsFiles = {
  alex: {
    trunk: ['7be5be79', '4df8aa71'],
    linear: ['df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0'],
  },
  vgg: {
    trunk: ['397923af'],
    linear: ['a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868'],
  },
} as const satisfies Record<LpipsTrunk, { readonly trunk: readonly string[]; readonly linear: readonly string[] }>;

/** LPIPS where both files are the published ones, and otherwise what it is. */
export function lpipsTitle(trunk: LpipsTrunk, trunkHash: string, linearHash: string): string {
  const { trunk: published, linear } = lpipsFiles[trunk];
  const official = published.some((start) => trunkHash.startsWith(start)) && linear.some((hash) => hash === linearHash);
  if (official) return `LPIPS (${lpipsTrunkTitle(trunk)}, 0.1)`;
  return `perceptual distance on ${lpipsTrunkTitle(trunk)}, weights ` +
    `${trunkHash.slice(0, 12)} and ${linearHash.slice(0, 12)}`;
}

/**
 * The network with the tensors of its two checkpoints in it, strictly by their keys; the trunk's classifier, which
 * torchvision's file has and LPIPS does not use, is left aside.
 *
 * @param trunk torchvision's AlexNet or VGG-16, told apart by their first layer
 * @param linear `alex.pth` or `vgg.pth` of the `lpips` package's weights/v0.1
 * @throws naming the first key that is missing, unknown or of another shape
 */
export function loadLpips(
  path: Path, trunk: ReadonlyMap<string, Tensor>, linear: ReadonlyMap<string, Tensor>,
): Lpips {
  const [, , kernel] = trunk.get('features.0.weight')?.shape ?? [];
  if (kernel !== 11 && kernel !== 3) {
    throw new Error('expected features.0.weight of torchvision\'s AlexNet (64x3x11x11) or VGG-16 (64x3x3x3), got ' +
      (trunk.get('features.0.weight')?.shape.join('x') ?? 'no such tensor'));
  }
  const network = new Lpips(path, kernel === 11 ? 'alex' : 'vgg');
  const features = [...trunk].filter(([key]) => !key.startsWith('classifier.'));
  path.load(new Map([...features, ...linear]), { strict: true });
  return network;
}

/** Frames that go through the trunk at a time. */
const batch = 8;

/**
 * Mean over the frames of their distance; 0 for the same.
 *
 * @param a 1 f h w in [0, 1]
 * @throws for shapes that differ
 */
export function lpipsBetween(network: Lpips, a: Frames, b: Frames): number {
  if (shapeText(a) !== shapeText(b)) {
    throw new Error(`lpips: expected two videos of one shape, got ${shapeText(a)} and ${shapeText(b)}`);
  }
  let sum = 0;
  for (let at = 0; at < a.frames; at += batch) {
    const count = Math.min(batch, a.frames - at);
    scope(() => noGrad(() => {
      const [x, y] = [a, b].map(({ data, height, width }) => lpipsInput(tensor(
        data.subarray(at * height * width, (at + count) * height * width), [count, 1, height, width], { device: network.device })));
      sum += network.call(x, y).toFloat32().reduce((total, value) => total + value, 0);
    }));
  }
  return sum / a.frames;
}
