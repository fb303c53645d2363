import { type PathArg, RestArg } from './arg.ts';

/** What may stand in a pattern. */
export type AnyArg = PathArg<unknown> | RestArg<unknown>;

/** The values that the arguments of a pattern carry, in order. */
export type ValuesOf<Args extends readonly AnyArg[]> = {
  -readonly [Index in keyof Args]: Args[Index] extends RestArg<infer Value>
    ? Value[]
    : Args[Index] extends PathArg<infer Value>
      ? Value
      : never;
};

/** No URL can be made: the values do not fit, or no rule is the function's. */
export class DispatchUrlError extends TypeError {
  override readonly name = 'DispatchUrlError';
  readonly code = 'SERVLET_DISPATCH_URL';
}

/** A path with places for values. */
export class Pattern {
  readonly #segments: readonly (string | PathArg<unknown>)[];
  readonly #rest: PathArg<unknown> | null;
  readonly #argCount: number;

  /** @throws TypeError for a pattern that is no path, and for arguments that are no whole segments */
  constructor(strings: readonly string[], args: readonly AnyArg[]) {
    const segments = segmentsOf(strings, args);
    const last = segments.at(-1);
    this.#rest = last instanceof RestArg ? last.each : null;
    if (this.#rest !== null) segments.pop();
    this.#segments = segments as readonly (string | PathArg<unknown>)[];
    this.#argCount = args.length;
  }

  /** The values in a path; null: it is of another pattern. `segments`: decoded, without the slash in front. */
  match(segments: readonly string[]): unknown[] | null {
    const own = this.#segments;
    if (this.#rest === null ? segments.length !== own.length : segments.length < own.length) return null;
    // Texts first: they are cheap to compare, and most patterns differ in them.
    for (let index = 0; index < own.length; index += 1) {
      const segment = own[index];
      if (typeof segment === 'string' && segment !== segments[index]) return null;
    }
    const values: unknown[] = [];
    for (let index = 0; index < own.length; index += 1) {
      const segment = own[index];
      if (typeof segment === 'string') continue;
      const value = (segment as PathArg<unknown>).in(segments[index] as string);
      if (value === undefined) return null;
      values.push(value);
    }
    if (this.#rest === null) return values;
    const rest: unknown[] = [];
    // The path of a site has one segment, and that is none of the rest.
    if (own.length === 0 && segments.length === 1 && segments[0] === '') return [...values, rest];
    for (let index = own.length; index < segments.length; index += 1) {
      const value = this.#rest.in(segments[index] as string);
      if (value === undefined) return null;
      rest.push(value);
    }
    values.push(rest);
    return values;
  }

  /** The path that carries the values. @throws DispatchUrlError */
  path(values: readonly unknown[]): string {
    if (values.length !== this.#argCount)
      throw this.#error(`it takes ${this.#argCount} values, and got ${values.length}`);
    let next = 0;
    let path = '';
    for (const segment of this.#segments) {
      path += `/${typeof segment === 'string' ? encodeURIComponent(segment) : this.#encoded(segment, values[next])}`;
      if (typeof segment !== 'string') next += 1;
    }
    if (this.#rest !== null) {
      const rest = values[next];
      if (!Array.isArray(rest)) throw this.#error('its last value is not an array');
      for (const value of rest as unknown[]) path += `/${this.#encoded(this.#rest, value)}`;
      if (path === '/') throw this.#error('the root has no segments');
    }
    // A visitor who asks for `//evil.example/` must not be given it back as a link.
    if (path.startsWith('//')) throw this.#error("browsers take what begins with two slashes for another site's");
    return path === '' ? '/' : path;
  }

  /** As its author wrote it. */
  toString(): string {
    const segments = this.#segments.map((segment) => (typeof segment === 'string' ? segment : '…'));
    return `/${[...segments, ...(this.#rest === null ? [] : ['…'])].join('/')}`;
  }

  #encoded(arg: PathArg<unknown>, value: unknown): string {
    let segment: string;
    try {
      segment = arg.out(value);
      // Its own other direction must understand it: else the URL would lead elsewhere.
      if (typeof segment !== 'string' || arg.in(segment) === undefined) throw new TypeError('a value makes no segment');
      if (segment !== '.' && segment !== '..') return encodeURIComponent(segment);
    } catch (cause) {
      throw this.#error((cause as Error).message, cause);
    }
    throw this.#error(`browsers take the segment "${segment}" out of a path`);
  }

  #error(state: string, cause?: unknown): DispatchUrlError {
    const error = new DispatchUrlError(`Cannot make a URL of ${String(this)}: ${state}`);
    if (cause !== undefined) error.cause = cause;
    return error;
  }
}

function segmentsOf(strings: readonly string[], args: readonly AnyArg[]): (string | AnyArg)[] {
  const first = strings[0] as string;
  const whole = strings.join('${…}');
  if (!first.startsWith('/') || /[?#]/.test(strings.join('')))
    throw new TypeError(`Cannot read the pattern "${whole}": it is not a path that begins with a slash`);
  const segments: (string | AnyArg)[] = [];
  for (const [index, text] of strings.entries()) {
    const isFirst = index === 0;
    const isLast = index === args.length;
    const parts = text.split('/');
    if (!isFirst && parts.shift() !== '') throw glued(whole);
    if (isFirst) parts.shift();
    if (!isLast && parts.pop() !== '') throw glued(whole);
    segments.push(...parts);
    if (!isLast) {
      const arg = args[index] as AnyArg;
      if (
        arg instanceof RestArg ? index !== args.length - 1 || strings[index + 1] !== '' : typeof arg?.in !== 'function'
      )
        throw new TypeError(
          `Cannot read the pattern "${whole}": ${arg instanceof RestArg ? 'restArg stands at its end' : 'a value in it is no argument'}`,
        );
      segments.push(arg);
    }
  }
  return segments;
}

function glued(pattern: string): TypeError {
  return new TypeError(`Cannot read the pattern "${pattern}": an argument is a whole segment, between slashes`);
}
