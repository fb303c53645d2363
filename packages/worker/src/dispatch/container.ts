import { Activation } from '../continuation/activation.ts';
import type { ServletRequest } from '../http/request.ts';
import { type AnyRule, noUrl, RuleList } from './dispatch-rules.ts';
import { isNextDispatcher, nextDispatcher } from './next-dispatcher.ts';

/** Rules that grow: what was added last is asked first. */
export interface DispatchContainer {
  /** Adds rules in front of those that are there. */
  add(...rules: readonly AnyRule[]): void;
  /**
   * Answers by the first rule that matches; one that leaves the request to others leaves it to older rules first.
   * @throws NextDispatcherError when none answers
   */
  readonly dispatch: (request: ServletRequest) => unknown;
  /** The path that leads to a function of the rules. `rule.url(…)` checks the values' types, too. @throws DispatchUrlError */
  readonly url: (handler: (request: ServletRequest, ...values: never) => unknown, ...values: unknown[]) => string;
  readonly applies: (request: ServletRequest) => boolean;
}

/**
 * Makes rules to which others add theirs, module by module.
 * @see Racket `define-container`, `dispatch-rules!`
 *
 * @example
 * ```ts
 * const site = createContainer();
 * const about = () => 'About us';
 * site.add(rule`/about`(about));
 * site.add(rule`/posts/${stringArg}`((request, title) => `Post ${title}`));
 * site.url(about); // '/about'
 * ```
 */
export function createContainer(): DispatchContainer {
  /** Newest first. */
  const lists: RuleList[] = [];
  const dispatchFrom = (request: ServletRequest, index: number): unknown => {
    const list = lists[index];
    if (list === undefined) return nextDispatcher();
    return orElse(
      () => list.dispatch(request, nextDispatcher),
      () => dispatchFrom(request, index + 1),
    );
  };
  return {
    add: (...rules) => void lists.unshift(new RuleList(rules)),
    dispatch: (request) => dispatchFrom(request, 0),
    url(handler, ...values) {
      for (const list of lists) {
        const url = list.urlOrNull(handler, values);
        if (url !== null) return url;
      }
      return noUrl(handler);
    },
    applies: (request) => lists.some((list) => list.find(request) !== null),
  };
}

/** What the first comes to; if that leaves the request to others, now or later, what the second does. */
function orElse(first: () => unknown, second: () => unknown): unknown {
  let result: unknown;
  try {
    result = first();
  } catch (error) {
    if (isNextDispatcher(error)) return second();
    throw error;
  }
  if (!(result instanceof Promise)) return result;
  const activation = new Activation();
  const settled = result.then(undefined, (error: unknown) => {
    if (!isNextDispatcher(error)) throw error;
    return activation.forward(second());
  });
  activation.promise = settled;
  // A suspension in the function surfaces on this promise in the place of its own: as after a `return` of it.
  void activation.forward(result);
  return settled;
}
