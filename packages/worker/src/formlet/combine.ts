import type { Html } from '../html/fragment.ts';
import { type Xexpr, xexprToHtml } from '../http/xexpr.ts';
import { toHtml } from '../http/xexpr.ts';
import { Formlet } from './formlet.ts';
import type { AnyFormlet } from './node.ts';

/**
 * A formlet that shows nothing, and comes to the value.
 * @see Racket `pure`
 *
 * @example
 * ```ts
 * await pure(7).process(new URLSearchParams()); // 7
 * ```
 */
export function pure<Value>(value: Value): Formlet<Value> {
  return new Formlet({ kind: 'pure', value });
}

/**
 * Shows the one and then the other, and comes to what the function that the first comes to makes of the second's result.
 * @see Racket `cross`
 *
 * @example
 * ```ts
 * const greeting = cross(pure((name: string) => `Hello, ${name}!`), inputString);
 * await greeting.process(new URLSearchParams({ input_0: 'Jay' })); // 'Hello, Jay!'
 * ```
 */
export function cross<Value, Result>(
  change: Formlet<(value: Value) => Result>,
  value: Formlet<Value>,
): Formlet<Awaited<Result>> {
  return new Formlet({ kind: 'cross', parts: [change, value] });
}

/**
 * The same for a function of several values.
 * @see Racket `cross*`
 *
 * @example
 * ```ts
 * const sum = crossAll(pure((one: number, other: number) => one + other), inputInteger, inputInteger);
 * await sum.process(new URLSearchParams({ input_0: '3', input_1: '4' })); // 7
 * ```
 */
export function crossAll<Values extends readonly unknown[], Result>(
  change: Formlet<(...values: Values) => Result>,
  ...values: { [Index in keyof Values]: Formlet<Values[Index]> }
): Formlet<Awaited<Result>> {
  return new Formlet({ kind: 'cross', parts: [change, ...(values as readonly AnyFormlet[])] });
}

/**
 * A formlet that shows something that is no input, and comes to the function that gives back what it is given: so it can stand in
 * front of another one in {@link cross}.
 * @see Racket `xml`, `xml-forest`, `text`
 *
 * @example
 * ```ts
 * cross(shown(['b', 'Name: ']), inputString).display().text;
 * // '<b>Name: </b><input type="text" name="input_0" required>'
 * ```
 */
export function shown(what: string | Html | Xexpr): Formlet<<Value>(value: Value) => Value> {
  return new Formlet({ kind: 'shown', value: Array.isArray(what) ? toHtml(what as Xexpr) : what });
}

/**
 * A formlet within an element.
 * @see Racket `tag-xexpr`
 *
 * @example
 * ```ts
 * tagged('div', { class: 'date' }, inputInteger).display().text;
 * // '<div class="date"><input type="text" name="input_0" required></div>'
 * ```
 */
export function tagged<Value>(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  inner: Formlet<Value>,
): Formlet<Value> {
  // A wrong name is an error here, not when the form is shown.
  xexprToHtml([tag, attributes]);
  return new Formlet({ kind: 'tag', tag, attributes, inner });
}
