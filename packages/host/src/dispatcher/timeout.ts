import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

/**
 * Sets how long what comes by may be silent, in ms, in the place of `bodyTimeoutMs` and `sendTimeoutMs`: between two pieces
 * of its body, and between two of its response. When a servlet must have begun to answer is said by its `wallMs`.
 * @see Racket `timeout:make`, which adds the time to what the connection has left
 * @throws RangeError when `ms` is no time
 *
 * @example
 * ```ts
 * filter(/^\/events/, timeout(3_600_000, servlets()));
 * ```
 */
export function timeout(ms: number, ...inner: readonly Dispatcher[]): Dispatcher {
  checkInner('timeout', inner);
  if (!(ms > 0)) throw new RangeError(`Cannot set a timeout: ${String(ms)} is no number of ms above 0`);
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => {
      exchange.silenceMaxMs = ms;
      answer(exchange);
    };
  };
}
