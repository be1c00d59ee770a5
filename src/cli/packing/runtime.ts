/** The Node that an archive carries: checked before it is packed. */
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../console/user-error.ts';

/** A Node that runs on another machine of its kind. */
export interface Runtime {
  readonly file: string;
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  /** The glibc that it was made for: `2.28`. */
  readonly glibc: string;
  /** The text of its licence, or where it is to be read. */
  readonly licence: { readonly file: string } | { readonly text: string };
}

/** What a Node says of itself. */
export interface NodeAccount {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  /** Of glibc, the version of its headers; absent with another C library. */
  readonly glibc?: string;
  /** Paths of the shared libraries it has loaded. */
  readonly libraries: readonly string[];
}

const question = `process.report.excludeNetwork = true;
  const { header, sharedObjects } = process.report.getReport();
  console.log(JSON.stringify({ version: process.versions.node, platform: process.platform,
    arch: process.arch, glibc: header.glibcVersionCompiler, libraries: sharedObjects }))`;

/** What any Linux with glibc has; compilers and Python's torch need the same. */
const everywhere =
  /^(linux-vdso|ld-linux[-\w]*|libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|libatomic)\.so(\.|$)/;

const another =
  'name the "node" of a Linux archive from https://nodejs.org with --node FILE';

/**
 * Runs `file` and looks at what it says. Errors: `UserError` (exit 2) where it is no Node, older
 * than 20, of another system, or not whole without shared libraries of its own (Debian's nodejs).
 */
export function inspectRuntime(file: string, given: boolean): Runtime {
  const name = given ? `--node ${file}` : file;
  const refuse = (expected: string, got: string): never => {
    throw new UserError(`${name}: expected ${expected}, got ${got}; ${another}`, { exitCode: 2 });
  };
  if (!existsSync(file) || !statSync(file).isFile()) {
    refuse('the executable of Node.js 20 or newer', existsSync(file) ? 'a folder' : 'no such file');
  }
  const real = realpathSync(file);
  const account = ask(real);
  if (account === null) return refuse('the executable of Node.js 20 or newer', 'none that runs here');
  const trouble = troubleWith(account);
  if (trouble !== null) refuse(trouble.expected, trouble.got);
  const { version, platform, arch, glibc } = account;
  return { file: real, version, platform, arch, glibc: glibc!, licence: licenceOf(real, version) };
}

/** Why such a Node cannot be carried; null when it can. */
export function troubleWith(
  { version, platform, arch, glibc, libraries }: NodeAccount,
): { expected: string; got: string } | null {
  if (Number(version.split('.')[0]) < 20) {
    return { expected: 'Node.js 20 or newer', got: version };
  }
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch)) {
    return { expected: 'a Node.js for Linux on x64 or arm64', got: `one for ${platform} on ${arch}` };
  }
  const own = libraries.map((path) => basename(path)).filter((name) => !everywhere.test(name));
  if (own.length === 0) {
    return glibc ? null : { expected: 'a Node.js for glibc', got: 'one for another C library' };
  }
  const more = own.length > 1 ? ` and ${own.length - 1} more` : '';
  const first = own.find((name) => name.startsWith('libnode')) ?? own[0];
  return {
    expected: 'a Node.js that needs only glibc and libstdc++',
    got: `one linked to the shared library ${first}${more}`,
  };
}

function ask(file: string): NodeAccount | null {
  const environment = { ...process.env };
  // Both change what another Node loads.
  delete environment.NODE_OPTIONS;
  delete environment.LD_PRELOAD;
  try {
    const answer = execFileSync(file, ['-e', question], {
      encoding: 'utf8',
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
    const account = JSON.parse(answer) as Partial<NodeAccount> | null;
    const { version, platform, arch, glibc, libraries } = account ?? {};
    if (!version || !platform || !arch || !Array.isArray(libraries)) return null;
    return { version, platform, arch, glibc, libraries };
  } catch {
    return null;
  }
}

function licenceOf(file: string, version: string): Runtime['licence'] {
  const folder = dirname(file);
  const places = ['LICENSE', '../LICENSE', '../share/doc/nodejs/LICENSE', '../share/doc/node/LICENSE'];
  // A LICENSE near some other "node" may be any file's: only Node's own counts.
  const found = places
    .map((place) => join(folder, place))
    .find((place) => existsSync(place) && statSync(place).size > 10_000);
  if (found !== undefined) return { file: found };
  const address = `https://github.com/nodejs/node/blob/v${version}/LICENSE`;
  return { text: `Node.js ${version} is under the MIT licence and those of its parts: ${address}\n` };
}
