import { ProtocolError } from '@custodian/protocol';
import type { Closable } from '../custodian.ts';
import { type Answer, type Ask, type Service, ServiceError } from '../service/service.ts';
import { bodyOf, Shares } from '../service/shares.ts';
import {
  type ContinuationStore,
  isNamesKey,
  StoreTooLargeError,
  tooMuchUnderWay,
  UNDER_WAY_MAX_BYTES,
  UNDER_WAY_MAX_COUNT,
} from './store.ts';

const MB = 1 << 20;
const SWEEP_EVERY_MS = 60_000;
/** No single entry is larger: it is held here whole, on its way. */
const ENTRY_MAX_BYTES = 5 * MB;
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
  readonly #bodies = new KeptBodies();
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
    const key = await this.#bodies.with(ask, (bytes, quotaBytes) => {
      const expiresAt = Date.now() + lifetimeMs;
      return this.#store.put({ servlet: ask.servlet.name, bytes, expiresAt, quotaBytes });
    });
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

/** What threads send to be kept is held here whole, until it is. */
export class KeptBodies {
  readonly #shares = new Shares(UNDER_WAY_MAX_COUNT, UNDER_WAY_MAX_BYTES);

  /** @throws StoreTooLargeError; StoreUnavailableError when the servlet keeps too much at once */
  async with<Result>(ask: Ask, keep: (bytes: Uint8Array, quotaBytes: number) => Promise<Result>): Promise<Result> {
    const { name, limits } = ask.servlet;
    const quotaBytes = limits.storeMb * MB;
    const maxBytes = Math.min(quotaBytes, ENTRY_MAX_BYTES);
    const tooMuch = (): Error => tooMuchUnderWay('keep a continuation');
    return this.#shares.with(name, tooMuch, async (share) => {
      const tooLarge = (bytes: number): Error => new StoreTooLargeError(name, bytes, maxBytes);
      return keep(await bodyOf(ask, share, { maxBytes, tooLarge, tooMuch }), quotaBytes);
    });
  }
}
