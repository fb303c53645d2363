import { statelessRegexp } from '../stateless-regexp.ts';
import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

/**
 * Lets `inner` have what is asked for at a path in which `regexp` finds something; passes everything else, and what `inner`
 * passes. The path is decoded, without parameters and query.
 * @see Racket `filter:make`
 *
 * @example
 * ```ts
 * filter(/^\/static\//, files({ root: 'public' }));
 * ```
 */
export function filter(regexp: RegExp, ...inner: readonly Dispatcher[]): Dispatcher {
  if (!(regexp instanceof RegExp)) throw new TypeError(`Cannot filter: ${typeof regexp} is no RegExp`);
  checkInner('filter', inner);
  const pattern = statelessRegexp(regexp);
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => {
      const { path } = exchange;
      return path !== null && pattern.test(path) ? answer(exchange) : pass(exchange);
    };
  };
}
