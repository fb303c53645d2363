import { ask } from '../asks.ts';
import type { ServletRequest } from '../http/request.ts';
import { Seal, type SealKey } from './seal.ts';
import type { Stuffer } from './stuffer.ts';
import { currentStuffing } from './stuffing.ts';

/** How long a page can be answered, where its author says nothing else. */
export const LIFETIME_MS: number = 86_400_000;

export interface SealOptions {
  /** How long what is sealed can be opened; default: a day. */
  lifetimeMs?: number;
  /**
   * Whom a page is for, such as the value of a session's cookie, or a user's name: for anybody else its URL is useless.
   * It must be the same for the request that is answered with the page and the one that answers it. `null`: for all.
   */
  bindTo?: (request: ServletRequest) => string | null | undefined;
}

let threads: { keys: readonly SealKey[]; servlet: string } | null = null;

/** What this thread seals with. */
export function useKeys(keys: readonly SealKey[], servlet: string): void {
  threads = { keys, servlet };
}

/** Fetches this thread's servlet's own keys from the acceptor. */
export async function fetchKeys(servlet: string): Promise<void> {
  const keys = (await ask('keys', {})).json() as [id: number, secret: string][];
  useKeys(
    keys.map(([id, secret]) => ({ id, secret: Buffer.from(secret, 'base64url') })),
    servlet,
  );
}

/** A seal with this thread's servlet's own keys. */
export function createSeal(lifetimeMs: number): Seal {
  if (threads === null) throw new Error('Cannot seal: nothing of the servlet is saved, or it runs in no host');
  return new Seal({ ...threads, lifetimeMs });
}

/**
 * Seals with the servlet's own key: nobody can read, change or make what it seals. Under a chain that ends in a URL,
 * follow it with `base64UrlStuffer`.
 * @throws SealError (from `out`), the same whatever is wrong
 *
 * @example
 * ```ts
 * const stuffer = stufferChain(serializeStuffer, sealStuffer({ lifetimeMs: 3_600_000 }), base64UrlStuffer);
 * ```
 */
export function sealStuffer({ lifetimeMs = LIFETIME_MS, bindTo }: SealOptions = {}): Stuffer<Uint8Array, Uint8Array> {
  let seal: Seal | null = null;
  const sealing = (): Seal => (seal ??= createSeal(lifetimeMs));
  const binding = (): string | null => {
    const request = currentStuffing()?.request;
    return bindTo === undefined || request === undefined ? null : (bindTo(request) ?? null);
  };
  return {
    in: (bytes) => sealing().seal(bytes, binding()),
    out: (sealed) => sealing().open(sealed, binding()),
  };
}
