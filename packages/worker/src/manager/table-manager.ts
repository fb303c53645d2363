import type { Holdings } from '@custodian/protocol';
import {
  type Clock,
  type ExpirationHandler,
  type ManagerOptions,
  NoContinuationError,
  NoInstanceError,
  type SavedInstance,
  type SavingManager,
  systemClock,
} from './manager.ts';
import { isSameNonce } from './nonce.ts';
import { ContinuationTable, type Entry, type Instance } from './table.ts';

/** What the managers that keep something have in common. They differ in what ends a continuation. */
export abstract class TableManager implements SavingManager {
  readonly onExpired: ExpirationHandler | null;
  protected readonly table: ContinuationTable = new ContinuationTable();
  protected readonly clock: Clock;
  #stops: (() => void)[] = [];

  constructor(options: ManagerOptions) {
    this.onExpired = options.onExpired ?? null;
    this.clock = options.clock ?? systemClock;
  }

  /** What is done every so many ms, while there is an instance. */
  protected abstract ticks(): [everyMs: number, tick: () => void][];
  protected abstract onStore(entry: Entry): void;
  protected abstract onVisit(entry: Entry): void;
  protected abstract isExpired(entry: Entry): boolean;

  get count(): number {
    return this.table.count;
  }

  get bytes(): number {
    return this.table.bytes;
  }

  get onChange(): (() => void) | null {
    return this.table.onChange;
  }

  set onChange(changed: (() => void) | null) {
    this.table.onChange = changed;
  }

  createInstance(): number {
    const instance = this.table.createInstance();
    this.onInstance(instance);
    this.#startTicks();
    return instance.id;
  }

  #startTicks(): void {
    if (this.#stops.length === 0) {
      this.#stops = this.ticks().map(([everyMs, tick]) =>
        this.clock.every(everyMs, () => {
          tick();
          if (this.table.instances.size === 0) this.close();
        }),
      );
    }
  }

  save(instance: number): SavedInstance {
    const found = this.table.instances.get(instance);
    if (found === undefined) throw new NoInstanceError(instance, this.onExpired);
    const entries = Array.from(found.entries(), ({ id, nonce, k, handler, bytes, mark }) => {
      return { id, nonce, k, handler, bytes, mark: this.markToSave(mark) };
    });
    const { nextId, timeoutMs } = found;
    return { nextId, timeoutMs, mark: this.markToSave(found.mark), entries: entries.reverse() };
  }

  revive(saved: SavedInstance, elapsedMs: number): number {
    const instance = this.table.createInstance();
    this.onInstance(instance);
    instance.timeoutMs = saved.timeoutMs;
    instance.mark = this.savedMark(saved.mark, elapsedMs);
    for (const each of saved.entries) this.table.restore(instance, each).mark = this.savedMark(each.mark, elapsedMs);
    instance.nextId = saved.nextId;
    this.#startTicks();
    return instance.id;
  }

  /** A mark as another thread, at another time, can take it up. */
  protected markToSave(mark: number): number {
    return mark;
  }

  protected savedMark(mark: number, _elapsedMs: number): number {
    return mark;
  }

  protected onInstance(_instance: Instance): void {}

  hasInstance(instance: number): boolean {
    return this.table.instances.has(instance);
  }

  adjustTimeout(_instance: number, _timeoutMs: number): void {}

  clear(instance: number): void {
    const found = this.table.instances.get(instance);
    if (found !== undefined) this.table.remove([...found.entries()]);
  }

  store(instance: number, k: unknown, handler: ExpirationHandler | null, bytes: number): [id: number, nonce: string] {
    const found = this.table.instances.get(instance);
    if (found === undefined) throw new NoInstanceError(instance, this.onExpired);
    const entry = this.table.store(found, k, handler, bytes);
    this.onStore(entry);
    return [entry.id, entry.nonce];
  }

  lookup(instance: number, id: number, nonce: string): unknown {
    const entry = this.#find(instance, id, nonce);
    entry.visited = ++this.table.visits;
    this.onVisit(entry);
    return entry.k;
  }

  peek(instance: number, id: number, nonce: string): unknown {
    return this.#find(instance, id, nonce).k;
  }

  describe(): Holdings {
    return this.table.describe();
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #find(instance: number, id: number, nonce: string): Entry {
    const found = this.table.instances.get(instance);
    const entry = found?.find(id);
    if (entry !== undefined && isSameNonce(nonce, entry.nonce)) {
      if (!this.isExpired(entry)) return entry;
      this.table.remove([entry]);
    }
    // Own handlers answer only to the URL that was given out: otherwise they would tell that it was.
    const tombstone = this.table.tombstone(instance, id);
    const isOwn = tombstone !== undefined && isSameNonce(nonce, tombstone.nonce);
    const handler = isOwn ? tombstone.handler : this.onExpired;
    throw found === undefined ? new NoInstanceError(instance, handler) : new NoContinuationError(instance, id, handler);
  }
}
