/**
 * A stand-in for the Hugging Face Hub on loopback: the API, the resolve addresses, and a CDN on
 * another port (another origin), where large files lie. A test makes it misbehave through `on`.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StandInFile {
  readonly path: string;
  readonly bytes: Buffer;
  /** In large-file storage, hence behind a redirect to the CDN. */
  readonly large: boolean;
}

export interface Asked {
  readonly at: 'hub' | 'cdn';
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/**
 * Answers in the stand-in's place and returns true, or leaves it to the stand-in. `count` is how
 * many requests of this address came before.
 */
export type Misbehaviour = (asked: Asked, response: ServerResponse, count: number) => boolean;

export interface StandIn {
  readonly endpoint: string;
  readonly cdn: string;
  readonly log: Asked[];
  on: Misbehaviour;
  close(): Promise<void>;
}

export const repository = 'echo/heart';
export const commit = 'c0ffee'.padEnd(40, '0');

/** The hash that the Hub names a file by. */
export function hashOf({ bytes, large }: StandInFile): string {
  if (large) return createHash('sha256').update(bytes).digest('hex');
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** Bytes that repeat only after 64 KiB, and differ between seeds. */
export function someBytes(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 17 + seed * 101) & 255));
}

export const files: readonly StandInFile[] = [
  { path: 'unet/config.json', bytes: Buffer.from('{"sample_size": 64}\n'), large: false },
  { path: 'unet/weights.safetensors', bytes: someBytes(300_000, 1), large: true },
  { path: 'empty.txt', bytes: Buffer.alloc(0), large: false },
];

/** Sends `bytes` as a server does that knows Range. */
export function sendBytes(bytes: Buffer, range: string | undefined, response: ServerResponse): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const rest = bytes.subarray(start);
  if (range === undefined) response.writeHead(200, { 'content-length': rest.length });
  else {
    const span = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { 'content-length': rest.length, 'content-range': span });
  }
  response.end(rest);
}

/** Promises the rest of `bytes`, sends `count` of it, and drops the connection. */
export function sendAndDrop(bytes: Buffer, range: string | undefined, response: ServerResponse, count: number): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const span = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  const length = { 'content-length': bytes.length - start };
  if (range === undefined) response.writeHead(200, length);
  else response.writeHead(206, { ...length, 'content-range': span });
  response.write(bytes.subarray(start, start + count), () => response.destroy());
}

export function sendStatus(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end('no\n');
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function startStandIn(): Promise<StandIn> {
  const log: Asked[] = [];
  const standIn = { endpoint: '', cdn: '', log, on: () => false, close } as StandIn & { endpoint: string; cdn: string };

  const handler = (at: 'hub' | 'cdn') => (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request;
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const asked = { at, method, url, range: headers.range, authorization: headers.authorization };
      const path = (text: string) => text.split('?')[0];
      const count = log.filter((other) => other.at === at && path(other.url) === path(url)).length;
      log.push(asked);
      if (standIn.on(asked, response, count)) return;
      if (at === 'hub') answerHub(asked, body, response, standIn.cdn);
      else sendBytes(fileAt(url.split('?')[0].slice(1)).bytes, asked.range, response);
    });
  };
  const servers = [createServer(handler('hub')), createServer(handler('cdn'))];
  standIn.endpoint = await listen(servers[0]);
  standIn.cdn = await listen(servers[1]);
  return standIn;

  async function close(): Promise<void> {
    await Promise.all(servers.map((server) => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    })));
  }
}

function fileAt(path: string): StandInFile {
  const found = files.find((file) => file.path === path);
  if (found === undefined) throw new Error(`the stand-in has no ${path}`);
  return found;
}

/** What the Hub says of a large file that lies elsewhere. */
export function largeHeaders(file: StandInFile): Record<string, string> {
  const etag = { 'x-linked-etag': `"${hashOf(file)}"`, 'x-linked-size': String(file.bytes.length) };
  return { ...etag, 'x-repo-commit': commit, etag: '"pointer"' };
}

function answerHub({ url, range }: Asked, body: string, response: ServerResponse, cdn: string): void {
  const path = decodeURIComponent(url.split('?')[0]);
  if (path === `/api/models/${repository}/revision/main`) {
    return sendJson(response, { id: repository, sha: commit, gated: false });
  }
  if (path === `/api/models/${repository}/paths-info/${commit}`) {
    const { paths } = JSON.parse(body) as { paths: string[] };
    const entries = files.filter((file) => paths.includes(file.path)).map((file) => ({
      type: 'file', path: file.path, size: file.bytes.length, oid: file.large ? '0'.repeat(40) : hashOf(file),
      lfs: file.large ? { oid: hashOf(file), size: file.bytes.length, pointerSize: 134 } : undefined,
    }));
    return sendJson(response, entries);
  }
  const prefix = `/${repository}/resolve/${commit}/`;
  const file = files.find((each) => path === prefix + each.path);
  if (file === undefined) return sendStatus(response, 404, { 'x-error-code': 'EntryNotFound' });
  if (file.large) {
    const location = `${cdn}/${file.path}?Signature=secret`;
    return sendStatus(response, 302, { ...largeHeaders(file), location });
  }
  response.setHeader('etag', `W/"${hashOf(file)}"`);
  response.setHeader('x-repo-commit', commit);
  sendBytes(file.bytes, range, response);
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
