import { readToken } from '@custodian/protocol';

/** The parts of a continuation's address. */
export interface ContinuationAddress {
  instance: number;
  continuation: number;
  nonce: string;
}

/**
 * What a URL says of a continuation; null when it does not lead to one.
 * @see Racket `continuation-url?`
 *
 * @example
 * ```ts
 * continuationUrl('/sum?x=1'); // null
 * ```
 */
export function continuationUrl(url: string | URL): ContinuationAddress | null {
  const token = readToken(typeof url === 'string' ? url : url.pathname);
  if (token === null) return null;
  const { instance, continuation, nonce } = token;
  return { instance, continuation, nonce };
}
