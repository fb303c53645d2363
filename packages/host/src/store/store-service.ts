import { ProtocolError } from '@custodian/protocol';
import type { Closable } from '../custodian.ts';
import { type Answer, type Ask, type Service, ServiceError } from '../service/service.ts';
import { type ContinuationStore, isNamesKey, StoreTooLargeError } from './store.ts';

const MB = 1 << 20;
const SWEEP_EVERY_MS = 60_000;
/** No single entry is larger: it is held here whole, on its way. */
export const ENTRY_MAX_BYTES: number = 5 * MB;
export const LIFETIME_MAX_MS: number = 400 * 86_400_000;

/**
 * Lets threads keep what is too long for a URL. `{ put: lifetimeMs }` with the bytes as a body is answered with
 * `{ key }`, once they are safe; `{ get: key }` with the bytes.
 */
export class StoreService implements Service, Closable {
  readonly name = 'store';
  readonly label: string;
  readonly #store: ContinuationStore;
  readonly #onFault: (error: unknown) => void;
  #sweeping: NodeJS.Timeout | null = null;

  /** `onFault`: is told when the store could not be swept. */
  constructor(store: ContinuationStore, onFault: (error: unknown) => void) {
    this.#store = store;
    this.label = store.label;
    this.#onFault = onFault;
  }

  answer(ask: Ask): Promise<Answer> {
    const { put, get } = ask.json();
    if (typeof get === 'string') return this.#get(ask, get);
    if (typeof put === 'number' && put > 0 && put <= LIFETIME_MAX_MS) return this.#put(ask, put);
    throw new ProtocolError('Cannot read an ask of the store: it is neither put nor get');
  }

  async close(): Promise<void> {
    if (this.#sweeping !== null) clearInterval(this.#sweeping);
    await this.#store.close();
  }

  /** From the first entry on, there is something that may expire. */
  keepSwept(): void {
    this.#sweeping ??= setInterval(() => void this.#store.sweep().catch(this.#onFault), SWEEP_EVERY_MS).unref();
  }

  async #put(ask: Ask, lifetimeMs: number): Promise<Answer> {
    const { name: servlet, limits } = ask.servlet;
    const quotaBytes = limits.storeMb * MB;
    const bytes = await bodyOf(ask, Math.min(quotaBytes, ENTRY_MAX_BYTES));
    const key = await this.#store.put({ servlet, bytes, expiresAt: Date.now() + lifetimeMs, quotaBytes });
    this.keepSwept();
    return { head: { key } };
  }

  async #get(ask: Ask, key: string): Promise<Answer> {
    // What is kept under a name belongs to another service.
    const bytes = isNamesKey(key) ? null : await this.#store.get(ask.servlet.name, key);
    if (bytes === null)
      throw new ServiceError('STORE_MISSING', 'Cannot find a continuation: it has expired, made room, or never was');
    return { body: bytes };
  }
}

/** The body of an ask that keeps something. @throws StoreTooLargeError */
export async function bodyOf(ask: Ask, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of ask.body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new StoreTooLargeError(ask.servlet.name, bytes, maxBytes);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
