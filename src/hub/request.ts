/**
 * Requests to the Hub. The Hub answers for a large file with a redirect to a CDN: redirects are
 * followed here and not by `fetch`, because the token goes to the endpoint's origin and nowhere else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, shownUrl, statusError, withoutToken } from './hub-error.ts';

export interface HubAccess {
  /** Address of the Hub, without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | null;
  /** Milliseconds without a byte after which a connection is given up. */
  readonly timeout: number;
  /** Ends everything; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Told of every wait before another try. */
  readonly onRetry?: (sentence: string) => void;
  /** Waits so many milliseconds; for tests. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;
}

export interface Answer {
  readonly response: Response;
  /** Headers of the last answer that came from the endpoint itself: they describe the file, wherever it lies. */
  readonly hub: Headers;
  readonly watch: Watch;
}

/** Aborts a request that stands still for too long. */
export interface Watch {
  /** A byte came. */
  touch(): void;
  /** It is over. */
  stop(): void;
  stalled(): boolean;
}

const maximumRedirects = 8;
const longestWait = 60;
const attempts = 6;

function startWatch(timeout: number, outer: AbortSignal | undefined): { watch: Watch; signal: AbortSignal } {
  const controller = new AbortController();
  let stalled = false;
  const giveUp = () => {
    stalled = true;
    controller.abort();
  };
  let timer = setTimeout(giveUp, timeout);
  const onOuter = () => controller.abort();
  if (outer?.aborted === true) controller.abort();
  outer?.addEventListener('abort', onOuter, { once: true });
  const watch: Watch = {
    touch() {
      clearTimeout(timer);
      timer = setTimeout(giveUp, timeout);
    },
    stop() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onOuter);
    },
    stalled: () => stalled,
  };
  return { watch, signal: controller.signal };
}

/** What broke a connection, as one sentence; the abort's own reason when it was asked for. */
export function connectionError(error: unknown, url: string | URL, hub: HubAccess, watch: Watch): unknown {
  if (error instanceof HubError) return error;
  if (hub.signal?.aborted === true) return hub.signal.reason;
  const where = shownUrl(url);
  if (watch.stalled()) {
    return new HubError(`${where}: expected bytes, got none for ${hub.timeout / 1000} s ` +
      '(HF_HUB_DOWNLOAD_TIMEOUT); run this again, and it goes on from what is there', { transient: true });
  }
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  const code = cause?.code ?? cause?.message ?? (error as Error).message;
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_/i.test(code)) {
    return new HubError(`${where}: expected a certificate that this machine trusts, got ${code}; ` +
      'behind a proxy, name its certificate in NODE_EXTRA_CA_CERTS', { cause: error });
  }
  const unreachable = /^(?:ENOTFOUND|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|bad port)$/.test(code);
  const what = unreachable ? 'an answer' : 'the whole answer';
  return new HubError(`${where}: expected ${what}, got ${code}; look at the network and at HF_ENDPOINT, ` +
    'then run this again, and it goes on from what is there', { transient: !unreachable, unreachable, cause: error });
}

/** The next address of a redirect. An https answer never leads to plain http. */
function redirectTarget(from: URL, location: string | null): URL {
  const to = location !== null && URL.canParse(location, from.href) ? new URL(location, from.href) : null;
  if (to === null || !/^https?:$/.test(to.protocol) || (from.protocol === 'https:' && to.protocol === 'http:')) {
    const got = to === null ? 'none' : `one to ${to.protocol}//${to.host}`;
    throw new HubError(`${shownUrl(from)}: expected a redirect to an https address, got ${got}`);
  }
  return to;
}

/**
 * One request, redirects included. Answers with 200, 206 or 416; the caller reads the body, calls
 * `watch.touch` for what it reads and `watch.stop` at its end.
 *
 * @throws HubError for any other status and for a broken connection; the signal's reason
 */
export async function request(
  address: string,
  repository: string,
  hub: HubAccess,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  hub.signal?.throwIfAborted();
  const home = new URL(hub.endpoint).origin;
  const { watch, signal } = startWatch(hub.timeout, hub.signal);
  let url = new URL(address);
  let trusted = true;
  let described = new Headers();
  try {
    for (let hop = 0; hop <= maximumRedirects; hop++) {
      // Once away, the token stays at home, even if a later redirect leads back.
      trusted = trusted && url.origin === home;
      const headers = new Headers({ 'user-agent': 'heartbeat', 'accept-encoding': 'identity', ...init.headers });
      if (trusted && hub.token !== null) headers.set('authorization', `Bearer ${hub.token}`);
      const { method, body } = init;
      const response = await fetch(url, { method, body, headers, redirect: 'manual', signal });
      watch.touch();
      if (trusted) described = response.headers;
      if ([200, 206, 416].includes(response.status)) return { response, hub: described, watch };
      await response.body?.cancel();
      if (![301, 302, 303, 307, 308].includes(response.status)) {
        const { endpoint, token } = hub;
        throw statusError(url, response.status, response.headers, { endpoint, repository, token });
      }
      url = redirectTarget(url, response.headers.get('location'));
    }
    throw new HubError(`${shownUrl(address)}: expected at most ${maximumRedirects} redirects, got more`);
  } catch (error) {
    watch.stop();
    const shown = connectionError(error, url, hub, watch);
    if (shown instanceof Error) shown.message = withoutToken(shown.message, hub.token);
    throw shown;
  }
}

/**
 * Runs `attempt` again after faults that pass, with growing waits or the one that the server asks
 * for. `isProgress` tells whether the last try got somewhere, which gives back all the tries.
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  hub: HubAccess,
  { patient = false, isProgress }: { patient?: boolean; isProgress?: () => boolean } = {},
): Promise<T> {
  const pause = hub.pause ?? ((milliseconds, signal) => sleep(milliseconds, undefined, { signal }));
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (isProgress?.() === true) failures = 1;
      const worth = error.transient || (patient && error.unreachable);
      const seconds = error.retryAfter ?? 2 ** (failures - 1);
      if (!worth || failures >= attempts || seconds > longestWait) throw error;
      hub.onRetry?.(`${error.message.split('; ')[0]}; trying again in ${seconds} s`);
      try {
        await pause(seconds * 1000, hub.signal);
      } catch (stopped) {
        throw hub.signal?.aborted === true ? hub.signal.reason : stopped;
      }
    }
  }
}
