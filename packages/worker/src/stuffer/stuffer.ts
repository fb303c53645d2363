import { concat } from './bytes.ts';

/**
 * An invertible function: `out(in(x))` is `x`. What takes part in making a page goes in at once; what is found again
 * may be waited for.
 * @see Racket `stuffer`
 */
export interface Stuffer<Value, Stuffed> {
  in(value: Value): Stuffed;
  out(stuffed: Stuffed): Value | Promise<Value>;
}

/** Does a stuffer apply? */
export type StufferCondition = (bytes: Uint8Array) => boolean;

/** Bytes were not made by the stuffer that should turn them back, or were changed since. */
export class StufferError extends Error {
  override readonly name = 'StufferError';
  readonly code = 'SERVLET_STUFFER';
}

/**
 * The identity.
 * @see Racket `id-stuffer`
 *
 * @example
 * ```ts
 * idStuffer<string>().in('tea'); // 'tea'
 * ```
 */
export function idStuffer<Value>(): Stuffer<Value, Value> {
  return { in: (value) => value, out: (stuffed) => stuffed };
}

/**
 * First `f`, then `g`.
 * @see Racket `stuffer-compose`
 *
 * @example
 * ```ts
 * const stuffer = stufferCompose(base64Stuffer, gzipStuffer);
 * Buffer.from(await stuffer.out(stuffer.in(Buffer.from('tea')))).toString(); // 'tea'
 * ```
 */
export function stufferCompose<Value, Middle, Stuffed>(
  g: Stuffer<Middle, Stuffed>,
  f: Stuffer<Value, Middle>,
): Stuffer<Value, Stuffed> {
  return {
    in: (value) => g.in(f.in(value)),
    out: (stuffed) => {
      const middle = g.out(stuffed);
      return middle instanceof Promise ? middle.then((each) => f.out(each)) : f.out(middle);
    },
  };
}

/**
 * First `f`, then `g`: {@link stufferCompose} with its arguments swapped.
 * @see Racket `stuffer-sequence`
 *
 * @example
 * ```ts
 * const stuffer = stufferSequence(gzipStuffer, base64UrlStuffer);
 * Buffer.from(await stuffer.out(stuffer.in(Buffer.from('tea')))).toString(); // 'tea'
 * ```
 */
export function stufferSequence<Value, Middle, Stuffed>(
  f: Stuffer<Value, Middle>,
  g: Stuffer<Middle, Stuffed>,
): Stuffer<Value, Stuffed> {
  return stufferCompose(g, f);
}

const STUFFED = 0x31;
const PLAIN = 0x30;

/**
 * Stuffs with `f` where the condition holds. A byte in front remembers: `1` it did, `0` it did not.
 * @throws StufferError (from `out`) when that byte is missing
 * @see Racket `stuffer-if`
 *
 * @example
 * ```ts
 * const stuffer = stufferIf((bytes) => bytes.length > 100, gzipStuffer);
 * stuffer.in(new Uint8Array(5))[0] === 0x30; // true
 * ```
 */
export function stufferIf(
  condition: StufferCondition,
  f: Stuffer<Uint8Array, Uint8Array>,
): Stuffer<Uint8Array, Uint8Array> {
  return {
    in: (bytes) =>
      condition(bytes) ? concat(Uint8Array.of(STUFFED), f.in(bytes)) : concat(Uint8Array.of(PLAIN), bytes),
    out: (stuffed) => {
      const rest = stuffed.subarray(1);
      switch (stuffed[0]) {
        case STUFFED:
          return f.out(rest);
        case PLAIN:
          return rest;
        default:
          throw new StufferError('Cannot turn bytes back: they begin neither with 1 nor with 0');
      }
    },
  };
}

/** A link of a chain: a stuffer, or a condition for all that follows it. */
export type StufferLink = Stuffer<Uint8Array, Uint8Array> | StufferCondition;

/**
 * One after another; a condition guards the rest of the chain, as `stufferIf` does.
 * @see Racket `stuffer-chain`
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, isUrlTooBig, gzipStuffer, base64UrlStuffer, isUrlTooBig, hashStuffer(hostStore()));
 * ```
 */
export function stufferChain<Value>(
  first: Stuffer<Value, Uint8Array>,
  ...links: readonly StufferLink[]
): Stuffer<Value, Uint8Array> {
  return stufferSequence(first, chainOf(links));
}

function chainOf(links: readonly StufferLink[]): Stuffer<Uint8Array, Uint8Array> {
  const [link, ...rest] = links;
  if (link === undefined) return idStuffer();
  return typeof link === 'function' ? stufferIf(link, chainOf(rest)) : stufferSequence(link, chainOf(rest));
}
