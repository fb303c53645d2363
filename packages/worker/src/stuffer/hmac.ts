import type * as NodeCrypto from 'node:crypto';
import { concat } from './bytes.ts';
import { type Stuffer, StufferError } from './stuffer.ts';

let loaded: typeof NodeCrypto | null = null;
const crypto = (): typeof NodeCrypto => (loaded ??= process.getBuiltinModule('node:crypto'));

/**
 * The HMAC-SHA1 of bytes: 20 of them.
 * @see Racket `HMAC-SHA1`
 *
 * @example
 * ```ts
 * Buffer.from(hmacSha1(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'))).toString('hex'); // 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'
 * ```
 */
export function hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return crypto().createHmac('sha1', key).update(bytes).digest();
}

/**
 * Signs: the HMAC of the bytes stands in front of them. Everybody can still read them, and there is no expiry;
 * `sealStuffer` has both.
 * @param hash `sha1` is Racket's, 20 bytes
 * @throws StufferError (from `out`) when they are not signed, or were changed
 * @see Racket `HMAC-SHA1-stuffer`
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, hmacStuffer(Buffer.from('at least thirty-two random bytes')), base64UrlStuffer);
 * ```
 */
export function hmacStuffer(
  key: Uint8Array,
  { hash = 'sha256' }: { hash?: 'sha1' | 'sha256' } = {},
): Stuffer<Uint8Array, Uint8Array> {
  const sign = (bytes: Uint8Array): Uint8Array => crypto().createHmac(hash, key).update(bytes).digest();
  return {
    in: (bytes) => concat(sign(bytes), bytes),
    out: (stuffed) => {
      const length = hash === 'sha1' ? 20 : 32;
      const bytes = stuffed.subarray(length);
      if (stuffed.length < length || !crypto().timingSafeEqual(stuffed.subarray(0, length), sign(bytes)))
        throw new StufferError('Cannot turn bytes back: the signature does not match');
      return bytes;
    },
  };
}
