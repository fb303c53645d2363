import { crypto } from '../node-crypto.ts';

/** A secret: at least 16 bytes, better 32, that nobody can guess. */
export type SecretKey = string | Uint8Array;

/** One key, or several: the first signs, and what any of them has signed is good. So keys can be replaced. */
export type KeyRing = SecretKey | readonly SecretKey[];

const KEY_MIN_BYTES = 16;

/** @throws RangeError for a ring without keys, or with one that could be guessed */
export function keysOf(ring: KeyRing): readonly [SecretKey, ...SecretKey[]] {
  const keys: readonly SecretKey[] = typeof ring === 'string' || ring instanceof Uint8Array ? [ring] : ring;
  if (!Array.isArray(keys) || keys.length === 0) throw new RangeError('Cannot use a key ring: it has no key');
  for (const key of keys) {
    if (typeof key !== 'string' && !(key instanceof Uint8Array))
      throw new TypeError(`Cannot use a key: it is of type ${typeof key}, neither text nor bytes`);
    if (Buffer.byteLength(key) < KEY_MIN_BYTES)
      throw new RangeError(`Cannot use a key: it has less than ${KEY_MIN_BYTES} bytes (secretSalt(path) makes one)`);
  }
  return keys as unknown as readonly [SecretKey, ...SecretKey[]];
}

/** The HMAC-SHA-256 of a text, as base64url: 43 characters. */
export function signature(key: SecretKey, text: string): string {
  return crypto().createHmac('sha256', key).update(text).digest('base64url');
}

/**
 * Are two texts the same? Takes as long whatever they have in common: for passwords, tokens and signatures.
 * @throws TypeError for what is no text: nobody's password is not the same as nothing
 *
 * @example
 * ```ts
 * isSameText('opensesame', 'opensesame'); // true
 * isSameText('opensesame', 'open');       // false
 * ```
 */
export function isSameText(one: string, other: string): boolean {
  if (typeof one !== 'string' || typeof other !== 'string')
    throw new TypeError(`Cannot compare texts: one is of type ${typeof one}, the other of type ${typeof other}`);
  // As UTF-8, all halves of surrogates would be the same.
  const bytes = Buffer.from(one, 'utf16le');
  const others = Buffer.from(other, 'utf16le');
  return bytes.length === others.length && crypto().timingSafeEqual(bytes, others);
}

/** Has one of the keys signed the text? */
export function isSigned(ring: readonly SecretKey[], text: string, claimed: string): boolean {
  let isFound = false;
  // All of them, so that the time does not tell which.
  for (const key of ring) isFound = isSameText(signature(key, text), claimed) || isFound;
  return isFound;
}
