import { crypto } from '../node-crypto.ts';

const NONCE_BYTES = 16;
const NONCE_CHARS = 22;
// Asking the system for randomness costs more than cutting it into pieces.
const pool: Buffer = Buffer.allocUnsafeSlow(NONCE_BYTES * 64);
let used: number = pool.length;

/** 128 random bits, base64url. */
export function createNonce(): string {
  if (used === pool.length) {
    crypto().randomFillSync(pool);
    used = 0;
  }
  used += NONCE_BYTES;
  return pool.toString('base64url', used - NONCE_BYTES, used);
}

const left: Buffer = Buffer.alloc(NONCE_CHARS);
const right: Buffer = Buffer.alloc(NONCE_CHARS);

/** Are they the same? Takes as long whether they are or not. */
export function isSameNonce(given: string, own: string): boolean {
  if (given.length !== NONCE_CHARS) return false;
  left.write(given, 'latin1');
  right.write(own, 'latin1');
  return crypto().timingSafeEqual(left, right);
}
