/** The environment variables of the Hugging Face Hub's clients, with the meaning they have there. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is set and not empty. */
function given(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === undefined || value === '' ? undefined : value;
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase());
}

/** `~` and `$NAME`, as Python's `expanduser` and `expandvars` read them. */
function expand(path: string, environment: Environment): string {
  return path
    .replace(/^~(?=$|[/\\])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, plain) => environment[braced ?? plain] ?? whole);
}

function hubHome(environment: Environment): string {
  const cache = given(environment, 'XDG_CACHE_HOME') ?? join(homedir(), '.cache');
  return expand(given(environment, 'HF_HOME') ?? join(cache, 'huggingface'), environment);
}

/** The folder of `models--organisation--name`: HF_HUB_CACHE, else `hub` in HF_HOME. */
export function cacheFolder(environment: Environment = process.env): string {
  const folder = given(environment, 'HF_HUB_CACHE') ?? given(environment, 'HUGGINGFACE_HUB_CACHE');
  return folder === undefined ? join(hubHome(environment), 'hub') : expand(folder, environment);
}

/** Whether HF_HUB_OFFLINE forbids every request. */
export function isOffline(environment: Environment = process.env): boolean {
  return isTrue(given(environment, 'HF_HUB_OFFLINE') ?? given(environment, 'TRANSFORMERS_OFFLINE'));
}

/**
 * HF_ENDPOINT without a slash at its end, or the public Hub.
 *
 * @throws one sentence unless it is an http or https address without a password or query in it
 */
export function endpointOf(environment: Environment = process.env): string {
  const text = given(environment, 'HF_ENDPOINT') ?? 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.username !== '' || url.password !== '')) {
    throw new Error('HF_ENDPOINT: expected an address without a user name or password, ' +
      `got one for ${url.host}; a token goes into HF_TOKEN`);
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new Error(`HF_ENDPOINT: expected an http or https address such as https://huggingface.co, got "${text}"`);
  }
  return url.href.replace(/\/+$/, '');
}

/** Milliseconds without a byte after which a connection counts as lost: HF_HUB_DOWNLOAD_TIMEOUT (s), else 30 s. */
export function stallTimeout(environment: Environment = process.env): number {
  const text = given(environment, 'HF_HUB_DOWNLOAD_TIMEOUT') ?? '30';
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new Error(`HF_HUB_DOWNLOAD_TIMEOUT: expected seconds, more than 0, got "${text}"`);
  }
  return seconds * 1000;
}

/**
 * The user's token: HF_TOKEN, else the file that `hf auth login` (once `huggingface-cli login`) wrote
 * (HF_TOKEN_PATH, else `token` in HF_HOME); null where there is none.
 *
 * @throws one sentence, which does not hold the token, when it cannot stand in a header
 */
export function readToken(environment: Environment = process.env): string | null {
  if (isTrue(given(environment, 'HF_HUB_DISABLE_IMPLICIT_TOKEN'))) return null;
  const clean = (text: string | undefined) => text?.replace(/[\r\n]/g, '').trim() ?? '';
  const named = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'].find((name) => clean(environment[name]) !== '');
  const file = expand(given(environment, 'HF_TOKEN_PATH') ?? join(hubHome(environment), 'token'), environment);
  const origin = named ?? file;
  const token = named !== undefined ? clean(environment[named])
    : existsSync(file) ? clean(readFileSync(file, 'utf8')) : '';
  if (token === '') return null;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error(`${origin}: expected a token of letters and digits, got ${token.length} characters ` +
      'of which some cannot be sent; make one at https://huggingface.co/settings/tokens');
  }
  return token;
}
