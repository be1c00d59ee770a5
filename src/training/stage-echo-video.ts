import { z } from 'zod';
import type { Frames } from '../frames/frames.ts';
import { randomStream } from '../frames/random.ts';
import { echoVideoViews } from '../metrics/echo-features.ts';
import { saveNetwork } from '../metrics/network-folder.ts';
import {
  EchoVideo, echoVideoConfig, echoVideoInput, type EchoVideoReading,
} from '../models/echo-video.ts';
import { rootPath, type Path } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { crossEntropy, mseLoss } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { varyGrey } from './grey-variation.ts';
import { loopConfig, type Stage } from './loop.ts';
import { Optimization, optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import type { Beat, PreparedClip } from './prepared-clip.ts';

/** The video network of the echo features: it learns to read phase, EF and view of real clips. */
export const echoVideoStageConfig = z.strictObject({
  network: echoVideoConfig.prefault({}),
  optimization: optimizationConfig,
  loop: loopConfig,
  /** Largest change of gain and of gamma, as a factor; 1 leaves the grey levels as they are. */
  greyRange: z.number().min(1).default(1.3),
  /** Weights of the losses beside that of the phase. */
  ejectionWeight: z.number().nonnegative().default(0.25),
  viewWeight: z.number().nonnegative().default(0.5),
  validationClips: z.int().positive().default(48),
});
export type EchoVideoStageConfig = z.infer<typeof echoVideoStageConfig>;

const EF_MIDDLE = 50;
const EF_SPREAD = 15;
const batch = 8;

type ReadableClip = PreparedClip & { readonly beat: Beat };

export class EchoVideoStage implements Stage {
  readonly name = 'echo-video';
  readonly maxTrainSteps: number;
  readonly optimization: Optimization;
  readonly network: EchoVideo;
  private readonly path: Path;
  private readonly config: EchoVideoStageConfig;
  private readonly seed: number;
  private readonly clips: readonly ReadableClip[];
  private readonly held: readonly ReadableClip[];
  private readonly order: (index: number) => number;

  constructor(
    clips: readonly PreparedClip[], held: readonly PreparedClip[], config: EchoVideoStageConfig,
    seed: number, device = 'cpu',
  ) {
    this.config = config;
    this.seed = seed;
    this.maxTrainSteps = config.optimization.maxTrainSteps;
    this.clips = clips.filter(isReadable);
    this.held = held.filter(isReadable).slice(0, config.validationClips);
    if (this.clips.length === 0) {
      throw new Error('train echo-video: expected clips of a beat with its ED and ES, ' +
        `got none among ${clips.length}`);
    }
    this.order = shuffledOrder(seed, this.clips.length);
    this.path = rootPath({ device, seed: seed + 4 });
    const views = echoVideoViews.length;
    this.network = new EchoVideo(this.path, { ...config.network, views });
    this.optimization = new Optimization(this.path.trainable(), config.optimization);
  }

  step(step: number): Record<string, number> {
    const { optimization: { trainBatchSize: size, gradientAccumulationSteps: micros }, greyRange } = this.config;
    const parts: Record<string, number> = {};
    const report = this.optimization.step(step, (micro) => {
      const first = (step * micros + micro) * size;
      const picks = Array.from({ length: size }, (_, i) => this.clips[this.order(first + i)]);
      const shifts = picks.map(({ beat, frames }, i) =>
        (beat.whole ? randomStream('shift', this.seed, first + i).integer(frames) : 0));
      const shown = varyGrey(clipTensor(picks, shifts), { range: greyRange, seed: this.seed, first });
      const losses = this.losses(this.read(shown), picks, shifts);
      for (const [name, value] of Object.entries(losses)) {
        parts[name] = (parts[name] ?? 0) + value.item() / micros;
      }
      const { ejectionWeight, viewWeight } = this.config;
      return losses.phase.add(losses.ejection.mul(ejectionWeight)).add(losses.view.mul(viewWeight));
    });
    return { ...report, ...parts };
  }

  /**
   * On held-out clips as they are: mean error of the phase in degrees, of EF in percent (clips that
   * know theirs), and the share of views that are right.
   */
  validate(): Record<string, number> {
    const sums = { phase: 0, frames: 0, ef: 0, known: 0, view: 0 };
    this.optimization.withEma(() => noGrad(() => {
      for (let first = 0; first < this.held.length; first += batch) {
        const picks = this.held.slice(first, first + batch);
        const none = picks.map(() => 0);
        scope(() => this.score(picks, this.read(clipTensor(picks, none)), sums));
      }
    }));
    if (this.held.length === 0) return {};
    return {
      'phase-degrees': sums.phase / sums.frames,
      ...(sums.known > 0 ? { 'ef-percent': sums.ef / sums.known } : {}),
      'view-accuracy': sums.view / this.held.length,
    };
  }

  async preview(): Promise<Record<string, Frames>> {
    return {};
  }

  state() {
    return { model: this.path.state(), ...this.optimization.state() };
  }

  load({ model, optimizer, ema }: Record<string, Map<string, Tensor>>): void {
    this.path.load(model, { strict: true });
    this.optimization.load({ optimizer, ema });
  }

  /** Writes the folder of the averaged weights. */
  save(folder: string, card: Record<string, unknown>): void {
    this.optimization.withEma(() =>
      saveNetwork(folder, 'EchoVideo', this.path, this.network.config, card));
  }

  dispose(): void {
    this.optimization.dispose();
    this.path.dispose();
  }

  private read(shown: Tensor): EchoVideoReading {
    const { mixedPrecision } = this.config.optimization;
    const x = echoVideoInput(shown.to(this.path.device), this.network.config.size);
    return this.network.call(x.to(mixedPrecision === 'bf16' ? 'bfloat16' : 'float32'));
  }

  private losses(
    reading: EchoVideoReading, picks: readonly ReadableClip[], shifts: readonly number[],
  ): { phase: Tensor; ejection: Tensor; view: Tensor } {
    const device = this.path.device;
    const { frames } = picks[0];
    const angles = picks.map(({ beat }, i) => phases(beat, frames, shifts[i]));
    const circle = Float32Array.from([...angles].flatMap((angle) =>
      [...angle.map(Math.cos), ...angle.map(Math.sin)])); // n 2 f
    const known = Float32Array.from(picks, ({ beat }) => (beat.ef === null ? 0 : 1));
    const wanted = Float32Array.from(picks, ({ beat }) =>
      (beat.ef === null ? 0 : (beat.ef - EF_MIDDLE) / EF_SPREAD));
    const count = Math.max(1, known.reduce((sum, value) => sum + value, 0));
    const shape = [picks.length];
    const views = BigInt64Array.from(picks, ({ view }) => BigInt(viewNumber(view)));
    const ejection = reading.ejection.to('float32').sub(tensor(wanted, shape, { device }));
    return {
      phase: mseLoss(reading.phase.to('float32'),
        tensor(circle, [picks.length, 2, frames], { device })),
      ejection: ejection.square().mul(tensor(known, shape, { device })).sum().mul(1 / count),
      view: crossEntropy(reading.view.to('float32'), tensor(views).to(device)),
    };
  }

  private score(
    picks: readonly ReadableClip[], reading: EchoVideoReading,
    sums: { phase: number; frames: number; ef: number; known: number; view: number },
  ): void {
    const { frames } = picks[0];
    const circle = reading.phase.to('float32').toFloat32();
    const ejection = reading.ejection.to('float32').toFloat32();
    const views = reading.view.to('float32').argmax(1).to('float32').toFloat32();
    picks.forEach(({ beat, view }, n) => {
      phases(beat, frames, 0).forEach((angle, t) => {
        const found = Math.atan2(circle[(2 * n + 1) * frames + t], circle[2 * n * frames + t]);
        const off = Math.abs(found - angle) % (2 * Math.PI);
        sums.phase += (180 / Math.PI) * Math.min(off, 2 * Math.PI - off);
        sums.frames++;
      });
      if (beat.ef !== null) {
        sums.ef += Math.abs(EF_MIDDLE + EF_SPREAD * ejection[n] - beat.ef);
        sums.known++;
      }
      if (views[n] === viewNumber(view)) sums.view++;
    });
  }
}

function isReadable(clip: PreparedClip): clip is ReadableClip {
  return clip.beat !== undefined && !clip.stills && clip.beat.ed !== clip.beat.es
    && (echoVideoViews as readonly string[]).includes(clip.view);
}

function viewNumber(view: string): number {
  return (echoVideoViews as readonly string[]).indexOf(view);
}

/**
 * Phase of each frame in radians: 0 at ED, pi at ES, in even steps between, and on to 2 pi at the
 * next ED. `shift` frames have moved from the front of a whole cycle to its end.
 */
export function phases({ ed, es, whole }: Beat, frames: number, shift: number): number[] {
  const systole = whole ? (es - ed + frames) % frames : es - ed;
  return Array.from({ length: frames }, (_, t) => {
    const since = whole ? (t + shift - ed + 2 * frames) % frames : t - ed;
    return since <= systole ? (Math.PI * since) / systole
      : Math.PI * (1 + (since - systole) / (frames - systole));
  });
}

/** Grey clips in [0, 1], each begun at its shift: (n, 1, f, H, W). */
function clipTensor(picks: readonly PreparedClip[], shifts: readonly number[]): Tensor {
  const { frames, size } = picks[0];
  const bytes = new Uint8Array(picks.length * frames * size * size);
  picks.forEach(({ video }, n) => {
    const [cut, start] = [shifts[n] * size * size, n * video.length];
    bytes.set(video.subarray(cut), start);
    bytes.set(video.subarray(0, cut), start + video.length - cut);
  });
  return tensor(bytes, [picks.length, 1, frames, size, size]).to('float32').div(255);
}
