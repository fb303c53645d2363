import type { ErrorPage } from './error-page.ts';
import type { Exchange } from './exchange.ts';
import type { HostAnswer } from './host-answer.ts';

/**
 * Makes the answer where a servlet has none. `page` is what the host would show; its `detail` is there in development only.
 * @returns null for the host's page
 * @see Racket `#:servlet-responder`, `#:servlet-loading-responder`
 */
export type ServletResponder = (exchange: Exchange, page: ErrorPage) => HostAnswer | null;

const LOADING = new Set(['SERVLET_LOAD', 'SERVLET_BENCHED']);

/** Chooses the responder for a page of the host's, and does without one that fails. */
export function createPageInstead(
  responders: { loading: ServletResponder | undefined; running: ServletResponder | undefined },
  warn: (text: string) => void,
): (page: ErrorPage, exchange: Exchange) => HostAnswer | null {
  return (page, exchange) => {
    const responder = LOADING.has(page.code)
      ? responders.loading
      : page.status >= 500 && exchange.startedAt > 0
        ? responders.running
        : undefined;
    try {
      return responder?.(exchange, page) ?? null;
    } catch (error) {
      warn(`a responder failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return null;
    }
  };
}
