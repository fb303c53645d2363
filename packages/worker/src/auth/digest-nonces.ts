import { crypto } from '../node-crypto.ts';
import { isSigned, type KeyRing, keysOf, signature } from '../cookie/key-ring.ts';

/** Remembers which requests a nonce has been used for. */
export interface NonceMemory {
  /**
   * Is this the first time that `nonce` comes with this count? After `expiresAtMs` it need not be remembered.
   * One memory for several threads or machines makes a replay known to all of them.
   */
  use(nonce: string, count: number, expiresAtMs: number): boolean | Promise<boolean>;
}

/** Nonces that tell when they were made, signed. */
export class DigestNonces {
  readonly #keys: ReturnType<typeof keysOf>;
  readonly #realm: string;
  readonly #maxAgeMs: number;

  constructor(key: KeyRing, realm: string, maxAgeMs: number) {
    this.#keys = keysOf(key);
    this.#realm = realm;
    this.#maxAgeMs = maxAgeMs;
  }

  create(nowMs: number): string {
    const head = `${nowMs.toString(36)}.${crypto().randomBytes(12).toString('base64url')}`;
    return `${head}.${signature(this.#keys[0], this.#signedText(head))}`;
  }

  /** Until when it is good; null: it is none of these, or it has been good. */
  expiryOf(nonce: string, nowMs: number): number | null {
    const [, head, time, digest] = /^(([0-9a-z]{1,11})\.[\w-]{16})\.([\w-]{43})$/.exec(nonce) ?? [];
    if (head === undefined || time === undefined || digest === undefined) return null;
    if (!isSigned(this.#keys, this.#signedText(head), digest)) return null;
    const expiresAtMs = Number.parseInt(time, 36) + this.#maxAgeMs;
    return nowMs <= expiresAtMs ? expiresAtMs : null;
  }

  #signedText(head: string): string {
    return `custodian digest nonce\n${this.#realm}\n${head}`;
  }
}

interface Used {
  expiresAtMs: number;
  highest: number;
  /** Counts that came, from `highest - WINDOW` on: requests side by side may overtake each other. */
  counts: Set<number>;
}

const WINDOW = 256;

/**
 * The memory of one thread.
 *
 * @example
 * ```ts
 * const auth = createDigestAuth({
 *   realm: 'staff',
 *   key: secretSalt('digest.salt'),
 *   passwordOf: (user) => (user === 'ada' ? 'open sesame' : null),
 *   nonces: new ThreadNonceMemory(),
 * });
 * ```
 */
export class ThreadNonceMemory implements NonceMemory {
  readonly #maxCount: number;
  readonly #used = new Map<string, Used>();
  /** Nonces that expire up to then may have been forgotten. */
  #forgottenMs = -Infinity;

  constructor(maxCount = 10_000) {
    this.#maxCount = maxCount;
  }

  use(nonce: string, count: number, expiresAtMs: number): boolean {
    let used = this.#used.get(nonce);
    if (used === undefined) {
      if (expiresAtMs <= this.#forgottenMs) return false;
      this.#makeRoom();
      this.#used.set(nonce, (used = { expiresAtMs, highest: 0, counts: new Set() }));
    }
    if (used.counts.has(count) || count <= used.highest - WINDOW) return false;
    used.counts.add(count);
    if (count > used.highest) {
      used.highest = count;
      if (used.counts.size > 2 * WINDOW)
        for (const old of used.counts) if (old <= count - WINDOW) used.counts.delete(old);
    }
    return true;
  }

  #makeRoom(): void {
    if (this.#used.size < this.#maxCount) return;
    const [oldest, { expiresAtMs }] = this.#used.entries().next().value as [string, Used];
    this.#used.delete(oldest);
    this.#forgottenMs = Math.max(this.#forgottenMs, expiresAtMs);
  }
}
