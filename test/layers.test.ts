/** The import table of ARCHITECTURE.md as data, and the house rules that a machine can check. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/**
 * What each room may import of ours, besides itself. A room is a folder of src/, or a file at its
 * root.
 */
const mayImport: Record<string, readonly string[]> = {
  frames: [],
  tensor: [],
  weights: ['tensor'],
  nn: ['tensor'],
  models: ['nn', 'weights', 'tensor'],
  diffusion: ['tensor'],
  conditions: ['frames'],
  data: ['frames'],
  inputs: ['conditions', 'data', 'frames'],
  extractors: ['conditions', 'models', 'weights', 'frames', 'nn', 'tensor'],
  metrics: ['conditions', 'frames', 'tensor', 'weights', 'nn', 'models'],
  heartbeat: ['models', 'weights', 'conditions', 'diffusion', 'frames', 'tensor', 'nn'],
  training: [
    'extractors',
    'heartbeat',
    'data',
    'metrics',
    'models',
    'conditions',
    'diffusion',
    'frames',
    'tensor',
    'weights',
    'nn',
  ],
  evaluation: [
    'training',
    'extractors',
    'heartbeat',
    'data',
    'metrics',
    'models',
    'conditions',
    'diffusion',
    'frames',
    'tensor',
    'weights',
    'nn',
  ],
  study: [
    'evaluation',
    'training',
    'extractors',
    'heartbeat',
    'data',
    'metrics',
    'conditions',
    'diffusion',
    'frames',
    'tensor',
  ],
  hub: ['frames'],
  index: ['conditions', 'data', 'extractors', 'frames', 'heartbeat', 'inputs'],
  cli: [
    'hub',
    'study',
    'evaluation',
    'training',
    'extractors',
    'inputs',
    'heartbeat',
    'data',
    'metrics',
    'models',
    'conditions',
    'diffusion',
    'frames',
    'tensor',
    'weights',
    'nn',
  ],
};

function filesBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Files of the repository; in a copy without git, all that stand in its folders. */
function tracked(): string[] {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const list = execFileSync('git', ['ls-files', '-z'], { cwd: root, stdio });
    return list
      .toString()
      .split('\0')
      .filter((path) => path !== '' && existsSync(join(root, path)));
  } catch {
    const folders = ['native', 'src', 'test', 'bench', 'scripts', 'docs', '.ci'];
    return [...folders.flatMap(filesBelow), 'heartbeat', 'README.md', 'ARCHITECTURE.md'];
  }
}

/** Specifiers of every static import, export-from, dynamic import and type import. */
export function importsOf(code: string): string[] {
  const plain = code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found = plain.matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)(['"])([^'"\n]+)\1/gm);
  return [...found].map((match) => match[2]);
}

/** `src/data/phantom/heart.ts` -> `data`; `src/heartbeat.ts` and `src/heartbeat/` are one room. */
function roomOf(path: string): string {
  return path.split('/')[1].replace(/\.ts$/, '');
}

/** What is wrong with one import of one file; null when it is allowed. */
function violation(file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  const target = relative(root, resolve(root, dirname(file), specifier));
  if (/\.json$/.test(target)) return null;
  if (!target.startsWith('src/')) return `${file} imports ${specifier}, which is outside src/`;
  if (!/\.ts$/.test(target)) return `${file} imports ${specifier} without its .ts ending`;
  const from = roomOf(file);
  const to = roomOf(target);
  if (from === to) return null;
  if (!(from in mayImport)) return `${file} is in room ${from}, which the table does not know`;
  return mayImport[from].includes(to)
    ? null
    : `${file} (${from}) may not import ${specifier} (${to})`;
}

describe('rooms', () => {
  it('finds imports of every form', () => {
    const code = `import a from './a.ts';\nimport './b.ts';\nexport { c } from "./c.ts";
      const d = await import('./d.ts');\ntype E = import('./e.ts').E;\n// import './no.ts'
      import {\n  f,\n} from './f.ts';`;
    assert.deepEqual(importsOf(code), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
  });

  it('refuses an import upward, and one of an unknown room', () => {
    assert.match(
      violation('src/models/unet.ts', '../diffusion/schedule.ts') ?? '',
      /may not import/,
    );
    assert.match(
      violation('src/data/phantom/heart.ts', '../../cli/main.ts') ?? '',
      /may not import/,
    );
    assert.match(violation('src/helpers/x.ts', '../nn/path.ts') ?? '', /does not know/);
    assert.equal(violation('src/heartbeat.ts', './models/unet.ts'), null);
  });

  it('import downward only', () => {
    const files = filesBelow('src').filter((path) => path.endsWith('.ts'));
    assert.ok(files.length > 0, 'no file in src/');
    const wrong = files.flatMap((file) =>
      importsOf(readFileSync(join(root, file), 'utf8'))
        .map((specifier) => violation(file, specifier))
        .filter((text) => text !== null),
    );
    assert.deepEqual(wrong, []);
  });
});

describe('files', () => {
  const sources = tracked().filter((path) => /\.(ts|cc|cpp|h|sh|py)$/.test(path));

  it('have at most 400 lines', () => {
    const lines = (path: string) => readFileSync(join(root, path), 'utf8').split('\n').length - 1;
    assert.deepEqual(
      sources.filter((path) => lines(path) > 400),
      [],
    );
  });

  it('are named in kebab-case', () => {
    const folders = /^(src|test|bench|scripts|native)\//;
    // Python imports by file name, so its programs keep the underscore.
    const named = sources.filter((path) => !path.endsWith('.py'));
    const wrong = named.filter((path) => folders.test(path) && !/^[a-z0-9.\-/]+$/.test(path));
    assert.deepEqual(wrong, []);
  });

  it('name no path of one machine', () => {
    const machine = new RegExp(
      ['/wo' + 'rk/', '/ho' + 'me/[a-z]', '/Us' + 'ers/[A-Za-z]', '/ro' + 'ot/'].join('|'),
    );
    const texts = tracked().filter((path) =>
      /\.(ts|cc|cpp|h|sh|py|md|json|ya?ml)$|^heartbeat$|^\.ci\//.test(path),
    );
    const wrong = texts.flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .map((line, at) => (machine.test(line) ? `${path}:${at + 1}` : null))
        .filter((found) => found !== null),
    );
    assert.deepEqual(wrong, []);
  });
});
