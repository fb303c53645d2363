import type { Exchange } from '../http/exchange.ts';
import type { HostAnswer } from '../http/host-answer.ts';
import { renderUnknownPage } from '../http/error-page.ts';
import type { Dispatcher } from './dispatcher.ts';

/** What the host answers when nobody else does. */
export type NotFoundResponder = (exchange: Exchange) => HostAnswer | Promise<HostAnswer>;

/**
 * Answers everything with 404: by default the tutorial's page, word for word.
 * @see Racket `gen-file-not-found-responder`
 *
 * @example
 * ```ts
 * notFound(({ url }) => ({ status: 404, body: `There is nothing at ${encodeURI(url)}.` }));
 * ```
 */
export function notFound(responder?: NotFoundResponder): Dispatcher {
  const answer = responder ?? (({ url }: Exchange): HostAnswer => ({ status: 404, body: renderUnknownPage(url) }));
  return () => (exchange) => {
    const made = answer(exchange);
    if (!(made instanceof Promise)) return exchange.refuseWith('REQUEST_NOT_FOUND', made);
    return made.then((late) => exchange.refuseWith('REQUEST_NOT_FOUND', late));
  };
}
