/**
 * Writes dist/ (JavaScript with source maps) from src/ so that a start costs no TypeScript loader.
 * dist/ has the depth of src/, so paths relative to `import.meta.url` mean the same in both. Each
 * file is replaced by a rename: a process that imports lazily meanwhile never sees half a file.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src');
const output = join(root, 'dist');
const started = new Date();

/**
 * Output paths (relative to dist/) that this run has made; anything else there is left from a
 * deleted source.
 */
const made = new Set<string>(['.stamp']);

function replaceFile(path: string, content: string): void {
  made.add(path);
  const target = join(output, path);
  if (existsSync(target) && readFileSync(target, 'utf8') === content) return;
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, target);
}

function transpile(path: string): void {
  const code = readFileSync(join(source, path), 'utf8');
  const name = path.replace(/\.ts$/, '.js');
  const result = transformSync(code, {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    sourcefile: relative(dirname(join(output, name)), join(source, path)),
  });
  const javascript = result.code.replace(/(["'])(\.{1,2}\/[^"'\n]*)\.ts\1/g, '$1$2.js$1');
  replaceFile(`${name}.map`, result.map);
  replaceFile(name, `${javascript}//# sourceMappingURL=${name.split('/').at(-1)}.map\n`);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

mkdirSync(output, { recursive: true });
for (const path of filesBelow(source)) {
  if (path.endsWith('.d.ts')) continue;
  if (path.endsWith('.ts')) {
    transpile(path);
  } else {
    made.add(path);
    cpSync(join(source, path), join(output, path));
  }
}
for (const path of filesBelow(output)) {
  if (!made.has(path)) rmSync(join(output, path), { force: true });
}
// The stamp carries the time of the start: a source saved while this ran is newer and is taken up
// next time.
writeFileSync(join(output, '.stamp'), '');
utimesSync(join(output, '.stamp'), started, started);
