import { type Dispatcher, chain } from './dispatcher.ts';

/**
 * Lets `inner` have requests of these methods, whose case counts (RFC 9110 §9.1).
 * @see Racket `method:make`
 * @example method(['GET', 'HEAD'], files({ root: 'public' }))
 */
export function method(names: string | readonly string[], ...inner: readonly Dispatcher[]): Dispatcher {
  const wanted = new Set(typeof names === 'string' ? [names] : names);
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => (wanted.has(exchange.method) ? answer(exchange) : pass(exchange));
  };
}
