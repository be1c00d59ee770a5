/**
 * tar.xz by the system's GNU tar and xz. The same entries give the same bytes (of one version of xz,
 * which compresses on one thread for that): sorted names, one time, no owner. Each part is an xz
 * stream of its own, so that its size is known; xz reads streams that stand behind each other as one.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { temporaryOutput } from '../console/temporary-output.ts';
import { UserError } from '../console/user-error.ts';
import { sizeOf, stage, type Part } from './contents.ts';

export interface ArchiveOptions {
  /** The folder that it unpacks to. */
  readonly name: string;
  /** Bytes that the archive must stay under. */
  readonly limit: number;
  /** xz's preset: 0 (quick) .. 9 (small). */
  readonly preset?: number;
  readonly onPart?: (report: PartReport) => void;
}

/** Sizes in bytes. */
export interface PartReport {
  readonly name: string;
  readonly files: number;
  readonly raw: number;
  readonly packed: number;
  readonly seconds: number;
}

export interface Archive {
  readonly bytes: number;
  readonly sha256: string;
}

/** Two blocks of zeros end a tar; only the last part keeps them. */
const endOfTar = 1024;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Throws (exit 2) where GNU tar or xz is absent. */
export function expectTools(): void {
  for (const [tool, sign, remedy] of [
    ['tar', /GNU tar/, 'GNU tar'],
    ['xz', /XZ Utils/, 'xz (Debian and Ubuntu: xz-utils)'],
  ] as const) {
    const { stdout, error } = spawnSync(tool, ['--version'], { encoding: 'utf8' });
    if (error === undefined && sign.test(stdout)) continue;
    const got = error === undefined ? 'another program of that name' : 'none';
    throw new UserError(`${tool}: expected ${remedy} on the PATH, got ${got}; install it and run this again`, {
      exitCode: 2,
    });
  }
}

/**
 * Writes the parts to `path`, which appears whole or not at all. Errors: `UserError` where `limit`
 * is reached.
 */
export async function writeArchive(
  path: string,
  parts: readonly Part[],
  { name, limit, preset = 9, onPart }: ArchiveOptions,
): Promise<Archive> {
  const output = temporaryOutput(path);
  const staging = temporaryOutput(`${path}.parts`);
  const file = openSync(output.path, 'wx', 0o644);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for (const [at, part] of parts.entries()) {
      const began = performance.now();
      const before = bytes;
      stage(part.entries, join(staging.path, String(at), name));
      const whole = at === parts.length - 1;
      for await (const chunk of compressed(join(staging.path, String(at)), name, whole, preset)) {
        bytes += chunk.length;
        if (bytes >= limit) throw new UserError(tooLarge(part.name, before, limit));
        hash.update(chunk);
        for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done);
      }
      const raw = part.entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
      const seconds = (performance.now() - began) / 1000;
      onPart?.({ name: part.name, files: part.entries.length, raw, packed: bytes - before, seconds });
    }
    fsyncSync(file);
    output.commit();
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(file);
    output.discard();
    staging.discard();
  }
}

function tooLarge(part: string, before: number, limit: number): string {
  const room = megabytes(limit - before);
  return (
    `the archive must stay under ${megabytes(limit)}: ${part} needs more than the ${room} that are left ` +
    'for it; carry a smaller model (--model) or another Node (--node)'
  );
}

/** The folder as tar.xz in pieces; without the end of the tar unless it is the last part. */
async function* compressed(
  folder: string,
  name: string,
  whole: boolean,
  preset: number,
): AsyncGenerator<Buffer> {
  const environment = { ...process.env, LC_ALL: 'C', TAR_OPTIONS: '', XZ_OPT: '', XZ_DEFAULTS: '' };
  const tar = spawn(
    'tar',
    ['--create', '--format=ustar', '--sort=name', '--mtime=@946684800', '--owner=0', '--group=0',
      '--numeric-owner', '--blocking-factor=1', '--file=-', `--directory=${folder}`, name],
    { env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const xz = spawn('xz', ['--compress', '--stdout', '--threads=1', `-${preset}`], {
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const complaints = [complaintsOf(tar.stderr), complaintsOf(xz.stderr)];
  const ends = [tar, xz].map((child) => once(child, 'close') as Promise<[number | null]>);
  const flow = whole
    ? pipeline(tar.stdout, xz.stdin)
    : pipeline(tar.stdout, withoutEnd(), xz.stdin);
  // Awaited below; a failure before that must not end the process.
  flow.catch(() => {});
  for (const end of ends) end.catch(() => {});
  try {
    for await (const chunk of xz.stdout) yield chunk as Buffer;
    const codes = await Promise.all(ends);
    for (const [at, program] of ['tar', 'xz'].entries()) {
      if (codes[at][0] === 0) continue;
      throw new UserError(`${program} failed: ${complaints[at]().split('\n')[0] || 'no reason given'}`);
    }
    await flow;
  } finally {
    tar.kill();
    xz.kill();
  }
}

function complaintsOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text.trim();
}

/** Passes all but the last `endOfTar` bytes. */
function withoutEnd(): Transform {
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const free = Math.max(0, held.length - endOfTar);
      this.push(held.subarray(0, free));
      held = held.subarray(free);
      done();
    },
    flush(done) {
      const whole = held.length === endOfTar && held.every((byte) => byte === 0);
      done(whole ? null : new Error('tar: expected two blocks of zeros at the end'));
    },
  });
}
