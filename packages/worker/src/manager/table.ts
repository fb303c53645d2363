import {
  CONTINUATIONS_TOLD,
  type HeldContinuation,
  type HeldInstance,
  type Holdings,
  INSTANCES_TOLD,
} from '@custodian/protocol';
import { requestClock } from '../request-clock.ts';
import type { ExpirationHandler, SavedEntry } from './manager.ts';
import { createNonce } from './nonce.ts';

/** Whole seconds: such a number takes no memory of its own. */
function requestSecond(): number {
  return Math.floor(requestClock.startedAt / 1000);
}

/** What is kept may share parts with other pages: then it says itself what is freed with it. */
interface Releasable {
  release(): number;
}

function releasedBytes({ k, bytes }: Entry): number {
  return typeof (k as Partial<Releasable> | null)?.release === 'function' ? (k as Releasable).release() : bytes;
}

type EntryContent = Omit<SavedEntry, 'mark'>;

/** A continuation that is kept. */
export class Entry {
  readonly instance: Instance;
  readonly id: number;
  readonly nonce: string;
  readonly k: unknown;
  readonly handler: ExpirationHandler | null;
  /** What it was charged, when it was stored. */
  readonly bytes: number;
  /** The manager's own: when it expires, or how many lives it has. */
  mark = 0;
  /** When it was stored or visited last, in visits of the whole table. */
  visited = 0;
  readonly bornS: number = requestSecond();
  /** The one stored before in the same instance. */
  previous: Entry | null;

  constructor(instance: Instance, { id, nonce, k, handler, bytes }: EntryContent) {
    this.instance = instance;
    this.id = id;
    this.nonce = nonce;
    this.k = k;
    this.handler = handler;
    this.bytes = bytes;
    this.previous = instance.newest;
  }
}

/** From so many continuations on, an instance finds them by a map; before, a map would cost more than they do. */
const INDEX_FROM_COUNT = 12;

/** One visitor's run, with its continuations. */
export class Instance {
  readonly id: number;
  readonly bornS: number = requestSecond();
  nextId = 1;
  count = 0;
  bytes = 0;
  newest: Entry | null = null;
  /** The manager's own. */
  mark = 0;
  timeoutMs = 0;
  #index: Map<number, Entry> | null = null;

  constructor(id: number) {
    this.id = id;
  }

  /** It has had continuations, and has none any more. */
  get isOver(): boolean {
    return this.count === 0 && this.nextId > 1;
  }

  add(entry: Entry): void {
    this.newest = entry;
    this.count++;
    if (this.#index !== null) this.#index.set(entry.id, entry);
    else if (this.count >= INDEX_FROM_COUNT)
      this.#index = new Map(Array.from(this.entries(), (each) => [each.id, each]));
  }

  find(id: number): Entry | undefined {
    if (this.#index !== null) return this.#index.get(id);
    for (let entry = this.newest; entry !== null; entry = entry.previous) if (entry.id === id) return entry;
    return undefined;
  }

  *entries(): Generator<Entry> {
    for (let entry = this.newest; entry !== null; entry = entry.previous) yield entry;
  }

  describe(nowS: number): HeldInstance {
    const newest: HeldContinuation[] = [];
    for (const entry of this.entries()) {
      if (newest.length === CONTINUATIONS_TOLD) break;
      newest.push({ number: entry.id, bytes: entry.bytes, ageMs: (nowS - entry.bornS) * 1000 });
    }
    return { number: this.id, continuations: this.count, bytes: this.bytes, ageMs: (nowS - this.bornS) * 1000, newest };
  }

  /** Lets go of those entries, all of which it has. */
  remove(gone: ReadonlySet<Entry>): void {
    let kept: Entry | null = null;
    for (let entry = this.newest; entry !== null; entry = entry.previous) {
      if (gone.has(entry)) {
        if (kept === null) this.newest = entry.previous;
        else kept.previous = entry.previous;
        this.#index?.delete(entry.id);
        this.count--;
      } else kept = entry;
    }
  }
}

/** What is left of a continuation whose author wants to answer for it himself. */
interface Tombstone {
  nonce: string;
  handler: ExpirationHandler;
}

const TOMBSTONES_MAX_COUNT = 1000;

/** The instances and continuations of a manager, and what they weigh. */
export class ContinuationTable {
  readonly instances: Map<number, Instance> = new Map();
  count = 0;
  bytes = 0;
  visits = 0;
  onChange: (() => void) | null = null;
  readonly #tombstones = new Map<string, Tombstone>();
  #nextInstance = 1;

  createInstance(): Instance {
    const instance = new Instance(this.#nextInstance++);
    this.instances.set(instance.id, instance);
    return instance;
  }

  store(instance: Instance, k: unknown, handler: ExpirationHandler | null, bytes: number): Entry {
    return this.restore(instance, { id: instance.nextId++, nonce: createNonce(), k, handler, bytes });
  }

  /** The same for one that has its number and its nonce. */
  restore(instance: Instance, content: EntryContent): Entry {
    const entry = new Entry(instance, content);
    entry.visited = ++this.visits;
    instance.add(entry);
    this.count++;
    this.bytes += content.bytes;
    instance.bytes += content.bytes;
    this.onChange?.();
    return entry;
  }

  *entries(): Generator<Entry> {
    for (const instance of this.instances.values()) yield* instance.entries();
  }

  /** Lets go of continuations, one after another; their own handlers go on answering. */
  remove(entries: Iterable<Entry>): number {
    const byInstance = new Map<Instance, Set<Entry>>();
    let removed = 0;
    for (const entry of entries) {
      const set = byInstance.get(entry.instance);
      if (set === undefined) byInstance.set(entry.instance, new Set([entry]));
      else set.add(entry);
      if (entry.handler !== null) this.#bury(entry, entry.handler);
      this.count--;
      const bytes = releasedBytes(entry);
      this.bytes -= bytes;
      entry.instance.bytes -= bytes;
      removed++;
    }
    for (const [instance, set] of byInstance) instance.remove(set);
    if (removed > 0) this.onChange?.();
    return removed;
  }

  /** Lets go of an instance and all that it has. */
  drop(instance: Instance): void {
    this.remove([...instance.entries()]);
    this.instances.delete(instance.id);
  }

  /** The newest of all that there is. Costs a walk over the instances. */
  describe(): Holdings {
    const nowS = performance.now() / 1000;
    const newest: HeldInstance[] = [];
    let skipped = this.instances.size - INSTANCES_TOLD;
    for (const instance of this.instances.values()) if (skipped-- <= 0) newest.push(instance.describe(nowS));
    return { instances: this.instances.size, newest: newest.reverse() };
  }

  /** What an expired continuation has left. */
  tombstone(instance: number, id: number): Tombstone | undefined {
    return this.#tombstones.get(`${instance}.${id}`);
  }

  #bury({ instance, id, nonce }: Entry, handler: ExpirationHandler): void {
    if (this.#tombstones.size >= TOMBSTONES_MAX_COUNT) {
      const [oldest] = this.#tombstones.keys();
      this.#tombstones.delete(oldest as string);
    }
    this.#tombstones.set(`${instance.id}.${id}`, { nonce, handler });
  }
}
