import type { ServletRequest } from '../http/request.ts';
import { nextDispatcher } from './next-dispatcher.ts';
import { DispatchUrlError } from './pattern.ts';
import { Otherwise, Rule } from './rule.ts';
import { segmentsOf } from './segments.ts';

/** A rule, whatever its types. */
export interface AnyRule {
  readonly handler: (request: ServletRequest, ...values: never) => unknown;
  url(...values: never): string;
  match(method: string, segments: readonly string[]): readonly unknown[] | null;
}
export type AnyOtherwise = Otherwise<(request: ServletRequest) => unknown>;

type HandlerOf<Each> = Each extends { handler: infer Handler } ? Handler : never;
type ResultOf<Each> = HandlerOf<Each> extends (...args: never) => infer Result ? Result : never;
type UrlRule = { handler: unknown; url(...values: never): string };
/** The values of those rules whose handler is of the very type. */
type ValuesFor<Each, Handler> = Each extends { handler: infer Own; url(...values: infer Values): string }
  ? [Own, Handler] extends [Handler, Own]
    ? Values
    : never
  : never;

/** What rules come to: which function answers a request, and which URL leads to a function. */
export interface Dispatch<Rules extends readonly unknown[]> {
  /**
   * Answers by the first rule that matches. A function that suspends may be called by it.
   * @throws NextDispatcherError when none does
   */
  readonly dispatch: (request: ServletRequest) => ResultOf<Rules[number]>;
  /**
   * The path that leads to a function of the rules, with these values.
   * @throws DispatchUrlError when the values do not fit, or the function is of no rule
   */
  readonly url: <Handler extends HandlerOf<Extract<Rules[number], UrlRule>>>(
    handler: Handler,
    ...values: ValuesFor<Rules[number], Handler>
  ) => string;
  /** Is there a rule for the request? */
  readonly applies: (request: ServletRequest) => boolean;
}

/**
 * Pretty URLs, in both directions: rules lead from a path to a function and its values, and back. The first rule that matches
 * answers. A path is compared segment by segment, decoded, without its query and its parameters. What no rule answers is left
 * to others, as by {@link nextDispatcher}, unless there is an {@link otherwise}.
 * A handler that makes URLs of its own rules states its result, since the rules' types depend on it.
 * @see Racket `dispatch-rules`, `dispatch-rules+applies`, `dispatch-case`, `dispatch-url`
 *
 * @example
 * ```ts
 * const listPosts = (): Html => html`<a href="${blog.url(reviewPost, 'Hello, World')}">Hello</a>`;
 * const reviewPost = (request: ServletRequest, title: string): Html => html`<h1>${title}</h1>`;
 * const reviewArchive = (request: ServletRequest, year: number, month: number): Html => html`<h1>${month}/${year}</h1>`;
 *
 * const blog = dispatchRules(
 *   rule`/`(listPosts),
 *   rule`/posts/${stringArg}`(reviewPost),
 *   rule`/archive/${integerArg}/${integerArg}`(reviewArchive),
 * );
 * blog.url(reviewArchive, 1984, 11); // '/archive/1984/11'
 * blog.url(reviewPost, 'a b/c?é'); // '/posts/a%20b%2Fc%3F%C3%A9'
 * ```
 */
export function dispatchRules<const Rules extends readonly (AnyRule | AnyOtherwise)[]>(
  ...rules: Rules
): Dispatch<Rules> {
  const list = new RuleList(rules);
  return {
    dispatch: (request) => list.dispatch(request, nextDispatcher) as ResultOf<Rules[number]>,
    url: (handler, ...values) => list.url(handler, values),
    applies: (request) => list.find(request) !== null,
  };
}

/** A function that answers, and the values in the path. */
interface Found {
  handler: (request: ServletRequest, ...values: never) => unknown;
  values: readonly unknown[];
}

const NO_VALUES: readonly unknown[] = [];

export class RuleList {
  readonly #rules: readonly AnyRule[];
  readonly #otherwise: AnyOtherwise | null;

  constructor(rules: readonly (AnyRule | AnyOtherwise)[]) {
    const last = rules.at(-1);
    this.#otherwise = last instanceof Otherwise ? last : null;
    this.#rules = (this.#otherwise === null ? rules : rules.slice(0, -1)) as readonly AnyRule[];
    for (const rule of this.#rules)
      if (!(rule instanceof Rule))
        throw new TypeError('Cannot make rules: one of them is none, or otherwise(…) is not the last');
  }

  find(request: ServletRequest): Found | null {
    const method = request.method.toUpperCase();
    const segments = segmentsOf(request.path);
    if (segments !== null) {
      for (const rule of this.#rules) {
        const values = rule.match(method, segments);
        if (values !== null) return { handler: rule.handler, values };
      }
    }
    return this.#otherwise === null ? null : { handler: this.#otherwise.handler, values: NO_VALUES };
  }

  /** Calls the function that answers and returns what it returns, the very promise: so that a suspension in it can pass. */
  dispatch(request: ServletRequest, otherwise: () => unknown): unknown {
    const found = this.find(request);
    if (found === null) return otherwise();
    return found.handler(request, ...(found.values as never));
  }

  /** null: none of the rules is the function's. @throws DispatchUrlError when the values fit none that are */
  urlOrNull(handler: unknown, values: readonly unknown[]): string | null {
    let failure: unknown = null;
    for (const rule of this.#rules) {
      if (rule.handler !== handler) continue;
      try {
        return rule.url(...(values as never));
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== null) throw failure;
    return null;
  }

  url(handler: unknown, values: readonly unknown[]): string {
    return this.urlOrNull(handler, values) ?? noUrl(handler);
  }
}

export function noUrl(handler: unknown): never {
  const name = typeof handler === 'function' && handler.name !== '' ? `the function "${handler.name}"` : 'the function';
  throw new DispatchUrlError(`Cannot make a URL: no rule leads to ${name}`);
}
