import type { Split } from '../data/camus-folder.ts';
import { listClips } from '../data/clips.ts';
import { openExtractors } from '../extractors/extractors.ts';
import { isMnms } from '../data/mnms-folder.ts';
import { listMnmsVolumes } from '../data/mnms.ts';
import { HeartBeat } from '../heartbeat/heartbeat.ts';
import { sourceHash, startComponent, startTokenizer, vaeConfigOf } from './components.ts';
import type { TrainingConfig } from './config.ts';
import { firstStage } from './methods.ts';
import { prepareClips, prepareLatents, type PrepareOptions } from './prepare.ts';
import type { PreparedClip } from './prepared-clip.ts';

type Preparing = Pick<PrepareOptions, 'workers' | 'onProgress' | 'onSkip' | 'stopRequested'>;

export interface ClipStoreOptions extends Preparing {
  readonly config: TrainingConfig;
  /** Root of a data set in the layout of CAMUS, or of M&Ms, whose slices are then the frames. */
  readonly data: string;
  readonly cache: string;
  /** Where the frozen networks run; the processor when absent. */
  readonly device?: string;
  /** Takes a sentence for everything that is left out. */
  readonly report?: (line: string) => void;
}

/** The prepared clips of one split of a data set; an empty validation split is no error. */
export async function loadSplit(split: Split, options: ClipStoreOptions): Promise<PreparedClip[]> {
  const { config, data } = options;
  const { resolution, frames } = config.model;
  const { report } = options;
  const sources = isMnms(data) ? listMnmsVolumes(data, { split, report })
    : listClips(data, { split, views: config.views, frames, report });
  if (sources.length === 0 && split === 'training') {
    throw new Error(`${data}: expected patients to train on in its ${split} split, got none`);
  }
  if (sources.length === 0) {
    options.report?.(`${data}: nobody in the ${split} split: no held-out figures`);
  }
  const extractors = openExtractors(config.extractors);
  try {
    return await prepareClips(sources, { ...options, resolution, frames, extractors });
  } finally {
    extractors.dispose();
  }
}

/** Latents and image embeddings by the frozen VAE and image encoder of a run. */
export async function addLatents(
  clips: readonly PreparedClip[], run: string, options: ClipStoreOptions,
): Promise<void> {
  const { config, device } = options;
  const names = ['vae', 'image_encoder'] as const;
  const [vae, imageEncoder] = names.map((name) => sourceHash(name, config, run));
  const tokenizer = startTokenizer(firstStage(config.method), config, run);
  const model = new HeartBeat(
    { ...config.model, vae: vaeConfigOf(config, run) }, { device, seed: config.seed, tokenizer });
  try {
    for (const name of names) startComponent(model, name, config, run);
    await prepareLatents(clips, model, { vae, imageEncoder }, options);
  } finally {
    model.dispose();
  }
}
