import { ask } from '../asks.ts';
import type { StufferStore } from './hash.ts';
import { LIFETIME_MS } from './seal-stuffer.ts';

/** A little more than a sealed state can be. */
const READ_MAX_BYTES = 6 << 20;

/**
 * The host's store, which outlives the thread and the host: see the option `store` of `serve()`. What is kept longest
 * goes first when the servlet's quota is used up.
 *
 * @example
 * ```ts
 * const stuffer = createDefaultStuffer({ store: hostStore({ lifetimeMs: 3_600_000 }) });
 * ```
 */
export function hostStore({ lifetimeMs = LIFETIME_MS }: { lifetimeMs?: number } = {}): StufferStore {
  return {
    write: async (key, bytes) => {
      const { key: kept } = (await ask('store', { put: lifetimeMs }, { body: bytes })).json() as { key: unknown };
      // The host makes its keys itself: SHA-256, base64url.
      if (kept !== key) throw new Error('Cannot keep bytes: the host knows them under another key');
    },
    read: async (key) => (await ask('store', { get: key })).bytes(READ_MAX_BYTES),
  };
}
