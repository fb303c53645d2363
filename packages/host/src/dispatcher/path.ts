import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

/**
 * Lets `inner` have what is asked for at exactly this path, which is decoded and without parameters and query.
 * @see Racket `pathprocedure:make`
 *
 * @example
 * ```ts
 * path('/health', respond(() => ({ status: 204 })));
 * ```
 */
export function path(exact: string, ...inner: readonly Dispatcher[]): Dispatcher {
  if (typeof exact !== 'string' || !exact.startsWith('/'))
    throw new TypeError(`Cannot match the path ${JSON.stringify(exact)}: it does not begin with a slash`);
  checkInner('path', inner);
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => (exchange.path === exact ? answer(exchange) : pass(exchange));
  };
}
