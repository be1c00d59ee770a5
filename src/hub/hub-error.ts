/** What went wrong between this process and the Hub, as one sentence and what it means for another try. */
export class HubError extends Error {
  /** Another try soon may do. */
  readonly transient: boolean;
  /** Nobody answered at that address. */
  readonly unreachable: boolean;
  /** Seconds that the server asks to wait; null when it named none. */
  readonly retryAfter: number | null;

  constructor(
    message: string,
    about: { transient?: boolean; unreachable?: boolean; retryAfter?: number | null; cause?: unknown } = {},
  ) {
    super(message, { cause: about.cause });
    this.name = 'HubError';
    this.transient = about.transient ?? false;
    this.unreachable = about.unreachable ?? false;
    this.retryAfter = about.retryAfter ?? null;
  }
}

/** An address as a message shows it: without its query, which on a CDN is a signature. */
export function shownUrl(url: string | URL): string {
  const parsed = new URL(url);
  return `${parsed.origin}${parsed.pathname}`;
}

/** Seconds of a Retry-After header: a number, or a date. Null where there is none that can be read. */
export function retryAfterOf(headers: Headers, now = Date.now()): number | null {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}

/** The server's own words, which may be anything: one line, printable, short. */
function wordsOf(headers: Headers): string {
  const text = (headers.get('x-error-message') ?? '').replace(/[^\x20-\x7e]+/g, ' ').trim();
  return text === '' ? '' : ` ("${text.slice(0, 160)}")`;
}

/** `text` without the token, should a server have echoed it. */
export function withoutToken(text: string, token: string | null): string {
  return token === null || token.length < 8 ? text : text.replaceAll(token, '***');
}

/** The error that an answer other than 200, 206, 416 and redirects stands for. */
export function statusError(
  url: string | URL,
  status: number,
  headers: Headers,
  { endpoint, repository, token }: { endpoint: string; repository: string; token: string | null },
): HubError {
  const where = shownUrl(url);
  const page = `${endpoint}/${repository}`;
  const code = headers.get('x-error-code') ?? '';
  const words = wordsOf(headers);
  const got = `${where}: expected ${repository}, got HTTP ${status}${words}`;
  const signIn = token !== null
    ? 'the token (HF_TOKEN, or that of "hf auth login") was sent and does not open it'
    : 'no token was sent; set HF_TOKEN, or run "hf auth login"';
  if (code === 'GatedRepo' || (status === 403 && /gated|restricted|awaiting/i.test(words))) {
    return new HubError(`${got}: access is gated; accept its terms at ${page}; ${signIn}`);
  }
  if (status === 401 || status === 403) {
    return new HubError(`${got}: no such repository, or not open to you (${page}); ${signIn}`);
  }
  if (status === 404 || status === 410) {
    const what = { RevisionNotFound: 'that revision', EntryNotFound: 'that file' }[code] ?? 'that address';
    return new HubError(`${got}: ${what} is not there; look at ${page}, and at HF_ENDPOINT if you set it`);
  }
  if (status === 429 || status === 408 || status === 425 || status >= 500) {
    const retryAfter = retryAfterOf(headers);
    const wait = retryAfter === null ? 'run this again later' : `run this again in ${retryAfter} s`;
    const what = status === 429 ? 'too many requests' : 'a passing fault there';
    return new HubError(`${got}: ${what}; ${wait}, and it goes on from what is there`, { transient: true, retryAfter });
  }
  return new HubError(`${got}: look at HF_ENDPOINT if you set it, and at ${page}`);
}
