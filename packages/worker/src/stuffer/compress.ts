import type * as NodeZlib from 'node:zlib';
import { asBuffer, concat, readVarint, varint } from './bytes.ts';
import { type Stuffer, StufferError } from './stuffer.ts';

// Loaded by the first that is large enough: most pages are not.
let loaded: typeof NodeZlib | null = null;
const zlib = (): typeof NodeZlib => (loaded ??= process.getBuiltinModule('node:zlib'));

/** Nothing is inflated to more, whatever it says of itself. */
export const PLAIN_MAX_BYTES: number = 4 << 20;

/** Raw DEFLATE; null when it would not be shorter. */
export function deflate(bytes: Uint8Array): Uint8Array | null {
  const deflated = zlib().deflateRawSync(bytes);
  return deflated.length < bytes.length ? deflated : null;
}

/** @throws StufferError when it is not raw DEFLATE of exactly `plainBytes` bytes */
export function inflate(deflated: Uint8Array, plainBytes: number): Uint8Array {
  if (plainBytes <= PLAIN_MAX_BYTES) {
    try {
      // Without room for one byte more, too much would be cut off and not found out.
      const plain = zlib().inflateRawSync(deflated, { maxOutputLength: plainBytes + 1 });
      if (plain.length === plainBytes) return plain;
    } catch {
      // Said below.
    }
  }
  throw new StufferError('Cannot inflate bytes: they are not what they say');
}

/**
 * Compresses. In front stands the plain length, so that no bytes can be inflated to more than they say; nor to more
 * than 4 MiB. It holds raw DEFLATE: Racket's has the time in its head, so that the same bytes give others each time.
 * @throws StufferError (from `out`)
 * @see Racket `gzip-stuffer`
 *
 * @example
 * ```ts
 * gzipStuffer.in(new Uint8Array(1000)).length < 20; // true
 * ```
 */
export const gzipStuffer: Stuffer<Uint8Array, Uint8Array> = {
  in: (bytes) => concat(Uint8Array.from(varint(bytes.length)), zlib().deflateRawSync(bytes)),
  out: (stuffed) => {
    const length = readVarint(stuffed, 0);
    if (length === null) throw new StufferError('Cannot inflate bytes: they do not say how many they are');
    return inflate(asBuffer(stuffed).subarray(length.end), length.value);
  },
};
