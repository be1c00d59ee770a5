/** What `./heartbeat pack` packs, unpacked where there is no Node, npm, home or PATH to speak of. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectTools, writeArchive } from '../../src/cli/packing/archive.ts';
import { contentsOf, stage, type Part } from '../../src/cli/packing/contents.ts';
import { requiredPackages } from '../../src/cli/packing/packages.ts';
import { inspectRuntime, troubleWith } from '../../src/cli/packing/runtime.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat pack '));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('an unpacked archive', () => {
  let unpacked = '';
  let parts: Part[] = [];
  before(async () => {
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/transpile.ts'], { cwd: root });
    const { platform, arch } = process;
    const kind = { version: process.versions.node, platform, arch, glibc: '2.28' };
    const runtime = { ...kind, file: process.execPath, licence: { text: 'MIT' } };
    parts = await contentsOf(root, runtime, join(root, 'models', 'small'));
    unpacked = join(folder, 'unpacked here');
    for (const { name, entries } of parts) if (name !== 'model') stage(entries, unpacked);
    mkdirSync(join(folder, 'bin'));
    for (const name of ['sh', 'dirname', 'readlink', 'head']) {
      const path = ['/bin', '/usr/bin'].map((place) => join(place, name)).find(existsSync)!;
      symlinkSync(path, join(folder, 'bin', name));
    }
    mkdirSync(join(folder, 'home'));
  });

  const environment = (more: Record<string, string> = {}) => ({
    PATH: join(folder, 'bin'),
    HOME: join(folder, 'home'),
    ...more,
  });

  function heartbeat(args: readonly string[], more: Record<string, string> = {}) {
    const options = { cwd: join(folder, 'home'), encoding: 'utf8', env: environment(more) } as const;
    const { status, stdout, stderr } = spawnSync(join(unpacked, 'heartbeat'), args, options);
    return { code: status, out: stdout, err: stderr };
  }

  it('has the program and no tools to build it', () => {
    const paths = parts.flatMap(({ entries }) => entries.map((entry) => entry.path));
    assert.equal(new Set(paths).size, paths.length);
    const escaping = paths.filter((path) => path.startsWith('/') || path.split('/').includes('..'));
    assert.deepEqual(escaping, []);
    for (const path of [
      'native/addon.cpp',
      'node_modules/node-api-headers/include/node_api.h',
      'node_modules/zod/LICENSE',
      'dist/models/echo-vocabulary/vocab.json',
      'models/small/model_index.json', 'models/echo-features/echo-video/config.json',
      'docs/offline.md',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const tools = /node_modules\/(esbuild|tsx|typescript|@types|@esbuild|mirada)\//;
    assert.deepEqual(paths.filter((path) => tools.test(path)), []);
  });

  it('shows its help, and that of its commands', () => {
    const { code, out, err } = heartbeat(['--help']);
    assert.equal(code, 0, err);
    assert.equal(err, '');
    for (const verb of ['doctor', 'phantom', 'train', 'sample', 'demo', 'pack']) {
      assert.match(out, new RegExp(`^ {2}${verb} {2,}`, 'm'));
    }
    assert.equal(heartbeat(['help', 'demo']).code, 0);
  });

  it('loads every module, computes flow and writes an MP4', () => {
    const program = `
      import { readdirSync } from 'node:fs';
      const entries = ['cli/main.js', 'tensor/build.js'];
      for (const path of readdirSync('dist', { recursive: true })) {
        if (path.endsWith('.js') && !entries.includes(path)) await import('./dist/' + path);
      }
      const { encodeMp4 } = await import('./dist/frames/mp4.js');
      const { floatFrames } = await import('./dist/frames/frames.js');
      const { loadFlowEstimator } = await import('./dist/conditions/flow.js');
      const picture = floatFrames({ channels: 1, frames: 2, height: 48, width: 48 });
      picture.data.forEach((_, at) => (picture.data[at] = Math.sin(at / 7 + Math.floor(at / 48)) / 2 + 0.5));
      const film = await encodeMp4(picture, 8);
      const flow = (await loadFlowEstimator())(picture);
      console.log(JSON.stringify({ film: film.length, flow: flow.data.length }));`;
    const node = join(unpacked, 'runtime', 'node');
    const answer = execFileSync(node, ['--input-type=module', '-e', program], {
      cwd: unpacked,
      encoding: 'utf8',
      env: environment(),
    });
    const { film, flow } = JSON.parse(answer) as { film: number; flow: number };
    assert.ok(film > 500, String(film));
    assert.ok(flow >= 2 * 48 * 48, String(flow));
  });

  it('draws a phantom on its thread', () => {
    const args = ['phantom', '--modality', 'mri', '--patients', '1', '--output', 'mri'];
    const { code, err } = heartbeat(args);
    assert.equal(code, 0, err);
    assert.ok(existsSync(join(folder, 'home', 'mri', 'OpenDataset')));
  });

  it('says in one sentence what is missing to compile the addon', () => {
    const absent = heartbeat(['demo'], { LIBTORCH: join(folder, 'home') });
    assert.equal(absent.code, 2);
    assert.match(absent.err, /^heartbeat: LIBTORCH: expected lib\/libtorch_cpu.so and include\/ATen in /m);
    // A libtorch by its looks is enough to come to the compiler.
    const torch = join(folder, 'torch');
    mkdirSync(join(torch, 'include', 'ATen', 'core'), { recursive: true });
    mkdirSync(join(torch, 'lib'));
    writeFileSync(join(torch, 'include', 'ATen', 'core', 'Tensor.h'), '');
    writeFileSync(join(torch, 'lib', 'libtorch_cpu.so'), '');
    const { code, err } = heartbeat(['doctor'], { LIBTORCH: torch });
    assert.equal(code, 2);
    assert.match(err, /^heartbeat: no C\+\+ compiler found \(c\+\+, g\+\+, clang\+\+\)/m);
    assert.doesNotMatch(err, /npm|bash|setup\.sh/);
  });

  it('cannot be packed again, and says when its Node does not run', () => {
    const again = heartbeat(['pack']);
    assert.equal(again.code, 2);
    assert.match(again.err, /^heartbeat: pack: expected a clone of the repository, got an unpacked archive/);
    rmSync(join(unpacked, 'build'), { recursive: true, force: true });
    const node = join(unpacked, 'runtime', 'node');
    rmSync(node);
    writeFileSync(node, '#!/bin/sh\necho "GLIBC_2.99 not found" >&2\nexit 1\n');
    chmodSync(node, 0o755);
    const { code, err } = heartbeat(['--help']);
    assert.equal(code, 2);
    assert.match(err, /^heartbeat: .*runtime\/node does not run here \(GLIBC_2.99 not found\); it needs /);
    assert.equal(err.trimEnd().split('\n').length, 1);
  });
});

describe('the archive', () => {
  let missing: string | false = false;
  before(() => {
    try {
      expectTools();
    } catch (error) {
      missing = (error as Error).message;
    }
  });

  function fixture(name: string, time: number, umask: number): Part[] {
    const before = process.umask(umask);
    const place = join(folder, name);
    mkdirSync(place);
    // Blocks of zeros at the end of a file are not those at the end of a tar.
    writeFileSync(join(place, 'zeros'), Buffer.alloc(5000));
    utimesSync(join(place, 'zeros'), time, time);
    process.umask(before);
    const zeros = { path: 'b/zeros', content: { file: join(place, 'zeros') } };
    return [
      { name: 'one', entries: [zeros, { path: 'a/run', content: { text: '#!/bin/sh\n' }, executable: true }] },
      { name: 'two', entries: [{ path: 'c', content: { text: 'end' } }] },
    ];
  }

  it('has the same bytes whatever the times, the modes and the order, and unpacks', async (t) => {
    if (missing) return t.skip(missing);
    const options = { name: 'heartbeat-1', limit: 1e6, preset: 0 };
    const reports: string[] = [];
    const first = await writeArchive(join(folder, '1.tar.xz'), fixture('one', 1e9, 0o022), {
      ...options,
      onPart: ({ name, files }) => reports.push(`${name} ${files}`),
    });
    const [one, two] = fixture('two', 1.5e9, 0o077);
    const turned = [{ name: 'one', entries: [...one.entries].reverse() }, two];
    const second = await writeArchive(join(folder, '2.tar.xz'), turned, options);
    assert.deepEqual(first, second);
    assert.deepEqual(reports, ['one 2', 'two 1']);
    assert.equal(readFileSync(join(folder, '1.tar.xz')).length, first.bytes);
    const target = join(folder, 'out');
    mkdirSync(target);
    execFileSync('tar', ['-xJf', join(folder, '1.tar.xz'), '-C', target]);
    assert.deepEqual(readdirSync(join(target, 'heartbeat-1')).sort(), ['a', 'b', 'c']);
    assert.deepEqual(readFileSync(join(target, 'heartbeat-1/b/zeros')), Buffer.alloc(5000));
    assert.equal(readFileSync(join(target, 'heartbeat-1/c'), 'utf8'), 'end');
    execFileSync(join(target, 'heartbeat-1/a/run'));
  });

  it('over its limit is one sentence, and leaves the old file and nothing else', async (t) => {
    if (missing) return t.skip(missing);
    const place = join(folder, 'full');
    mkdirSync(place);
    const path = join(place, 'x.tar.xz');
    writeFileSync(path, 'old');
    const writing = writeArchive(path, fixture('three', 1e9, 0o022), { name: 'x', limit: 200, preset: 0 });
    await assert.rejects(writing, /^UserError: the archive must stay under 0\.0 MB: (one|two) needs more than/);
    assert.deepEqual(readdirSync(place), ['x.tar.xz']);
    assert.equal(readFileSync(path, 'utf8'), 'old');
  });
});

describe('the Node to carry', () => {
  const whole = { version: '22.20.0', platform: 'linux', arch: 'x64', glibc: '2.28', libraries: ['/lib/libc.so.6'] };

  it('needs only what every Linux has', () => {
    const usual = ['linux-vdso.so.1', '/lib64/libstdc++.so.6', '/lib64/ld-linux-x86-64.so.2'];
    assert.equal(troubleWith({ ...whole, libraries: usual }), null);
    assert.match(troubleWith({ ...whole, version: '18.19.0' })!.got, /18\.19\.0/);
    assert.match(troubleWith({ ...whole, platform: 'darwin', arch: 'arm64' })!.got, /darwin on arm64/);
    const debian = ['/lib/libuv.so.1', '/lib/libnode.so.108', '/lib/libc.so.6'];
    assert.match(troubleWith({ ...whole, libraries: debian })!.got, /libnode\.so\.108 and 1 more$/);
    assert.match(troubleWith({ ...whole, glibc: undefined })!.got, /another C library/);
    assert.match(troubleWith({ ...whole, libraries: ['/lib/ld-musl-x86_64.so.1'] })!.got, /musl/);
  });

  it('is asked to run, and refused in one sentence otherwise', () => {
    const refused = (file: string, pattern: RegExp) =>
      assert.throws(() => inspectRuntime(file, true), pattern);
    refused(join(folder, 'none'), /^UserError: --node .*none: expected the executable .* got no such file; /);
    refused(folder, /got a folder/);
    refused(fileURLToPath(import.meta.url), /got none that runs here/);
    refused('/bin/echo', /got none that runs here/);
  });
});

it('packages behind createRequire are seen', () => {
  const code = `const a = createRequire(import.meta.url)("x");
    createRequire(import.meta.url).resolve('@y/z/package.json'); createRequire(import.meta.url)(path);`;
  assert.deepEqual(requiredPackages(code), ['x', '@y/z/package.json']);
});
