import { asBuffer } from './bytes.ts';
import { type Stuffer, StufferError } from './stuffer.ts';

/**
 * Base64 with the plain alphabet, in one line.
 * @see Racket `base64-stuffer`
 *
 * @example
 * ```ts
 * Buffer.from(base64Stuffer.in(Uint8Array.of(255, 239))).toString(); // '/+8='
 * ```
 */
export const base64Stuffer: Stuffer<Uint8Array, Uint8Array> = base64(
  'base64',
  /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/,
);

/**
 * Base64 of what URLs are made of, without padding.
 *
 * @example
 * ```ts
 * Buffer.from(base64UrlStuffer.in(Uint8Array.of(255, 239))).toString(); // '_-8'
 * ```
 */
export const base64UrlStuffer: Stuffer<Uint8Array, Uint8Array> = base64('base64url', /^[\w-]*$/);

function base64(encoding: 'base64' | 'base64url', pattern: RegExp): Stuffer<Uint8Array, Uint8Array> {
  return {
    in: (bytes) => Buffer.from(asBuffer(bytes).toString(encoding), 'latin1'),
    out: (stuffed) => {
      const text = asBuffer(stuffed).toString('latin1');
      const bytes = Buffer.from(text, encoding);
      // One text for the same bytes: a second one would be a second URL.
      if (!pattern.test(text) || bytes.toString(encoding) !== text)
        throw new StufferError('Cannot turn bytes back: they are not base64');
      return bytes;
    },
  };
}
