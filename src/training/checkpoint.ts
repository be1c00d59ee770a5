import {
  closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync,
  renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../frames/file-hash.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';

/** Tensors by file (`model`, `optimizer`, `ema`, ...), then by key. */
export type CheckpointTensors = Record<string, ReadonlyMap<string, Tensor>>;

export interface CheckpointRecord {
  readonly step: number;
  /** What must agree for a run to go on: preset, stage and resolved configuration. */
  readonly config: unknown;
  /** Best figures so far and the like; plain JSON. */
  readonly progress: Record<string, unknown>;
}

interface Manifest extends CheckpointRecord {
  readonly format: 'heartbeat-checkpoint-1';
  readonly files: Record<string, { readonly bytes: number; readonly sha256: string }>;
}

/** `checkpoint-<step>` folders of a run, by number. */
export function listCheckpoints(run: string): { step: number; path: string }[] {
  if (!existsSync(run)) return [];
  return readdirSync(run)
    .map((name) => ({ name, match: /^checkpoint-(\d+)$/.exec(name) }))
    .filter(({ match }) => match !== null)
    .map(({ name, match }) => ({ step: Number(match![1]), path: join(run, name) }))
    .sort((a, b) => a.step - b.step);
}

/**
 * Writes `<run>/checkpoint-<step>`: a temporary folder, every file fsynced, a manifest with sha256,
 * a rename. Older checkpoints beyond `keep`, and what a killed process left half-written, go only
 * after the new one has been read back and found whole. On failure the older ones stay whole.
 */
export function writeCheckpoint(
  run: string, record: CheckpointRecord, tensors: CheckpointTensors, keep: number,
): string {
  const path = join(run, `checkpoint-${record.step}`);
  const temporary = `${path}.tmp-${process.pid}`;
  const aside = `${path}.old-${process.pid}`;
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    const files: Manifest['files'] = {};
    for (const [name, values] of Object.entries(tensors)) {
      const file = join(temporary, `${name}.safetensors`);
      writeSafetensors(file, values, {});
      files[`${name}.safetensors`] = { bytes: statSync(file).size, sha256: sha256(file) };
    }
    const manifest: Manifest = { format: 'heartbeat-checkpoint-1', ...record, files };
    writeFileSync(join(temporary, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    syncPath(join(temporary, 'manifest.json'));
    verify(temporary);
    if (existsSync(path)) renameSync(path, aside);
    renameSync(temporary, path);
    syncPath(run);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (existsSync(aside) && !existsSync(path)) renameSync(aside, path);
    const reason = (error as Error).message.replaceAll(temporary, path);
    throw new Error(`checkpoint: could not write ${path}: ${reason}`, { cause: error });
  }
  for (const name of readdirSync(run).filter((name) => /^checkpoint-\d+\.(tmp|old)-/.test(name))) {
    rmSync(join(run, name), { recursive: true, force: true });
  }
  const older = listCheckpoints(run).filter(({ step }) => step < record.step);
  for (const old of older.slice(0, Math.max(0, older.length - (keep - 1)))) {
    rmSync(old.path, { recursive: true, force: true });
  }
  return path;
}

/** Reads a checkpoint whose files match their manifest. The tensors belong to the caller. */
export function readCheckpoint(
  path: string,
): { record: CheckpointRecord; tensors: Record<string, Map<string, Tensor>> } {
  const manifest = verify(path);
  const tensors = Object.fromEntries(
    Object.keys(manifest.files).map((file) => {
      return [file.replace(/\.safetensors$/, ''), readSafetensors(join(path, file)).tensors];
    }));
  const { step, config, progress } = manifest;
  return { record: { step, config, progress }, tensors };
}

/**
 * `latest`, or a path, as `--resume-from-checkpoint` takes it; null when there is nothing to resume.
 */
export function findCheckpoint(run: string, wanted: string): string | null {
  if (wanted !== 'latest') {
    const path = existsSync(join(run, wanted)) ? join(run, wanted) : wanted;
    if (!existsSync(path)) throw new Error(`checkpoint: expected a folder at ${path}, got nothing`);
    return path;
  }
  return listCheckpoints(run).at(-1)?.path ?? null;
}

/** The configuration that a checkpoint's manifest holds, unverified; null when there is none to read. */
export function checkpointConfig(path: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as Partial<Manifest>).config ?? null;
  } catch {
    return null;
  }
}

function verify(path: string): Manifest {
  const file = join(path, 'manifest.json');
  if (!existsSync(file)) throw new Error(`checkpoint: expected manifest.json in ${path}, got none`);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch {
    throw new Error(`checkpoint: expected JSON in ${file}, got something else`);
  }
  if (manifest.format !== 'heartbeat-checkpoint-1' || typeof manifest.files !== 'object') {
    throw new Error(
      `checkpoint: expected format heartbeat-checkpoint-1 in ${file}, got ${manifest.format}`);
  }
  for (const [name, { bytes, sha256: expected }] of Object.entries(manifest.files)) {
    const part = join(path, name);
    const got = existsSync(part) ? statSync(part).size : 0;
    if (got !== bytes) {
      throw new Error(`checkpoint: expected ${bytes} bytes in ${part}, got ${got}`);
    }
    if (sha256(part) !== expected) {
      throw new Error(`checkpoint: expected the sha256 of the manifest for ${part}, got another`);
    }
  }
  return manifest;
}

function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
