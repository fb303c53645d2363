import { Agent, buildConnector, type Dispatcher } from 'undici';
import { type Ask, ServiceError } from '../service/service.ts';
import { Turns } from '../service/turns.ts';
import { addressIn, type FetchRules } from './fetch-rules.ts';
import { type FetchOrder, redirected } from './fetch-order.ts';
import { pinnedLookup, privateAddress } from './pinned-lookup.ts';
import { boundOnWire } from './wire-bound.ts';

/** What came back, up to its body. */
export interface Fetched {
  status: number;
  statusText: string;
  headers: [name: string, value: string][];
  url: string;
  isRedirected: boolean;
  body: AsyncIterable<Uint8Array>;
}

/** Whoever wants more at once waits; and so many may wait. */
const WAITING_MAX_COUNT = 1024;
const REDIRECTS_MAX_COUNT = 20;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** It has to go into one frame, as JSON. */
const HEAD_MAX_BYTES = 12 * 1024;
/** A body up to this size is kept until it is clear that no redirection asks for it again. */
const KEPT_BODY_MAX_BYTES = 64 * 1024;
const KEEP_ALIVE_MS = 4000;
/** With so many connections open for each fetch that may run, each further one ends with its answer: sites may be many. */
const KEPT_PER_FETCH = 2;
/** Interim answers (1xx) are no body that would be counted. */
const INTERIMS_MAX_COUNT = 32;
const CONNECT_TIMEOUT_MS = 10_000;

/** Fetches for one servlet: by its rules, over connections that no other servlet uses. */
export class Broker {
  readonly rules: FetchRules;
  readonly #turns: Turns;
  readonly #dispatcher: Dispatcher;
  /** null: somebody else's. */
  readonly #agent: Agent | null;
  readonly #keptMaxCount: number;
  #connectionCount = 0;

  /**
   * `maxCount`: of fetches at once. `maxBytes`: of a body.
   * `dispatcher`: in the place of connections that look where they lead, for tests.
   */
  constructor(
    rules: FetchRules,
    { maxCount, maxBytes }: { maxCount: number; maxBytes: number },
    dispatcher: Dispatcher | null,
  ) {
    this.rules = rules;
    this.#turns = new Turns(maxCount);
    this.#keptMaxCount = maxCount * KEPT_PER_FETCH;
    this.#agent =
      dispatcher === null
        ? new Agent({
            connections: maxCount,
            pipelining: 1,
            keepAliveTimeout: KEEP_ALIVE_MS,
            // Sites may ask for less, not for more.
            keepAliveMaxTimeout: KEEP_ALIVE_MS,
            maxHeaderSize: HEAD_MAX_BYTES,
            connect: boundOnWire(
              buildConnector({ lookup: pinnedLookup(rules), timeout: CONNECT_TIMEOUT_MS }),
              maxBytes,
            ),
          })
        : null;
    this.#agent?.on('connect', () => this.#connectionCount++).on('disconnect', () => this.#connectionCount--);
    this.#dispatcher = dispatcher ?? (this.#agent as Agent);
  }

