/**
 * Which files of node_modules the transpiled program reaches. They are carried as they are, at the
 * same paths, so that an archive runs the very code that the tests ran.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { UserError } from '../console/user-error.ts';

/** Only of use with the sources beside them: what the archive has is transpiled already. */
const buildTools = ['esbuild', 'tsx'];

/** Read as text by the build of the addon. */
const headers = 'node_modules/node-api-headers/include';

const licences = /^(licen[cs]e|notice|copying)/i;

/** Files below `folder`, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** The packages that `createRequire(import.meta.url)` is asked for: no bundler follows those. */
export function requiredPackages(code: string): string[] {
  const calls = code.matchAll(/createRequire\(import\.meta\.url\)(?:\.resolve)?\(\s*["']([^"'.][^"']*)["']/g);
  return [...calls].map((match) => match[1]);
}

/**
 * Paths below `root`, sorted: every file of a package that `dist/` of `root` imports, with the
 * package.json and the licences of each package. Errors: an import that leads nowhere.
 */
export async function reachedPackages(root: string): Promise<string[]> {
  const modules = filesBelow(join(root, 'dist'))
    .filter((path) => path.endsWith('.js'))
    .map((path) => join('dist', path));
  const required = modules.flatMap((path) => requiredPackages(readFileSync(join(root, path), 'utf8')));
  const { build } = await import('esbuild');
  // One entry that leads to all: each entry would be printed apart, with OpenCV's megabytes in it.
  const contents = [
    ...modules.map((path) => `import ${JSON.stringify(`./${path}`)};`),
    ...new Set(required.map((name) => `require(${JSON.stringify(name)});`)),
  ].join('\n');
  const result = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    preserveSymlinks: true,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    // As Node itself resolves; an unused import still has to be found when the module is loaded.
    conditions: [],
    mainFields: ['main'],
    ignoreAnnotations: true,
    external: buildTools,
    loader: { '.node': 'empty' },
    logLevel: 'silent',
  }).catch((error: unknown) => {
    const first = (error as { errors?: { text: string; location?: { file: string } }[] }).errors?.[0];
    if (first === undefined) throw error;
    const where = first.location ? ` (${first.location.file})` : '';
    throw new UserError(`the packages could not be followed: ${first.text}${where}`, { cause: error });
  });
  const reached = Object.keys(result.metafile.inputs).filter((path) => path.includes('node_modules/'));
  const files = new Set([...reached, ...filesBelow(join(root, headers)).map((path) => join(headers, path))]);
  for (const path of [...files]) for (const extra of companions(root, path)) files.add(extra);
  return [...files].sort();
}

/** The package.json files that decide how Node reads `path`, and the licences of its package. */
function companions(root: string, path: string): string[] {
  const top = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
  if (top === undefined) return [];
  const found = readdirSync(join(root, top))
    .filter((name) => licences.test(name))
    .map((name) => join(top, name));
  for (let folder = dirname(path); folder.startsWith(top); folder = dirname(folder)) {
    const description = join(folder, 'package.json');
    if (existsSync(join(root, description))) found.push(description);
  }
  return found;
}
