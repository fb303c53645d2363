import { type Dispatcher, chain } from './dispatcher.ts';

/**
 * Lets `inner` have what is asked for at exactly this path, which is decoded and without parameters and query.
 * @see Racket `pathprocedure:make`
 * @example path('/health', respond(() => ({ status: 204 })))
 */
export function path(exact: string, ...inner: readonly Dispatcher[]): Dispatcher {
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => (exchange.path === exact ? answer(exchange) : pass(exchange));
  };
}