  /**
   * Whoever has got a turn gives it back by `release`; when the signal is aborted it goes back by itself.
   * @throws ServiceError `LIMIT_FETCHES`; the signal's reason
   */
  async takeTurn(signal: AbortSignal): Promise<() => void> {
    if (this.#turns.waitingCount >= WAITING_MAX_COUNT)
      throw new ServiceError('LIMIT_FETCHES', 'Cannot fetch: too many fetches of the servlet wait');
    await this.#turns.take(signal);
    let isOver = false;
    const release = (): void => {
      if (!isOver) this.#turns.release();
      isOver = true;
    };
    signal.addEventListener('abort', release, { once: true });
    // It may have been since the turn came.
    if (signal.aborted) release();
    signal.throwIfAborted();
    return release;
  }

  /** `onSent`: bytes of the body that have left. @throws ServiceError, or what the network failed with */
  async fetch(order: FetchOrder, ask: Ask, signal: AbortSignal, onSent: (bytes: number) => void): Promise<Fetched> {
    let body = await bodyOf(order, ask, onSent);
    for (let hops = 0; ; hops++) {
      this.#check(order.url);
      const answer = await this.#send(order, body, signal);
      const headers = pairsOf(answer.headers);
      const location = headers.find(([name]) => name.toLowerCase() === 'location')?.[1];
      if (!REDIRECTS.has(answer.statusCode) || location === undefined || order.redirect === 'manual')
        return {
          status: answer.statusCode,
          statusText: answer.statusText,
          headers,
          url: order.url.href,
          isRedirected: hops > 0,
          body: answer.body as AsyncIterable<Uint8Array>,
        };
      // What comes with a redirection is nobody's, and may be without an end.
      answer.body.on('error', () => {}).destroy();
      if (order.redirect === 'error') throw new ServiceError('FETCH_FAILED', 'Cannot fetch: it is redirected');
      if (hops === REDIRECTS_MAX_COUNT)
        throw new ServiceError('FETCH_FAILED', 'Cannot fetch: it is redirected again and again');
      const next = redirected(order, answer.statusCode, location);
      if (next.method !== order.method) body = null;
      if (body !== null && !(body instanceof Uint8Array))
        throw new ServiceError('FETCH_FAILED', 'Cannot fetch: it is redirected, and its body has been sent');
      order = next;
    }
  }

  /** Ends all connections at once. */
  async close(): Promise<void> {
    this.#turns.close();
    await this.#agent?.destroy();
  }

  #check(url: URL): void {
    if (!this.rules.mayFetch(url))
      throw new ServiceError('FETCH_ORIGIN', `Cannot fetch from "${url.origin}": the servlet may not reach it`);
    const address = addressIn(url);
    if (address !== null && !this.rules.mayReach(address)) throw privateAddress(address);
  }

  #send(
    { url, method, headers }: FetchOrder,
    body: Uint8Array | AsyncIterable<Uint8Array> | null,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const isNamed = headers.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'user-agent');
    let interims = 0;
    return this.#dispatcher.request<null>({
      origin: url.origin,
      path: url.pathname + url.search,
      method: method as Dispatcher.HttpMethod,
      headers: isNamed ? headers : [...headers, 'user-agent', 'custodian'],
      // Pieces as they come are taken as well; the types don't know it.
      body: body as Uint8Array | null,
      responseHeaders: 'raw',
      reset: this.#connectionCount >= this.#keptMaxCount,
      onInfo: () => {
        if (++interims > INTERIMS_MAX_COUNT)
          throw new ServiceError('FETCH_FAILED', 'Cannot fetch: its answer does not begin');
      },
      signal,
    });
  }
}

/** A short body whole, so that it can be sent again; else its pieces, as they come. */
async function bodyOf(
  { bodyBytes }: FetchOrder,
  { body }: Ask,
  onSent: (bytes: number) => void,
): Promise<Uint8Array | AsyncIterable<Uint8Array> | null> {
  if (body === null) return null;
  const counted = countedPieces(body, onSent);
  if (bodyBytes === null || bodyBytes > KEPT_BODY_MAX_BYTES) return counted;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of counted) {
    bytes += piece.length;
    if (bytes > bodyBytes) break;
    pieces.push(piece);
  }
  if (bytes !== bodyBytes) throw new ServiceError('FETCH_INVALID', 'Cannot fetch: its body is not as long as it says');
  return Buffer.concat(pieces);
}

async function* countedPieces(
  body: AsyncIterable<Uint8Array>,
  onSent: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    onSent(piece.length);
    yield piece;
  }
}

/** As undici gives them raw: names and values in turn. */
function pairsOf(raw: unknown): [string, string][] {
  const texts = raw as readonly string[];
  return texts.flatMap((text, at): [string, string][] => (at % 2 === 0 ? [[text, texts[at + 1] as string]] : []));
}
