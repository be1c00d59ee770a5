/** `./heartbeat doctor`: what this machine offers, measured, and what to do about what is slow. */
import type { Command } from 'commander';
import { hasBf16Instructions } from '../tensor/bf16.ts';
import { ensureNative } from './console/native-setup.ts';
import { styleFor } from './console/style.ts';
import { describeError, UserError } from './console/user-error.ts';
import { blasAmong, formatBytes, freeDisk, loadedLibraries, memory, processor } from './machine.ts';

const examples = `
Examples:
  ./heartbeat doctor             libtorch, BLAS, threads, speed, devices, memory, disk
  ./heartbeat doctor --no-speed  the same without the measurement, which takes a few seconds

LIBTORCH=FOLDER names the libtorch to use; otherwise it is the torch that python3 imports, else
the system's.
OMP_NUM_THREADS=N sets the threads. Exit code 1 when no tensor can be computed.`;

export function register(command: Command): void {
  command
    .description(
      'Say what this machine offers: libtorch (version, where from), BLAS, threads,\n' +
        'measured speed, CUDA devices, free memory and disk. Warns of what makes it slow.',
    )
    .option('--no-speed', 'leave out the measurement of speed')
    .addHelpText('after', examples)
    .action(async ({ speed }: { speed: boolean }) => {
      for (const [name, value] of aboutMachine()) printRow(name, value);
      await aboutLibtorch(speed);
    });
}

function printRow(name: string, value: string): void {
  process.stdout.write(`${styleFor().bold(name.padEnd(12))}${value}\n`);
}

function warn(text: string): void {
  process.stdout.write(`${styleFor().yellow('warning')}     ${text}\n`);
}

function aboutMachine(): [name: string, value: string][] {
  const { name, threads } = processor();
  const { free, total } = memory();
  return [
    ['node', `${process.versions.node} on ${process.platform} ${process.arch}`],
    ['processor', `${name}, ${threads} hardware threads`],
    ['memory', `${formatBytes(free)} free of ${formatBytes(total)}`],
    ['disk', `${formatBytes(freeDisk('.'))} free here (${process.cwd()})`],
  ];
}

async function aboutLibtorch(speed: boolean): Promise<void> {
  ensureNative();
  const { libtorch, native } = await import('../tensor/native.ts');
  const began = performance.now();
  const { version, libraries, origin } = libtorch();
  const seconds = (performance.now() - began) / 1000;
  const engine = native();
  const blas = blasAmong(loadedLibraries(), engine.configuration());
  printRow(
    'libtorch',
    `${version} from ${origin} (${libraries}), loaded in ${seconds.toFixed(2)} s`,
  );
  printRow('BLAS', blas.path === null ? blas.name : `${blas.name} (${blas.path})`);
  printRow('threads', String(engine.threads()));
  const devices = engine.deviceCount('cuda');
  printRow('CUDA', devices === 0 ? 'no device' : `${devices} device${devices === 1 ? '' : 's'}`);
  printRow('bfloat16', hasBf16Instructions() ? 'instructions for it: trainings (bf16) and sampling use them'
    : 'no instructions on this processor, so it is slow: trainings and sampling choose float32 themselves');
  const slowest = speed ? await aboutSpeed(devices > 0 ? ['cpu', 'cuda'] : ['cpu']) : Infinity;

  if (blas.reference) {
    warn(
      'this is the reference BLAS, some thirty times slower than OpenBLAS:' +
        ' run "apt-get install libopenblas0-openmp" as root.',
    );
  } else if (slowest < 8) {
    warn(
      `${slowest.toFixed(0)} GFLOP/s in fp32 is what a reference BLAS or a busy machine gives.`,
    );
  }
  if (engine.threads() === 1 && processor().threads > 1) {
    warn(
      `one thread, and ${processor().threads} are there: set OMP_NUM_THREADS to the physical cores.`,
    );
  } else if (engine.threads() === 1) {
    warn('one thread: this machine lends this process a single core.');
  }
}

/** Prints a row a device and dtype; returns the fp32 matrix product on the CPU, in GFLOP/s. */
async function aboutSpeed(devices: readonly string[]): Promise<number> {
  const { measureSpeed } = await import('./speed.ts');
  let processorSpeed = Infinity;
  for (const device of devices) {
    for (const [name, dtype] of [
      ['fp32', 'float32'],
      ['bf16', 'bfloat16'],
    ] as const) {
      try {
        const { matmul, convolution } = measureSpeed(dtype, device);
        printRow(
          name,
          `matmul ${matmul.toFixed(0)}, convolution ${convolution.toFixed(0)} GFLOP/s on ${device}`,
        );
        if (device === 'cpu' && dtype === 'float32') processorSpeed = matmul;
      } catch (error) {
        if (device === 'cpu')
          throw new UserError(`${name} on ${device} failed: ${describeError(error)}`, {
            cause: error,
          });
        printRow(name, `not available on ${device}: ${describeError(error)}`);
      }
    }
  }
  return processorSpeed;
}
