import type { Saved } from '../continuation/serialize/saved.ts';
import type { Stuffer } from './stuffer.ts';

interface Serializer {
  encode: (saved: Saved) => Uint8Array;
  decode: (bytes: Uint8Array) => Saved;
}

let serializer: Serializer | null = null;

/** What writes continuations: loaded in threads of stateless servlets alone. */
export function useSerializer(loaded: Serializer): void {
  serializer = loaded;
}

function loaded(): Serializer {
  if (serializer === null) throw new Error('Cannot serialize a continuation: the servlet is not stateless');
  return serializer;
}

/**
 * Writes the rest of a run as bytes. They must never be read back from a visitor unless something after it in the chain
 * has made sure that they were not changed.
 * @throws UnserializableError; CodeChangedError, DecodeError (from `out`)
 * @see Racket `serialize-stuffer`
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, sealStuffer(), base64UrlStuffer);
 * ```
 */
export const serializeStuffer: Stuffer<Saved, Uint8Array> = {
  in: (saved) => loaded().encode(saved),
  out: (bytes) => loaded().decode(bytes),
};
