/**
 * `npm run parity [-- NETWORK...]`: the full-size upstream networks against their references. Each is
 * filled with the seeded weights of test/support/reference-fill.ts, runs one input, and is compared
 * with test/golden/parity.json, which test/golden/parity.py printed of diffusers, transformers and
 * segment_anything. One network at a time, up to 7 GB of memory. Exit 1 when an output is off by 1e-4
 * of its largest sampled value or more, or the sampled values by 1e-4 of their norm.
 */
import { readFileSync } from 'node:fs';
import { ClipText, clipTextConfig } from '../../src/models/clip-text.ts';
import { ImageEncoder, imageEncoderConfig } from '../../src/models/medsam.ts';
import { UNet } from '../../src/models/unet.ts';
import { Vae, vaeConfig } from '../../src/models/vae.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { emptyCache, noGrad, peakBytes, resetPeakBytes, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

type FullSummary = Summary & { readonly norm: number };
interface Golden {
  readonly unet: { parameters: number; output: FullSummary };
  readonly vae: { parameters: number; mean: FullSummary; logvar: FullSummary; decoded: FullSummary };
  readonly text_encoder: { parameters: number; ids: number[]; output: FullSummary };
  readonly image_encoder: { parameters: number; output: FullSummary };
}
type NetworkName = keyof Golden;

const tolerance = 1e-4;
const golden = JSON.parse(readFileSync(new URL('../golden/parity.json', import.meta.url), 'utf8')) as Golden;

/** Each builds its network at `path` and returns what it answers, beside the reference's answer. */
const networks: Record<NetworkName, (path: Path) => () => [string, Tensor, FullSummary][]> = {
  text_encoder: (path) => {
    const net = new ClipText(path, clipTextConfig.parse({}));
    const { ids, output } = golden.text_encoder;
    return () => [['last hidden state', net.call(tensor(ids, [1, ids.length], { dtype: 'int64' })), output]];
  },
  vae: (path) => {
    const net = new Vae(path, vaeConfig.parse({}));
    return () => {
      const { mean, logvar } = net.encode(data('x', 1, 3, 128, 160));
      const decoded = net.decode(data('latents', 1, 4, 16, 20));
      return [['mean', mean, golden.vae.mean], ['logvar', logvar, golden.vae.logvar],
        ['decoded', decoded, golden.vae.decoded]];
    };
  },
  image_encoder: (path) => {
    const net = new ImageEncoder(path, imageEncoderConfig.parse({}));
    const picture = () => data('picture', 1, 3, 1024, 1024).div(4).add(0.5);
    return () => [['embedding', net.call(picture()), golden.image_encoder.output]];
  },
  unet: (path) => {
    const net = new UNet(path, { localChannels: 0, imageQuery: 'none' });
    const text = () => data('text', 1, 77, 768);
    return () => [['epsilon',
      net.call(data('z', 1, 4, 32, 32), tensor([501], [1], { dtype: 'int64' }), { text: text(), image: null }),
      golden.unet.output]];
  },
};

/** Distance of the sampled values from the reference's, relative to their norm. */
function sampledError(actual: Tensor, { at, values }: Summary): number {
  const numbers = actual.toFloat32();
  const square = (all: readonly number[]) => all.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(at.map((index, i) => numbers[index] - values[i])) / square(values));
}

/** Prints one network's errors; whether all are below the tolerance. */
function check(name: NetworkName): boolean {
  resetPeakBytes();
  const path = rootPath({ blank: true });
  const started = performance.now();
  try {
    return scope(() => noGrad(() => {
      const run = networks[name](path);
      fill(path.state());
      const count = [...path.parameters().values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      let good = count === golden[name].parameters;
      process.stdout.write(`${name}: ${count} parameters, expected ${golden[name].parameters}\n`);
      for (const [what, actual, expected] of run()) {
        const [worst, sampled] = [deviation(actual, expected), sampledError(actual, expected)];
        const norm = Math.abs(actual.square().sum().item() ** 0.5 / expected.norm - 1);
        const passed = [worst, sampled, norm].every((error) => error < tolerance);
        good &&= passed;
        process.stdout.write(`  ${passed ? 'ok  ' : 'FAIL'} ${what} ${actual.shape.join('x')}: ` +
          `largest error ${worst.toExponential(1)}, of the sampled values ${sampled.toExponential(1)}, ` +
          `of the norm ${norm.toExponential(1)}\n`);
      }
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      process.stdout.write(`  ${seconds} s, at most ${(peakBytes() / 1e9).toFixed(1)} GB of tensors\n`);
      return good;
    }));
  } finally {
    path.dispose();
    emptyCache();
  }
}

const known = Object.keys(networks) as NetworkName[];
const asked = process.argv.slice(2);
const stranger = asked.find((name) => !known.includes(name as NetworkName));
if (stranger !== undefined) {
  process.stderr.write(`parity: expected some of ${known.join(', ')}, got ${stranger}\n`);
  process.exit(2);
}
const passed = known.filter((name) => asked.length === 0 || asked.includes(name)).map(check);
if (passed.includes(false)) process.exitCode = 1;
