import type { Exchange } from '../http/exchange.ts';
import type { ErrorPage } from '../http/error-page.ts';
import { checkOptions } from '../option-checks.ts';
import { checkLimit } from '../option-tables.ts';
import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

export interface LimitOptions {
  /** So many exchanges may be under way at once. */
  maxCount: number;
  /**
   * What becomes of one more: it waits for another to end (default; at most `queueTimeoutMs`), is dropped itself, or has the
   * one dropped that came first.
   */
  over?: 'wait' | 'drop-new' | 'drop-old';
}

const PAGE: ErrorPage = {
  status: 503,
  title: 'Not available at the moment',
  text: 'Too many requests are under way here already. Try again in a moment.',
  code: 'LIMIT_DISPATCHER',
  retryAfterSeconds: 1,
};

/**
 * Lets so many exchanges at once be with `inner`. What is dropped gets 503, or is cut when its response has begun.
 * @see Racket `limit:make` with its `#:over-limit` of `block`, `kill-new` and `kill-old`
 * @throws ConfigError for an option that is wrong, RangeError for a count below 1
 *
 * @example
 * ```ts
 * filter(/^\/report/, limit({ maxCount: 2 }, servlets()));
 * ```
 */
export function limit(options: LimitOptions, ...inner: readonly Dispatcher[]): Dispatcher {
  checkOptions('Cannot limit', checkLimit, options);
  checkInner('limit', inner);
  const { maxCount, over = 'wait' } = options;
  if (maxCount < 1) throw new RangeError('Cannot limit: maxCount is 0, and nothing would ever be answered');
  return (pass, site) => {
    const running = new Set<Exchange>();
    const waiting = new Map<Exchange, NodeJS.Timeout>();
    const { queueMaxCount, queueTimeoutMs } = site.limits;

    // What `inner` passes is not under way here any more.
    const answer = chain(
      inner,
      (exchange) => {
        end(exchange);
        pass(exchange);
      },
      site,
    );
    const end = (exchange: Exchange): void => {
      if (!running.delete(exchange)) return;
      const [next] = waiting.keys();
      if (next === undefined) return;
      stopWaiting(next);
      begin(next);
    };
    const begin = (exchange: Exchange): void => {
      running.add(exchange);
      exchange.whenDone(() => end(exchange));
      if (!exchange.isDone) answer(exchange);
    };
    const stopWaiting = (exchange: Exchange): void => {
      clearTimeout(waiting.get(exchange));
      waiting.delete(exchange);
    };
    const wait = (exchange: Exchange): void => {
      if (waiting.size >= queueMaxCount) return exchange.refuse(PAGE);
      waiting.set(
        exchange,
        setTimeout(() => exchange.refuse(PAGE), queueTimeoutMs),
      );
      exchange.whenDone(() => stopWaiting(exchange));
    };

    return (exchange) => {
      if (running.size < maxCount) return begin(exchange);
      switch (over) {
        case 'wait':
          return wait(exchange);
        case 'drop-new':
          return exchange.refuse(PAGE);
        case 'drop-old': {
          const [oldest] = running;
          oldest?.drop(PAGE);
          return begin(exchange);
        }
      }
    };
  };
}
