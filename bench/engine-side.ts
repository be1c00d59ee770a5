/**
 * This engine's side of bench/engine.ts: `node engine-side.ts JOB`, a JSON object; prints one as
 * well. The measurements are those of bench/engine.py, one for one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guide } from '../src/diffusion/guidance.ts';
import { addNoise } from '../src/diffusion/objective.ts';
import { ddim } from '../src/diffusion/sampler.ts';
import { NoiseSchedule } from '../src/diffusion/schedule.ts';
import type { Context } from '../src/models/cross-attention.ts';
import { UNet } from '../src/models/unet.ts';
import { multiHeadAttention } from '../src/nn/attention.ts';
import { rootPath } from '../src/nn/path.ts';
import { liveBytes, noGrad, peakBytes, resetPeakBytes, scope } from '../src/tensor/memory.ts';
import { libtorch, native } from '../src/tensor/native.ts';
import { conv2d, mseLoss } from '../src/tensor/ops.ts';
import { readSafetensors, writeSafetensors } from '../src/tensor/safetensors.ts';
import { tensor, type Tensor } from '../src/tensor/tensor.ts';
import { Optimization, optimizationConfig } from '../src/training/optimization.ts';
import { data, fill } from '../test/support/reference-fill.ts';
import type { Job, Measurement, Report } from './engine-job.ts';

const job = JSON.parse(process.argv[2]) as Job;
native().setThreads(job.threads);
const schedule = new NoiseSchedule();
const weightsFile = join(job.folder, 'weights.safetensors');

/** Bytes of VmRSS or VmHWM; the process's largest where the system has no such file. */
function resident(key: 'VmRSS' | 'VmHWM'): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024;
}

function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Wall and processor milliseconds of one `work`, medians of the job's iterations. */
function timed(work: () => void, repeats = 1): Measurement {
  for (let i = 0; i < job.warmUp; i++) work();
  const [wall, processor]: number[][] = [[], []];
  for (let i = 0; i < job.iterations; i++) {
    const [began, used] = [performance.now(), process.cpuUsage()];
    for (let repeat = 0; repeat < repeats; repeat++) work();
    const { user, system } = process.cpuUsage(used);
    wall.push((performance.now() - began) / repeats);
    processor.push((user + system) / 1000 / repeats);
  }
  return { wall: median(wall), processor: median(processor) };
}

type Results = Record<string, Measurement>;

/** `forward` without gradients, and with those of all inputs. */
function bothWays(name: string, inputs: Tensor[], forward: (...x: Tensor[]) => Tensor): Results {
  const seed = scope(() => {
    const { shape } = noGrad(() => forward(...inputs));
    return data('seed', ...shape).to(inputs[0].dtype);
  });
  return {
    [`${name}, forward`]: timed(() => noGrad(() => scope(() => void forward(...inputs)))),
    [`${name}, forward and backward`]: timed(() =>
      scope(() => {
        const leaves = inputs.map((x) => x.detach().requiresGrad_());
        forward(...leaves).backward({ gradient: seed });
      }),
    ),
  };
}

function operators(): Results {
  const convolutions = job.convolutions.map(([n, c, side]) =>
    scope(() => {
      const x = data('x', n, c, side, side).to(job.dtype).channelsLast();
      const weight = data('weight', c, c, 3, 3).to(job.dtype);
      const name = `convolution ${n}x${c}x${side}x${side}`;
      return bothWays(name, [x, weight], (x, weight) => conv2d(x, weight, null, 1, 1));
    }),
  );
  const attentions = job.attentions.map(([b, heads, n, m, d]) =>
    scope(() => {
      const q = data('q', b, n, heads * d).to(job.dtype);
      const [k, v] = ['k', 'v'].map((key) => data(key, b, m, heads * d).to(job.dtype));
      const name = `attention ${b}x${heads}x${n}x${d} on ${m}`;
      return bothWays(name, [q, k, v], (q, k, v) => multiHeadAttention(q, k, v, heads));
    }),
  );
  return Object.assign(job.dtype === 'float32' ? overhead() : {}, ...convolutions, ...attentions);
}

/** A hundred additions in a scope of their own, as a layer has them. */
function overhead(): Results {
  return scope(() => {
    const [a, b] = [data('a', 8), data('b', 8)];
    const hundred = timed(() => scope(() => {
      for (let i = 0; i < 100; i++) a.add(b);
    }), 20);
    const { wall, processor } = hundred;
    return { 'add of 8 elements': { wall: wall / 100, processor: processor / 100 } };
  });
}

