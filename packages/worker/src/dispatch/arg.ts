/** A segment of a path that carries a value, in both directions. */
export interface PathArg<Value> {
  /** The value that a segment stands for; undefined: it stands for none, and the rule does not match. */
  in(segment: string): Value | undefined;
  /** The segment that stands for a value. @throws TypeError when none does */
  out(value: Value): string;
}

/** The rest of a path, each segment of which carries a value. */
export class RestArg<Value> {
  readonly each: PathArg<Value>;

  constructor(each: PathArg<Value>) {
    this.each = each;
  }
}

/**
 * A kind of segment of your own.
 * @see Racket `define-bidi-match-expander`, `define-coercion-match-expander`
 *
 * @example
 * ```ts
 * const dayArg = createArg<Date>({
 *   in: (segment) => (/^\d{4}-\d\d-\d\d$/.test(segment) ? new Date(segment) : undefined),
 *   out: (day) => day.toISOString().slice(0, 10),
 * });
 * rule`/diary/${dayArg}`((request, day) => day.toDateString()).url(new Date(0)); // '/diary/1970-01-01'
 * ```
 */
export function createArg<Value>(arg: PathArg<Value>): PathArg<Value> {
  return arg;
}

/**
 * A whole number that JavaScript can count to exactly; leading zeros are allowed.
 * @see Racket `integer-arg`
 *
 * @example
 * ```ts
 * integerArg.in('08'); // 8
 * integerArg.in('8.5'); // undefined
 * ```
 */
export const integerArg: PathArg<number> = {
  in: (segment) => (/^[+-]?\d+$/.test(segment) ? checkedInteger(Number(segment)) : undefined),
  out: (value) => text(checkedInteger(value), 'a whole number', value),
};

/**
 * A number, in decimal notation.
 * @see Racket `number-arg`, `real-arg`
 *
 * @example
 * ```ts
 * numberArg.in('-8.5e3'); // -8500
 * numberArg.in('1/2'); // undefined
 * ```
 */
export const numberArg: PathArg<number> = {
  in: (segment) => (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(segment) ? finite(Number(segment)) : undefined),
  out: (value) => text(finite(value), 'a finite number', value),
};

/**
 * Any text, also an empty one.
 * @see Racket `string-arg`
 *
 * @example
 * ```ts
 * rule`/posts/${stringArg}`((request, title) => title).url('a b/c?'); // '/posts/a%20b%2Fc%3F'
 * ```
 */
export const stringArg: PathArg<string> = {
  in: (segment) => segment,
  out: (value) => text(typeof value === 'string' ? value : undefined, 'a text', value),
};

/**
 * One of a few names.
 * @see Racket `symbol-arg`
 *
 * @example
 * ```ts
 * const orderArg = oneOfArg('asc', 'desc');
 * orderArg.in('desc'); // 'desc'
 * orderArg.in('up'); // undefined
 * ```
 */
export function oneOfArg<const Names extends readonly string[]>(...names: Names): PathArg<Names[number]> {
  const known: ReadonlySet<string> = new Set(names);
  return {
    in: (segment) => (known.has(segment) ? segment : undefined),
    out: (value) => text(known.has(value) ? value : undefined, `one of ${names.join(', ')}`, value),
  };
}

/**
 * All segments to the end of the path, perhaps none, as an array.
 * @see Racket `(integer-arg) ...`
 *
 * @example
 * ```ts
 * const sum = rule`/sum/${restArg(integerArg)}`((request, numbers) => String(numbers.reduce((a, b) => a + b, 0)));
 * sum.url([1, 2, 3]); // '/sum/1/2/3'
 * sum.url([]); // '/sum'
 * ```
 */
export function restArg<Value>(each: PathArg<Value>): RestArg<Value> {
  return new RestArg(each);
}

function checkedInteger(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function text(value: string | number | undefined, kind: string, given: unknown): string {
  if (value !== undefined) return String(value);
  const shown =
    typeof given === 'string'
      ? JSON.stringify(given.slice(0, 40))
      : typeof given === 'number'
        ? String(given)
        : `a value of type ${typeof given}`;
  throw new TypeError(`${shown} is not ${kind}`);
}
