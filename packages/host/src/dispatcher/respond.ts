import type { Exchange } from '../http/exchange.ts';
import type { HostAnswer } from '../http/host-answer.ts';
import type { Dispatcher } from './dispatcher.ts';

/**
 * Answers everything with what the function makes of it, in the host's own process.
 * @see Racket `lift:make`
 *
 * @example
 * ```ts
 * path('/robots.txt', respond(() => ({ headers: { 'Content-Type': 'text/plain' }, body: 'User-agent: *' })));
 * ```
 */
export function respond(make: (exchange: Exchange) => HostAnswer | Promise<HostAnswer>): Dispatcher {
  if (typeof make !== 'function')
    throw new TypeError(`Cannot respond: ${typeof make} is no function that makes an answer`);
  return () => (exchange) => {
    const made = make(exchange);
    if (!(made instanceof Promise)) return exchange.respond(made);
    return made.then((late) => {
      if (!exchange.isDone) exchange.respond(late);
    });
  };
}
