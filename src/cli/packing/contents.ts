/** What goes into an archive of this program, part by part. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../console/user-error.ts';
import { filesBelow, reachedPackages } from './packages.ts';
import type { Runtime } from './runtime.ts';

/** One file of an archive: its path there, and the file or the text that it is. */
export interface Entry {
  readonly path: string;
  readonly content: { readonly file: string } | { readonly text: string };
  readonly executable?: boolean;
}

export interface Part {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/** What the launcher looks for to know that it stands in an unpacked archive. */
export const runtimePath = 'runtime/node';

interface Description {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

function readDescription(root: string): Description {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Description;
}

/** `heartbeat-0.1.0-linux-x64`: the folder that an archive unpacks to. */
export function archiveName(root: string, { platform, arch }: Pick<Runtime, 'platform' | 'arch'>): string {
  const { name, version } = readDescription(root);
  return `${name}-${version}-${platform}-${arch}`;
}

/**
 * The parts of an archive of the clone at `root`, which `dist/` must be up to date in. `model` is
 * the model folder that `demo` and `sample` take when none is named. Errors: `UserError`.
 */
export async function contentsOf(root: string, runtime: Runtime, model: string): Promise<Part[]> {
  if (!existsSync(join(root, 'dist', '.stamp'))) {
    throw new UserError(`${join(root, 'dist')}: expected the transpiled sources, got none; use ./heartbeat`);
  }
  const own = (path: string, executable = false): Entry => ({
    path,
    content: { file: join(root, path) },
    executable,
  });
  const below = (folder: string, wanted: (path: string) => boolean) =>
    filesBelow(join(root, folder)).filter(wanted).map((path) => own(join(folder, path)));
  const visible = (path: string) => !path.split('/').some((name) => name.startsWith('.'));
  return [
    {
      name: 'runtime',
      entries: [
        { path: runtimePath, content: { file: runtime.file }, executable: true },
        { path: 'runtime/LICENSE', content: runtime.licence },
      ],
    },
    {
      name: 'javascript',
      entries: [
        own('heartbeat', true),
        { path: 'package.json', content: { text: packedDescription(root) } },
        ...below('dist', (path) => visible(path) && !path.endsWith('.tmp')),
        ...(await reachedPackages(root)).map((path) => own(path)),
      ],
    },
    { name: 'native', entries: below('native', visible) },
    { name: 'studies', entries: below('studies', visible) },
    {
      name: 'model',
      entries: filesBelow(model)
        .filter(visible)
        .map((path) => ({ path: join('models/small', path), content: { file: join(model, path) } })),
    },
    { name: 'echo features', entries: below('models/echo-features', visible) },
    {
      name: 'documents',
      entries: [own('LICENSE'), own('README.md'), ...below('docs', (path) => /\.md$/.test(path))],
    },
  ];
}

function packedDescription(root: string): string {
  const { name, version, description, license } = readDescription(root);
  const rest = { type: 'module', private: true, license, exports: { '.': './dist/index.js' } };
  return `${JSON.stringify({ name, version, description, ...rest }, null, 2)}\n`;
}

/** Bytes of an entry before compression. */
export function sizeOf({ content }: Entry): number {
  return 'text' in content ? Buffer.byteLength(content.text) : statSync(content.file).size;
}

/** Writes the entries below `folder`, with the modes of an archive whatever the umask is. */
export function stage(entries: readonly Entry[], folder: string): void {
  const folders = new Set([folder]);
  for (const { path, content, executable } of entries) {
    const target = join(folder, path);
    for (let at = dirname(target); !folders.has(at); at = dirname(at)) folders.add(at);
    mkdirSync(dirname(target), { recursive: true });
    if ('text' in content) writeFileSync(target, content.text);
    else copyFileSync(content.file, target);
    chmodSync(target, executable ? 0o755 : 0o644);
  }
  for (const path of folders) chmodSync(path, 0o755);
}