/** The network and its inputs; half-precision training casts float32 weights at use. */
function network(training: boolean) {
  const inner = training ? 'float32' : job.dtype;
  const root = rootPath({ dtype: inner });
  const unet = new UNet(root, job.unet);
  scope(() => root.load(readSafetensors(weightsFile).tensors));
  const clips = training ? job.clips : 1;
  const { in_channels: c, sample_size: side, cross_attention_dim: width } = job.unet;
  const latents = [clips * job.frames, c, side, side];
  const context = (key: string, tokens: number) => data(key, clips, tokens, width).to(job.dtype);
  const local = data('local', latents[0], job.unet.localChannels, side, side).to(job.dtype);
  const told: Context = {
    text: context('text', job.textTokens),
    image: context('image', job.imageTokens),
  };
  const free: Context = { text: context('empty', job.textTokens), image: null };
  const predict = (z: Tensor, t: readonly number[], control: Context) =>
    unet.call(z.to(job.dtype), tensor([...t], [t.length]), control, local).to('float32');
  const [z0, noise] = [data('z0', ...latents), data('noise', ...latents)];
  return { root, told, free, predict, z0, noise };
}

function training() {
  const { root, told, predict, z0, noise } = network(true);
  const t = job.t.slice(0, job.clips);
  const perFrame = t.flatMap((step) => Array<number>(job.frames).fill(step));
  const loss = () => mseLoss(predict(addNoise(schedule, z0, noise, perFrame), t, told), noise);
  const byName = [...root.parameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  const parameters = new Map(byName);
  const config = { learningRate: job.lr, lrWarmupSteps: 0, emaDecay: job.emaDecay };
  const optimization = new Optimization(
    parameters,
    optimizationConfig.parse({ ...config, lrScheduler: 'constant' }),
  );
  return { parameters, optimization, loss, step: () => optimization.step(0, loss) };
}

function sampling() {
  const { told, free, predict, z0 } = network(false);
  const sampler = ddim(schedule, 50);
  const { from, guidance } = job.sampling;
  const guided = guide((z, t, control: Context) => predict(z, [t], control), told, free, guidance);
  const at = sampler.timesteps.indexOf(from);
  return () => noGrad(() => scope(() => sampler.step(z0, guided(z0, from), at, null).z));
}

function stepCase(name: 'train' | 'sample'): Results {
  const step = name === 'train' ? training().step : sampling();
  forgetPeak();
  resetPeakBytes();
  const before = liveBytes();
  const measured = timed(() => scope(() => void step()));
  const tensors = peakBytes() - before;
  return {
    [`${name} step`]: { ...measured, resident: resident('VmHWM') - baseline, tensors },
  };
}

/** Numbers that leave no branch of the network at zero, for both sides. */
function writeWeights(): Results {
  const root = rootPath();
  new UNet(root, job.unet);
  fill(root.parameters());
  writeSafetensors(weightsFile, root.parameters(), {});
  return {};
}

/** Outputs for the comparison, as flat float32 files in job.folder. */
function check(): Results {
  const write = (name: string, tensors: Iterable<Tensor>) => {
    const parts = [...tensors].map((x) => Buffer.from(x.toFloat32().buffer));
    writeFileSync(join(job.folder, `engine-${name}.f32`), Buffer.concat(parts));
  };
  scope(() => write('sample', [sampling()()]));
  const { parameters, optimization, loss, step } = training();
  scope(() => loss().backward());
  scope(() => write('gradients', [...parameters.values()].map(({ grad }) => grad!)));
  optimization.zeroGrad();
  const { loss: value, gradNorm } = step();
  scope(() => write('loss', [tensor([value, gradNorm], [2])]));
  write('weights', parameters.values());
  write('average', [...parameters.keys()].map((key) => optimization.state().ema.get(key)!));
  return {};
}

scope(() => tensor([0], [1]).add(1));
const baseline = resident('VmRSS');
const results = Object.assign(
  {},
  ...job.parts.map((part) =>
    scope(() => {
      if (part === 'weights') return writeWeights();
      if (part === 'check') return check();
      return part === 'operators' ? operators() : stepCase(part);
    }),
  ),
);
console.log(JSON.stringify({ torch: libtorch().version, results } satisfies Report));
