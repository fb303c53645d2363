import { LRUCache } from 'lru-cache';
import { type ContinuationStore, costOf, keyFor, StoreConflictError, type StoreEntry, tagOf } from './store.ts';

/** Keeps entries in this process, and loses them with it: for tests, and where a restart may end every flow. */
export class MemoryStore implements ContinuationStore {
  readonly label = 'memory store';
  readonly #byServlet = new Map<string, LRUCache<string, Uint8Array>>();

  put(entry: StoreEntry): Promise<string> {
    return Promise.resolve().then(() => this.#put(entry));
  }

  #put(entry: StoreEntry): string {
    const { servlet, bytes, name, replaces, expiresAt, quotaBytes } = entry;
    const size = costOf(entry);
    const key = keyFor(entry);
    const kept = this.#keptWithin(servlet, quotaBytes);
    if (replaces !== undefined && !replaces.includes(tagOf(kept.peek(key)))) throw new StoreConflictError(servlet);
    const left = expiresAt - Date.now();
    const ttl = name === undefined ? Math.max(left, kept.getRemainingTTL(key)) : left;
    if (ttl > 0) kept.set(key, Uint8Array.from(bytes), { size, ttl: Math.ceil(ttl) });
    return key;
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    // A look is no use: which one is the oldest is a question of when it was kept.
    return Promise.resolve(this.#byServlet.get(servlet)?.peek(key) ?? null);
  }

  tag(servlet: string, key: string): Promise<string> {
    return Promise.resolve(tagOf(this.#byServlet.get(servlet)?.peek(key)));
  }

  usage(servlet: string): Promise<number> {
    return Promise.resolve(this.#byServlet.get(servlet)?.calculatedSize ?? 0);
  }

  sweep(): Promise<number> {
    let swept = 0;
    for (const kept of this.#byServlet.values()) {
      const before = kept.size;
      kept.purgeStale();
      swept += before - kept.size;
    }
    return Promise.resolve(swept);
  }

  close(): Promise<void> {
    this.#byServlet.clear();
    return Promise.resolve();
  }

  /** The servlet's entries, under that quota: it may have changed. */
  #keptWithin(servlet: string, quotaBytes: number): LRUCache<string, Uint8Array> {
    const kept = this.#byServlet.get(servlet);
    if (kept?.maxSize === quotaBytes) return kept;
    const resized = new LRUCache<string, Uint8Array>({ maxSize: quotaBytes, ttlResolution: 0 });
    if (kept !== undefined) resized.load(kept.dump());
    this.#byServlet.set(servlet, resized);
    return resized;
  }
}
