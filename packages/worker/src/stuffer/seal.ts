import type * as NodeCrypto from 'node:crypto';
import { asBuffer, readVarint, varint } from './bytes.ts';
import { deflate, inflate, PLAIN_MAX_BYTES } from './compress.ts';

let loaded: typeof NodeCrypto | null = null;
const crypto = (): typeof NodeCrypto => (loaded ??= process.getBuiltinModule('node:crypto'));

/** A servlet's own key, as the acceptor derives it. */
export interface SealKey {
  /** 0 to 255. */
  id: number;
  /** 64 bytes: 32 to encrypt with, 32 to make nonces with. */
  secret: Uint8Array;
}

/**
 * What was to be opened is not what this servlet has sealed, is bound to another visitor, or has expired: one message
 * and one answer for all of it, so that nobody learns which.
 */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code = 'SERVLET_BAD_LINK';
  constructor() {
    super('Cannot open the link: it is none of this servlet’s for this visitor, or it has expired');
  }
}

/** More than a sealed page may hold. */
export class StateTooLargeError extends Error {
  override readonly name = 'StateTooLargeError';
  readonly code = 'SERVLET_STATE_TOO_LARGE';
  constructor(bytes: number) {
    super(`Cannot seal the state of a page: it takes ${bytes} bytes, and ${PLAIN_MAX_BYTES} are the most`);
  }
}

/** As OpenSSL wants them: from bytes, they are made anew at every call, which costs more than the call. */
interface KeyPair {
  id: number;
  encryption: NodeCrypto.KeyObject;
  nonces: NodeCrypto.KeyObject;
}
const pairs = new WeakMap<SealKey, KeyPair>();
function pairOf(key: SealKey): KeyPair {
  let pair = pairs.get(key);
  if (pair === undefined) {
    const of = (from: number, to: number): NodeCrypto.KeyObject =>
      crypto().createSecretKey(key.secret.subarray(from, to));
    pairs.set(key, (pair = { id: key.id, encryption: of(0, 32), nonces: of(32, 64) }));
  }
  return pair;
}

/** Changes with the layout of what is sealed. */
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** `u8 version | u8 key id | nonce | ciphertext | tag`. */
const HEAD_BYTES = 2 + NONCE_BYTES;
/** Below this, compression is not worth a try. */
const COMPRESSED_MIN_BYTES = 128;
const MINUTE_MS = 60_000;
/** Expiries fall on multiples of this part of the lifetime: so a page that is made again is the same page. */
const GRAINS = 64;

/**
 * Seals a servlet's states with AES-256-GCM: nobody else reads, changes or makes one. Inside are when it expires and
 * how long it was before compression. Version, key id, servlet and whom it is bound to are authenticated with it.
 *
 * The nonce is a PRF of all that is sealed (as in RFC 8452): the same state gives the same bytes, which a store keeps
 * once, and no failing source of randomness can repeat a nonce for two different states.
 */
export class Seal {
  readonly #keys: readonly SealKey[];
  readonly #servlet: Buffer;
  readonly #lifetimeMinutes: number;
  readonly #now: () => number;

  /** @param options `keys`: the first one seals, all open; `servlet`: its name, the same on every replica */
  constructor(options: { keys: readonly SealKey[]; servlet: string; lifetimeMs: number; now?: () => number }) {
    this.#keys = options.keys;
    this.#servlet = Buffer.from(options.servlet);
    this.#lifetimeMinutes = Math.max(1, Math.ceil(options.lifetimeMs / MINUTE_MS));
    this.#now = options.now ?? Date.now;
  }

  /** @param binding whom it is for; null: whoever has it. @throws StateTooLargeError */
  seal(state: Uint8Array, binding: string | null): Uint8Array {
    if (state.length > PLAIN_MAX_BYTES) throw new StateTooLargeError(state.length);
    const key = pairOf(this.#keys[0] as SealKey);
    const deflated = state.length >= COMPRESSED_MIN_BYTES ? deflate(state) : null;
    const head = Buffer.from([...varint(this.#expiry()), ...varint(deflated === null ? 0 : state.length)]);
    const plain = Buffer.concat([head, deflated ?? state]);
    const associated = this.#associated(key.id, binding);
    const nonce = crypto()
      .createHmac('sha256', key.nonces)
      .update(associated)
      .update(plain)
      .digest()
      .subarray(0, NONCE_BYTES);
    const cipher = crypto().createCipheriv('aes-256-gcm', key.encryption, nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(associated);
    const sealed = cipher.update(plain);
    cipher.final();
    return Buffer.concat([Buffer.from([VERSION, key.id]), nonce, sealed, cipher.getAuthTag()]);
  }

  /** @throws SealError */
  open(sealed: Uint8Array, binding: string | null): Uint8Array {
    const plain = this.#decrypt(asBuffer(sealed), binding);
    const expiry = readVarint(plain, 0);
    const length = expiry === null ? null : readVarint(plain, expiry.end);
    if (expiry === null || length === null || expiry.value * MINUTE_MS <= this.#now()) throw new SealError();
    const rest = plain.subarray(length.end);
    return length.value === 0 ? rest : inflate(rest, length.value);
  }

  #decrypt(sealed: Buffer, binding: string | null): Buffer {
    const key = this.#keys.find(({ id }) => id === sealed[1]);
    if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== VERSION || key === undefined) throw new SealError();
    const nonce = sealed.subarray(2, HEAD_BYTES);
    const cipher = crypto().createDecipheriv('aes-256-gcm', pairOf(key).encryption, nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(this.#associated(key.id, binding));
    cipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plain = cipher.update(sealed.subarray(HEAD_BYTES, -TAG_BYTES));
    try {
      cipher.final();
    } catch {
      throw new SealError();
    }
    return plain;
  }

  /** In minutes since 1970. */
  #expiry(): number {
    const grain = Math.max(1, Math.floor(this.#lifetimeMinutes / GRAINS));
    return Math.ceil((this.#now() / MINUTE_MS + this.#lifetimeMinutes) / grain) * grain;
  }

  /** No two of these are the same for different servlets, keys or bindings. */
  #associated(id: number, binding: string | null): Buffer {
    const bound = binding === null ? [] : [crypto().createHash('sha256').update(binding).digest()];
    return Buffer.concat([Buffer.from([VERSION, id, bound.length]), ...bound, this.#servlet]);
  }
}
