import type * as NodeCrypto from 'node:crypto';
import type * as NodeFs from 'node:fs/promises';
import { asBuffer } from './bytes.ts';
import { type Stuffer, StufferError } from './stuffer.ts';
import { currentStuffing } from './stuffing.ts';

let loaded: typeof NodeCrypto | null = null;
const crypto = (): typeof NodeCrypto => (loaded ??= process.getBuiltinModule('node:crypto'));

/** Keeps bytes under keys. @see Racket `store` */
export interface StufferStore {
  write(key: string, bytes: Uint8Array): void | Promise<void>;
  /** @throws whatever, when there is nothing of that key */
  read(key: string): Uint8Array | Promise<Uint8Array>;
}

const KEYS = { md5: /^[0-9a-f]{32}$/, sha256: /^[\w-]{43}$/ };

/**
 * Keeps the bytes in a store, and goes on with their hash. A page waits until what it needs is written.
 * @param hash `md5` is Racket's, 32 characters: for who makes the same bytes on purpose, it is too weak
 * @throws StufferError (from `out`) when it is no key
 * @see Racket `hash-stuffer`
 *
 * @example
 * ```ts
 * const kept = new Map<string, Uint8Array>();
 * const stuffer = hashStuffer({
 *   write: async (key, bytes) => void kept.set(key, bytes),
 *   read: async (key) => kept.get(key) ?? new Uint8Array(),
 * });
 * stuffer.in(new Uint8Array(1000)).length; // 43
 * ```
 */
export function hashStuffer(
  store: StufferStore,
  { hash = 'sha256' }: { hash?: 'md5' | 'sha256' } = {},
): Stuffer<Uint8Array, Uint8Array> {
  const encoding = hash === 'md5' ? 'hex' : 'base64url';
  /** Written outside of a page: whoever looks for it waits. */
  const pending = new Map<string, Promise<void>>();
  return {
    in: (bytes) => {
      const key = crypto().createHash(hash).update(bytes).digest(encoding);
      const written = store.write(key, bytes);
      if (written instanceof Promise) {
        const stuffing = currentStuffing();
        if (stuffing !== null) stuffing.writes.push(written);
        else pending.set(key, written);
        // What has failed is told to who looks for it.
        written.then(
          () => pending.delete(key),
          () => {},
        );
      }
      return Buffer.from(key, 'latin1');
    },
    out: async (stuffed) => {
      const key = asBuffer(stuffed).toString('latin1');
      if (!KEYS[hash].test(key)) throw new StufferError('Cannot find bytes: their key is none');
      await pending.get(key)?.finally(() => pending.delete(key));
      return store.read(key);
    },
  };
}

/**
 * Keeps bytes in files of a directory, which is made when it is missing; whole or not at all. For trusted servlets,
 * since a guest may write no file. Nothing is ever deleted.
 * @see Racket `dir-store`
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, isUrlTooBig, hashStuffer(dirStore('/var/lib/shop/pages')));
 * ```
 */
export function dirStore(root: string): StufferStore {
  const fs = (): typeof NodeFs => process.getBuiltinModule('node:fs/promises');
  return {
    write: async (key, bytes) => {
      const { mkdir, open, rename } = fs();
      await mkdir(root, { recursive: true });
      const partial = `${root}/.${key}.${process.pid}.${Math.random()}`;
      {
        await using file = await open(partial, 'wx');
        await file.writeFile(bytes);
        await file.sync();
      }
      await rename(partial, `${root}/${key}`);
    },
    read: (key) => fs().readFile(`${root}/${key}`),
  };
}

/**
 * @see Racket `md5-stuffer`
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, isUrlTooBig, md5Stuffer('/var/lib/shop/pages'));
 * ```
 */
export function md5Stuffer(root: string): Stuffer<Uint8Array, Uint8Array> {
  return hashStuffer(dirStore(root), { hash: 'md5' });
}
