import type { ServletRequest } from '../http/request.ts';
import { type AnyArg, Pattern, type ValuesOf } from './pattern.ts';

/** What answers a request: the values in the path come behind it. */
export type RuleHandler<Values extends unknown[], Result = unknown> = (
  request: ServletRequest,
  ...values: Values
) => Result;

/** A path, the methods that it takes, and who answers. */
export class Rule<Values extends unknown[], Handler extends RuleHandler<Values> = RuleHandler<Values>> {
  readonly handler: Handler;
  readonly #pattern: Pattern;
  readonly #methods: ReadonlySet<string>;

  constructor(pattern: Pattern, methods: ReadonlySet<string>, handler: Handler) {
    this.#pattern = pattern;
    this.#methods = methods;
    this.handler = handler;
  }

  /** The path that leads here with these values. @throws DispatchUrlError when they do not fit */
  url(...values: Values): string {
    return this.#pattern.path(values);
  }

  /** The values for the handler; null: the request is not for it. */
  match(method: string, segments: readonly string[]): Values | null {
    return this.#methods.has(method) ? (this.#pattern.match(segments) as Values | null) : null;
  }

  toString(): string {
    return `${[...this.#methods].join('|')} ${String(this.#pattern)}`;
  }
}

/** Answers what no rule has answered. */
export class Otherwise<Handler extends RuleHandler<[]> = RuleHandler<[]>> {
  readonly handler: Handler;

  constructor(handler: Handler) {
    this.handler = handler;
  }
}

/** Gives a path to who answers it. */
export type RuleMaker<Values extends unknown[]> = <Handler extends RuleHandler<Values>>(
  handler: Handler,
) => Rule<Values, Handler>;

/** Reads a path with arguments in it. */
export type RuleTag = <const Args extends readonly AnyArg[]>(
  strings: TemplateStringsArray,
  ...args: Args
) => RuleMaker<ValuesOf<Args>>;

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * A rule of {@link dispatchRules}: a path with arguments in it, each a whole segment, and a function of the request and of
 * the values in the path. It takes GET, and HEAD with it; `rule('POST', 'PUT')` takes these methods in its place.
 * @throws TypeError for a pattern that is no path
 * @see Racket `dispatch-rules`
 *
 * @example
 * ```ts
 * const archive = rule`/archive/${integerArg}/${integerArg}`((request, year, month) => html`<h1>${month}/${year}</h1>`);
 * archive.url(2008, 2); // '/archive/2008/2'
 * const save = rule('POST')`/posts/${stringArg}`((request, title) => ({ status: 303, headers: { Location: `/posts/${title}` } }));
 * save.url('x'); // '/posts/x'
 * ```
 */
export function rule<const Args extends readonly AnyArg[]>(
  strings: TemplateStringsArray,
  ...args: Args
): RuleMaker<ValuesOf<Args>>;
export function rule(method: string, ...methods: string[]): RuleTag;
export function rule(first: TemplateStringsArray | string, ...rest: unknown[]): unknown {
  if (typeof first !== 'string') return makerOf(new Pattern(first, rest as AnyArg[]), SAFE);
  const methods = new Set([first, ...(rest as string[])].map((method) => method.toUpperCase()));
  return (strings: TemplateStringsArray, ...args: AnyArg[]) => makerOf(new Pattern(strings, args), methods);
}

function makerOf(pattern: Pattern, methods: ReadonlySet<string>): (handler: RuleHandler<never>) => Rule<never> {
  return (handler) => {
    if (typeof handler !== 'function')
      throw new TypeError(`Cannot make a rule of ${String(pattern)}: its handler is no function`);
    return new Rule(pattern, methods, handler);
  };
}

/**
 * The rule for what no other rule answers.
 * @see Racket `[else …]`
 *
 * @example
 * ```ts
 * const pages = dispatchRules(rule`/`(() => 'home'), otherwise(() => ({ status: 404, body: 'lost' })));
 * ```
 */
export function otherwise<Handler extends RuleHandler<[]>>(handler: Handler): Otherwise<Handler> {
  return new Otherwise(handler);
}
