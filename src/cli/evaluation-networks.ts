/** The networks that `evaluate` measures with: of clips, and of the single frames of an image model. */
import type { FeatureExtractor } from '../evaluation/feature-extractors.ts';
import type { EvaluationOptions } from '../evaluation/evaluation.ts';
import { UserError } from './console/user-error.ts';
import type { EvaluateFlags } from './evaluate-flags.ts';
import { releasedEchoFeatures as released } from './memorisation-gate.ts';

export interface EvaluationNetworks {
  readonly measuring: Pick<EvaluationOptions,
    'segmenter' | 'segmenterHash' | 'echoVideo' | 'echoVideoHash' | 'featureExtractors' | 'lpips'>;
  /** Of the memorisation gate. */
  readonly gate: readonly FeatureExtractor[];
}

/** Takes what is to be disposed of, and gives it back. */
type Keep = <T extends { dispose: () => void }>(loaded: T) => T;

/** A segmenter, the two networks of the echo features, and the published ones that the flags name. */
export async function openClipNetworks(flags: EvaluateFlags, keep: Keep): Promise<EvaluationNetworks> {
  const { loadEchoFeatures, measuringNetwork } = await import('../evaluation/feature-extractors.ts');
  const { loadSegmenter, segmenterWeights } = await import('../metrics/segmenter-folder.ts');
  const { sha256 } = await import('../frames/file-hash.ts');
  const { device } = flags;
  const echoFolder = flags.echoFeatures ?? released;
  const segmenterFolder = flags.segmenter ?? measuringNetwork(echoFolder, 'segmenter');
  const { segmenter } = keep(loadSegmenter(segmenterFolder, device));
  const { echoVideo, echoVideoHash, extractors } = keep(loadEchoFeatures(echoFolder, device));
  const measuring = {
    segmenter, segmenterHash: sha256(segmenterWeights(segmenterFolder)), echoVideo, echoVideoHash,
    featureExtractors: [...extractors, ...await openPublished(flags, keep)],
    lpips: await openGivenLpips(flags, keep),
  };
  return { measuring, gate: extractors };
}

/**
 * A segmenter, the encoder of the echo features, and Inception where the flags name it.
 *
 * @throws (exit 2) when they name I3D, which needs clips
 */
export async function openFrameNetworks(flags: EvaluateFlags, data: string, keep: Keep): Promise<EvaluationNetworks> {
  const { loadFrameInstruments } = await import('../evaluation/frame-features.ts');
  const { dataSetName } = await import('../data/naming.ts');
  if (flags.i3d !== undefined) {
    throw new UserError('--i3d: expected a video model, whose clips FVD compares, got an image model, which makes ' +
      'single frames', { exitCode: 2 });
  }
  const { segmenter, echoFeatures, device } = flags;
  const opened = keep(loadFrameInstruments({ segmenter, echoFeatures, released }, device));
  if (opened.trainedOn === 'a phantom' && dataSetName(data) !== 'phantom') {
    process.stderr.write('the network of the echo features saw a phantom alone; closer to real frames is a segmenter ' +
      'trained on them: train segmenter --data (the same), then --segmenter (its run)/segmenter/model\n');
  }
  const { segmenterHash, extractors } = opened;
  const measuring = {
    segmenter: opened.segmenter, segmenterHash,
    featureExtractors: [...extractors, ...await openPublished(flags, keep)],
    lpips: await openGivenLpips(flags, keep),
  };
  return { measuring, gate: extractors };
}

async function openPublished(flags: EvaluateFlags, keep: Keep): Promise<FeatureExtractor[]> {
  const { loadPublished } = await import('../evaluation/feature-extractors.ts');
  return (['inception', 'i3d'] as const).flatMap((name) =>
    (flags[name] === undefined ? [] : [keep(loadPublished(name, flags[name], flags.device))]));
}

/** @throws (exit 2) when one of its two files is named without the other */
async function openGivenLpips({ lpips, lpipsTrunk, device }: EvaluateFlags, keep: Keep) {
  if (lpips === undefined && lpipsTrunk === undefined) return undefined;
  if (lpips === undefined || lpipsTrunk === undefined) {
    const [given, missing] = lpips === undefined ? ['--lpips-trunk', '--lpips'] : ['--lpips', '--lpips-trunk'];
    throw new UserError(`${given}: expected ${missing} beside it (LPIPS has two files), got nothing`, { exitCode: 2 });
  }
  const { openLpips } = await import('../evaluation/lpips.ts');
  return keep(openLpips({ trunk: lpipsTrunk, linear: lpips }, device));
}
