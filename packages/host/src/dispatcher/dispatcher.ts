import type { Servlets } from '../cell/servlets.ts';
import type { Custodian } from '../custodian.ts';
import type { Exchange } from '../http/exchange.ts';
import type { FileCache } from '../http/file-cache.ts';
import type { Limits } from '../limits.ts';
import type { Host, ServletOptions } from '../options.ts';

/** Gets an exchange: answers it, now or later, or sees to it that somebody else does. */
export type Answerer = (exchange: Exchange) => void | Promise<void>;

/** Gives the exchange to whoever is next. */
export type Pass = (exchange: Exchange) => void;

/**
 * Answers an exchange or passes it on. It is called once, when the host starts, with who is next; what it returns is called
 * for every exchange that comes to it, so that a chain costs no more than its calls.
 * @see Racket `dispatcher/c`, `next-dispatcher`
 *
 * @example
 * ```ts
 * const teapot: Dispatcher = (pass) => (exchange) =>
 *   exchange.path === '/coffee' ? exchange.respond({ status: 418, body: 'short and stout' }) : pass(exchange);
 * ```
 */
export type Dispatcher = (pass: Pass, site: DispatchSite) => Answerer;

/** What a host lends to its dispatchers. */
export interface DispatchSite {
  /** Owns what a dispatcher holds: files, timers. */
  readonly custodian: Custodian;
  readonly limits: Limits;
  readonly servlets: Servlets;
  /** Where the host's servlets are in a jail unless they say otherwise; null: they are not. */
  readonly jailed: Pick<ServletOptions, 'profile' | 'weakerProfile'> | null;
  readonly fileCache: FileCache;
  readonly isDevelopment: boolean;
  /** What `/conf/refresh-passwords` asks to read its file again. */
  readonly passwordFiles: Set<{ refresh(): void }>;
  /** Writes a line to the host's log. */
  warn(text: string): void;
  readonly host: Host;
}

/**
 * Tries one after the other.
 * @see Racket `sequencer:make`
 *
 * @example
 * ```ts
 * sequence(path('/health', respond(() => ({ status: 204 }))), servlets());
 * ```
 */
export function sequence(...dispatchers: readonly Dispatcher[]): Dispatcher {
  checkInner('sequence', dispatchers);
  return (pass, site) => chain(dispatchers, pass, site);
}

/** @throws TypeError for what is no dispatcher, where it was given and not only when the host starts */
export function checkInner(outer: string, inner: readonly unknown[]): void {
  for (const [index, one] of inner.entries())
    if (typeof one !== 'function')
      throw new TypeError(`Cannot use ${outer}(): dispatcher ${index} in it is of type ${typeof one}, no function`);
}

/** What gets an exchange to the first of them; what all of them pass goes to `pass`. */
export function chain(dispatchers: readonly Dispatcher[], pass: Pass, site: DispatchSite): Pass {
  return dispatchers.reduceRight<Pass>((next, dispatcher) => guarded(dispatcher(next, site), site), pass);
}

/** A dispatcher may be the operator's own: what it throws, or rejects with, is that request's failure and no one else's. */
function guarded(answer: Answerer, site: DispatchSite): Pass {
  return (exchange) => {
    try {
      answer(exchange)?.catch((error: unknown) => onFailure(error, exchange, site));
    } catch (error) {
      onFailure(error, exchange, site);
    }
  };
}

function onFailure(error: unknown, exchange: Exchange, site: DispatchSite): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  site.warn(`a dispatcher failed at ${exchange.method} ${exchange.url.slice(0, 200)}: ${text}`);
  exchange.refuse({
    status: 500,
    title: 'Internal Server Error',
    text: 'This server failed at this request.',
    code: 'CUSTODIAN_DISPATCHER',
    ...(site.isDevelopment ? { detail: text } : {}),
  });
}
