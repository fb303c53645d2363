import type { Exchange } from '../http/exchange.ts';
import { statelessRegexp } from '../stateless-regexp.ts';
import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

/**
 * A virtual host: lets `inner` have what is asked of it, by the name in the request (RFC 9112 §3.3: of its target, else of
 * its Host header), lower-cased. A name with a port matches that port alone, one without matches any; a regexp is tried on
 * the name with its port as it was sent.
 * @see Racket `host:make`, the virtual host table
 *
 * @example
 * ```ts
 * site('example.org', files({ root: 'example.org' }));
 * ```
 */
export function site(host: string | RegExp, ...inner: readonly Dispatcher[]): Dispatcher {
  if (!(host instanceof RegExp) && (typeof host !== 'string' || host === ''))
    throw new TypeError(`Cannot match the site ${JSON.stringify(host)}: it is no name and no RegExp`);
  checkInner('site', inner);
  const matches = matcherOf(host);
  return (pass, lent) => {
    const answer = chain(inner, pass, lent);
    return (exchange) => (matches(siteOf(exchange)) ? answer(exchange) : pass(exchange));
  };
}

/** The name that a request was sent to, with its port if it has one; empty when it names none. */
function siteOf(exchange: Exchange): string {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(exchange.url) ?? [];
  return (authority ?? exchange.header('host') ?? '').toLowerCase();
}

function matcherOf(host: string | RegExp): (given: string) => boolean {
  if (host instanceof RegExp) {
    const pattern = statelessRegexp(host);
    return (given) => pattern.test(given);
  }
  const wanted = split(host.toLowerCase());
  return (given) => {
    const { name, port } = split(given);
    return name === wanted.name && (wanted.port === '' || port === wanted.port);
  };
}

/** The dot that may end a full name is none of it. */
function split(host: string): { name: string; port: string } {
  const [, name = host, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host) ?? [];
  return { name: name.replace(/\.$/, ''), port };
}
