import { I3d } from '../models/i3d.ts';
import { InceptionV3 } from '../models/inception.ts';
import type { Path } from '../nn/path.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface WeightsFile {
  /** As it is published. */
  readonly name: string;
  /** Of the published file; null where none could be confirmed. */
  readonly sha256: string | null;
  readonly source: string;
}

export interface FeatureNetwork {
  readonly name: string;
  /** What a Frechet distance on its features is called, with the published weights alone. */
  readonly frechet: string;
  /** Likewise a kernel distance; null where the field has no name for it. */
  readonly kernel: string | null;
  readonly dimension: number;
  /** How a picture in [0, 1] becomes its input, and what its features are. */
  readonly preprocessing: string;
  readonly files: readonly WeightsFile[];
}

const inceptionHash = '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2';

/** The networks that FID and FVD are defined on. Their weights are not part of this project. */
export const featureNetworks = {
  inception: {
    name: 'Inception v3 (TensorFlow 2015-12-05)',
    frechet: 'FID', kernel: 'KID', dimension: 2048,
    preprocessing: 'bilinear to 299x299, corners not aligned, no low-pass filter, 2x - 1, grey to '
      + '3 channels; mean over positions of the last block',
    files: [
      {
        name: 'pt_inception-2015-12-05-6726825d.pth', sha256: inceptionHash,
        source: 'pytorch-fid, release fid_weights',
      },
      {
        name: 'weights-inception-2015-12-05-6726825d.pth', sha256: inceptionHash,
        source: 'torch-fidelity, release v0.2.0: the same file',
      },
    ],
  },
  i3d: {
    name: 'I3D (Kinetics-400)',
    frechet: 'FVD', kernel: null, dimension: 400,
    preprocessing: 'each frame bilinear to 224x224, corners not aligned, no low-pass filter, 2x - 1, '
      + 'grey to 3 channels; logits before the softmax, mean over time',
    files: [
      {
        name: 'i3d_torchscript.pt',
        sha256: 'bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2',
        source: 'StyleGAN-V: TorchScript, whose tensors have to be named anew before they load here',
      },
      { name: 'i3d_pretrained_400.pt', sha256: null, source: 'VideoGPT: the keys of `I3d`' },
      { name: 'model_rgb.pth', sha256: null, source: 'kinetics_i3d_pytorch: renamed by `loadI3d`' },
    ],
  },
} as const satisfies Record<string, FeatureNetwork>;
export type FeatureNetworkName = keyof typeof featureNetworks;

/**
 * What a distance on a network's features may be called: FID, KID or FVD when the weights are the
 * published file, and otherwise what it is.
 *
 * @param sha256 of the file that the weights were loaded from, in hexadecimal; null when unknown
 */
export function distanceName(
  kind: 'frechet' | 'kernel', network: FeatureNetworkName, sha256: string | null,
): string {
  const { name, files, ...titles }: FeatureNetwork = featureNetworks[network];
  const hash = sha256?.toLowerCase() ?? null;
  const official = hash !== null && files.some((file) => file.sha256 === hash);
  const weights = hash === null ? 'unknown weights' : `weights ${hash.slice(0, 12)}`;
  const plain = kind === 'frechet' ? 'Frechet distance' : 'Kernel distance';
  return (official ? titles[kind] : null) ?? `${plain} on ${name} features, ${weights}`;
}

/**
 * Inception with the tensors of a checkpoint in it, by pytorch-fid's keys.
 *
 * @param path the root of its parameters; the caller disposes of it, and of the tensors
 * @throws naming the first key that is missing, unknown or of another shape
 */
export function loadInception(path: Path, tensors: ReadonlyMap<string, Tensor>): InceptionV3 {
  const network = new InceptionV3(path);
  path.load(withoutCounters(tensors), { strict: true });
  return network;
}

/** Likewise I3D, by the keys of `i3d_pretrained_400.pt` or of kinetics_i3d_pytorch. */
export function loadI3d(path: Path, tensors: ReadonlyMap<string, Tensor>): I3d {
  const network = new I3d(path);
  const renamed = [...withoutCounters(tensors)].map(([key, value]) => [i3dKey(key), value] as const);
  path.load(new Map(renamed), { strict: true });
  return network;
}

/** Without the counts of training steps that PyTorch's batch norm keeps. */
function withoutCounters(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...tensors].filter(([key]) => !key.endsWith('.num_batches_tracked')));
}

const branches: Readonly<Record<string, string>> = {
  branch_0: 'b0', 'branch_1.0': 'b1a', 'branch_1.1': 'b1b',
  'branch_2.0': 'b2a', 'branch_2.1': 'b2b', 'branch_3.1': 'b3b',
};

/** kinetics_i3d_pytorch's key as `I3d` has it; any other key is left alone. */
function i3dKey(key: string): string {
  return key
    .replace(/^conv3d_0c_1x1\./, 'logits.')
    .replace(/^(conv3d|mixed)_(?=\d)/, (_, kind: string) => `${kind[0].toUpperCase()}${kind.slice(1)}_`)
    .replace(/\.(branch_0|branch_[12]\.[01]|branch_3\.1)\./, (_, name: string) => `.${branches[name]}.`)
    .replace(/\.batch3d\./, '.bn.');
}
