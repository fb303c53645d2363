import type { Saved } from '../continuation/serialize/saved.ts';
import { base64UrlStuffer } from './base64.ts';
import { asBuffer, concat } from './bytes.ts';
import { hashStuffer, type StufferStore } from './hash.ts';
import { hostStore } from './host-store.ts';
import { type SealOptions, sealStuffer } from './seal-stuffer.ts';
import { serializeStuffer } from './serialize.ts';
import { type Stuffer, stufferChain, StufferError } from './stuffer.ts';
import { isUrlTooBig } from './stuffing.ts';

export interface DefaultStufferOptions extends SealOptions {
  /** Where what is too long for a URL is kept; default: the host's store. */
  store?: StufferStore;
}

/**
 * What a stateless servlet uses if it exports no `stuffer`: serialized, compressed where that helps, sealed, and then in
 * the URL itself as long as that has at most 2,048 characters, or the hidden field 65,536; else in the store.
 * @see Racket `make-default-stuffer`
 *
 * @example
 * ```ts
 * const stuffer = createDefaultStuffer({ lifetimeMs: 3_600_000 });
 * ```
 */
export function createDefaultStuffer(options: DefaultStufferOptions = {}): Stuffer<Saved, Uint8Array> {
  return stufferChain(serializeStuffer, sealStuffer(options), inPlaceOr(options.store ?? hostStore(options)));
}

/**
 * @see Racket `default-stuffer`
 *
 * @example
 * ```ts
 * const stuffer = defaultStuffer;
 * ```
 */
export const defaultStuffer: Stuffer<Saved, Uint8Array> = createDefaultStuffer();

const KEPT = 0x31;
const IN_PLACE = 0x30;

/** `0` and the bytes in base64url; or, where that is too long, `1` and the key under which the bytes are kept as they are. */
function inPlaceOr(store: StufferStore): Stuffer<Uint8Array, Uint8Array> {
  const kept = hashStuffer(store);
  return {
    in: (bytes) => {
      const text = concat(Uint8Array.of(IN_PLACE), base64UrlStuffer.in(bytes));
      return isUrlTooBig(text) ? concat(Uint8Array.of(KEPT), kept.in(bytes)) : text;
    },
    out: (stuffed) => {
      const rest = asBuffer(stuffed).subarray(1);
      if (stuffed[0] === IN_PLACE) return base64UrlStuffer.out(rest);
      if (stuffed[0] === KEPT) return kept.out(rest);
      throw new StufferError('Cannot turn bytes back: they begin neither with 1 nor with 0');
    },
  };
}
