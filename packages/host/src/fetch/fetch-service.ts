import { ASK_HEAD_MAX_BYTES } from '@custodian/protocol';
import type { Dispatcher } from 'undici';
import type { Ledger } from '../cell/ledger.ts';
import type { HeldServlet } from '../cell/held-servlet.ts';
import type { Closable } from '../custodian.ts';
import { type Answer, type Ask, type Service, ServiceError } from '../service/service.ts';
import { Broker, type Fetched } from './broker.ts';
import { readFetchOrder } from './fetch-order.ts';

/** Statuses whose answers have no body, whatever comes. */
const BODILESS = new Set([204, 205, 304]);
/** A piece of a body counts for so much at least: each costs the acceptor what so many bytes do. */
const PIECE_MIN_BYTES = 32;
/** What a guest may know of the network's failures. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'there is no such host for now',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'nobody answers there',
  UND_ERR_HEADERS_OVERFLOW: 'the head of its answer is too long',
};

/**
 * Makes the fetches of guests, who have no network: to origins that the operator has named, at public addresses, within
 * limits. `{ url, method, headers, redirect, bodyBytes }` and perhaps a body is answered with
 * `{ status, statusText, headers, url, isRedirected }` and a body as it was on the wire: what is compressed in it is the
 * guest's to inflate, in its own memory and time.
 */
export class FetchService implements Service, Closable {
  readonly name = 'fetch';
  readonly label = 'fetches of guests';
  readonly isForClient = true;
  readonly #ledger: Ledger;
  readonly #dispatcher: Dispatcher | null;
  readonly #brokers = new Map<HeldServlet, Broker>();

  constructor(ledger: Ledger, dispatcher: Dispatcher | null) {
    this.#ledger = ledger;
    this.#dispatcher = dispatcher;
  }

  async answer(ask: Ask): Promise<Answer> {
    const { servlet } = ask;
    const account = this.#ledger.account(servlet.name);
    account.fetches++;
    const { fetchMaxBytes, fetchTimeoutMs } = servlet.limits;
    const end = new AbortController();
    const endFor = (error: unknown): void => {
      if (!end.signal.aborted) account.fetchFailures++;
      end.abort(error);
    };
    const deadline = setTimeout(
      () => endFor(new ServiceError('LIMIT_FETCH_TIMEOUT', `Cannot fetch: it takes longer than ${fetchTimeoutMs} ms`)),
      fetchTimeoutMs,
    );
    const onAbandoned = (): void => endFor(ask.signal.reason);
    ask.signal.addEventListener('abort', onAbandoned, { once: true });
    const over = (): void => {
      clearTimeout(deadline);
      ask.signal.removeEventListener('abort', onAbandoned);
    };
    end.signal.addEventListener('abort', over, { once: true });
    try {
      const order = readFetchOrder(ask.json());
      const broker = this.#brokerOf(servlet);
      const release = await broker.takeTurn(end.signal);
      let sentBytes = 0;
      const fetched = await broker.fetch(order, ask, end.signal, (bytes) => {
        account.fetchBytesOut += bytes;
        sentBytes += bytes;
        if (sentBytes > fetchMaxBytes) throw tooLong('sends', fetchMaxBytes);
      });
      const pieces = this.#pieces(fetched, {
        maxBytes: fetchMaxBytes,
        signal: end.signal,
        onBytes: (bytes) => {
          account.fetchBytesIn += bytes;
        },
        onOver: () => {
          over();
          release();
        },
        onFailed: endFor,
      });
      const head = headOf(fetched);
      if (order.method !== 'HEAD' && !BODILESS.has(fetched.status)) return { head, body: pieces };
      // Nothing comes, but the connection is free only then.
      for await (const _piece of pieces);
      return { head };
    } catch (error) {
      const failure = end.signal.aborted ? (end.signal.reason as unknown) : error;
      endFor(error);
      throw fetchFailure(failure);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#brokers.values(), (broker) => broker.close()));
  }

  /** @throws ServiceError */
  #brokerOf(servlet: HeldServlet): Broker {
    if (servlet.fetch === null)
      throw new ServiceError('SERVLET_NO_NETWORK', 'Cannot fetch: the servlet may not reach anything');
    let broker = this.#brokers.get(servlet);
    if (broker === undefined) {
      const { fetchesMaxCount: maxCount, fetchMaxBytes: maxBytes } = servlet.limits;
      broker = new Broker(servlet.fetch, { maxCount, maxBytes }, this.#dispatcher);
      this.#brokers.set(servlet, broker);
    }
    return broker;
  }

  async *#pieces(
    { body }: Fetched,
    flow: {
      maxBytes: number;
      signal: AbortSignal;
      onBytes: (bytes: number) => void;
      onOver: () => void;
      onFailed: (error: unknown) => void;
    },
  ): AsyncGenerator<Uint8Array, void> {
    let bytes = 0;
    try {
      for await (const piece of body) {
        bytes += Math.max(piece.length, PIECE_MIN_BYTES);
        flow.onBytes(piece.length);
        if (bytes > flow.maxBytes) throw tooLong('gets', flow.maxBytes);
        yield piece;
      }
    } catch (error) {
      const failure = flow.signal.aborted ? (flow.signal.reason as unknown) : error;
      flow.onFailed(error);
      throw fetchFailure(failure);
    } finally {
      flow.onOver();
    }
  }
}

/** @throws ServiceError when it is too long for a frame */
function headOf({ status, statusText, headers, url, isRedirected }: Fetched): Buffer {
  const head = Buffer.from(JSON.stringify({ status, statusText, headers, url, isRedirected }));
  if (head.length > ASK_HEAD_MAX_BYTES)
    throw new ServiceError('FETCH_FAILED', 'Cannot fetch: the head of its answer is too long');
  return head;
}

function tooLong(does: 'sends' | 'gets', maxBytes: number): ServiceError {
  return new ServiceError('LIMIT_FETCH_BYTES', `Cannot fetch: it ${does} more than ${maxBytes} bytes`);
}

/** What the guest gets to know of it: a refusal of ours as it is, of the network's failures their kind. */
function fetchFailure(error: unknown): unknown {
  if (error instanceof ServiceError || !(error instanceof Error)) return error;
  const { cause, code, errors } = error as Error & { code?: string; errors?: unknown[] };
  for (const inner of [cause, ...(errors ?? [])]) if (inner instanceof ServiceError) return inner;
  // A mistake of the host's own is its operator's to read.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return error;
  const reason = REASONS[code ?? ''] ?? (code === undefined ? 'the answer is no HTTP' : code);
  return new ServiceError('FETCH_FAILED', `Cannot fetch: ${reason}`);
}
