/** What the Hub says of a weight: the commit, and size and hash of each file. */
import type { Weight, WeightFile } from './catalogue.ts';
import { isContentHash } from './content-hash.ts';
import { HubError, shownUrl } from './hub-error.ts';
import { connectionError, request, retrying, type HubAccess } from './request.ts';

export interface RemoteFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** sha256 of a large file, git blob id of a small one: the name of its blob. */
  readonly hash: string;
}

export interface Revision {
  readonly commit: string;
  /** Whether it is the head of `main`. */
  readonly isMain: boolean;
  readonly files: readonly RemoteFile[];
}

const largestAnswer = 16 * 2 ** 20;

/** A `fetch` for the client: our redirects, our token, our errors; the body is read here, whole, and is JSON. */
function apiFetch(repository: string, hub: HubAccess): typeof fetch {
  return (input, init) => retrying(async () => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = Object.fromEntries(new Headers(init?.headers));
    const { method } = init ?? {};
    const body = typeof init?.body === 'string' ? init.body : undefined;
    const { response, watch } = await request(url, repository, hub, { method, headers, body });
    try {
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of response.body ?? []) {
        watch.touch();
        chunks.push(chunk);
        length += chunk.length;
        if (length > largestAnswer) throw notTheHub(url, `more than ${largestAnswer} bytes`);
      }
      const text = Buffer.concat(chunks).toString();
      if (!isJson(text)) throw notTheHub(url, response.headers.get('content-type')?.split(';')[0] ?? 'other text');
      return new Response(text, { status: 200, headers: { 'content-type': 'application/json' } });
    } catch (error) {
      throw connectionError(error, url, hub, watch);
    } finally {
      watch.stop();
    }
  }, hub);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function notTheHub(url: string, got: string): HubError {
  return new HubError(`${shownUrl(url)}: expected JSON as the Hub answers, got ${got.replace(/[^\x20-\x7e]/g, '')}; ` +
    'look at HF_ENDPOINT, and whether this network wants you to sign in');
}

/**
 * Asks the Hub for the pinned commit of `weight` (or the head of `main`) and for `files` in it.
 *
 * @throws HubError when they are not there, not open, or not what the catalogue pins
 */
export async function lookUp(weight: Weight, files: readonly WeightFile[], hub: HubAccess): Promise<Revision> {
  const { repository } = weight;
  const page = `${hub.endpoint}/${repository}`;
  const { modelInfo, pathsInfo } = await import('@huggingface/hub');
  const common = { hubUrl: hub.endpoint, fetch: apiFetch(repository, hub) };
  const info = await modelInfo({ name: repository, revision: 'main', additionalFields: ['sha'], ...common });
  if (info.gated && hub.token === null) {
    throw new HubError(`${page}: expected an open repository, got a gated one; accept its terms there, ` +
      'then set HF_TOKEN or run "hf auth login"');
  }
  const head = String(info.sha);
  if (!/^[0-9a-f]{40}$/.test(head)) {
    throw new HubError(`${page}: expected the commit of main, got none; look at HF_ENDPOINT`);
  }
  const commit = weight.revision ?? head;
  const paths = files.map(({ path }) => path);
  const found = await pathsInfo({ repo: repository, paths, revision: commit, ...common });
  const remote = files.map((file) => {
    const entry = found.find(({ path, type }) => path === file.path && type === 'file');
    const size = entry?.lfs?.size ?? entry?.size;
    const hash = entry?.lfs?.oid ?? entry?.oid;
    if (size === undefined || hash === undefined || !Number.isSafeInteger(size) || size < 0 || !isContentHash(hash)) {
      const got = entry === undefined ? 'no such file' : 'no size and hash that can be read';
      throw new HubError(`${page}: expected ${file.path} at ${commit.slice(0, 12)}, got ${got}`);
    }
    const pinned = [file.hash, file.size];
    if ((file.hash ?? hash) !== hash || (file.size ?? size) !== size) {
      throw new HubError(`${page}: expected ${file.path} of ${pinned[1]} bytes with hash ${pinned[0]} as pinned, ` +
        `got ${size} bytes with hash ${hash}; it is another file than the one known, and was not fetched`);
    }
    return { path: file.path, size, hash };
  });
  return { commit, isMain: commit === head, files: remote };
}
