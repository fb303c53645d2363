import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

// RFC 9110 §9.1.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Lets `inner` have requests of these methods, whose case counts (RFC 9110 §9.1).
 * @see Racket `method:make`
 *
 * @example
 * ```ts
 * method(['GET', 'HEAD'], files({ root: 'public' }));
 * ```
 */
export function method(names: string | readonly string[], ...inner: readonly Dispatcher[]): Dispatcher {
  const list: readonly unknown[] = typeof names === 'string' ? [names] : names;
  const wrong = Array.isArray(list) ? list.find((name) => typeof name !== 'string' || !TOKEN.test(name)) : names;
  if (wrong !== undefined) throw new TypeError(`Cannot match the method ${JSON.stringify(wrong)}: it is none`);
  checkInner('method', inner);
  const wanted = new Set(list);
  return (pass, site) => {
    const answer = chain(inner, pass, site);
    return (exchange) => (wanted.has(exchange.method) ? answer(exchange) : pass(exchange));
  };
}
