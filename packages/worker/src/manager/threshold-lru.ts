import { onPressure } from '../account.ts';
import { collectFunction } from '../collector.ts';
import type { Suspension } from '../servlet/instance.ts';
import { LruManager, type LruManagerOptions } from './lru.ts';
import { checkPositive, type ContinuationManager } from './manager.ts';
import type { Entry, Instance } from './table.ts';

export interface ThresholdLruManagerOptions extends Omit<LruManagerOptions, 'isShort'> {
  /** What the continuations may weigh before every check costs them a life. Default: a quarter of the thread's memory cap. */
  maxBytes?: number;
  /** Bytes that the thread has in use. Default: what V8 says of it, off-heap memory included. */
  heapBytes?: () => number;
  /** Collects the thread's garbage, which counts as in use until then. Default: V8's own, where the cell exposes it. */
  collectGarbage?: () => void;
}

/** The thread's cap, until its lease says which it is. */
const defaultCap = { bytes: 50 << 20 };
const MAX_SHARE = 0.25;
/** However much its continuations weigh, a thread so near its cap makes room. */
const HEAP_SHORT_SHARE = 0.85;
/** Whether that is garbage is found out by collecting it, which is not cheap. */
const COLLECT_EVERY_MS = 15_000;
/** A thread that is near its cap after a collection keeps so much of the maximum; what weighs less is not what it is full of. */
const PRESSED_SHARE = 0.5;
/** So far over its maximum a manager does not wait for the next check: the least recently visited go at once. */
const BURST_SHARE = 1.5;

/** The thread's own: its memory cap, from which managers take their defaults. */
export function setThreadCap(bytes: number): void {
  defaultCap.bytes = bytes;
}

class ThresholdLruManager extends LruManager {
  readonly #ownMaxBytes: number | null;
  readonly #heapBytes: () => number;
  readonly #collectGarbage: () => void;
  #collectedAt = -Infinity;
  #isHeapFull = false;
  /** What stays when room has been made: its maximum, or one page that weighs more. */
  #leastBytes: number;
  #endRelief: (() => void) | null = null;

  constructor(options: ThresholdLruManagerOptions) {
    checkPositive({ maxBytes: options.maxBytes });
    super(options);
    this.#ownMaxBytes = options.maxBytes ?? null;
    this.#leastBytes = this.#maxBytes;
    this.#heapBytes = options.heapBytes ?? heapBytes;
    this.#collectGarbage = options.collectGarbage ?? collectFunction();
  }

  /** The thread's cap may be another by now. */
  get #maxBytes(): number {
    return this.#ownMaxBytes ?? defaultCap.bytes * MAX_SHARE;
  }

  protected override isShort(): boolean {
    return this.bytes >= this.#maxBytes || this.#isNearCap();
  }

  #isNearCap(): boolean {
    const nearBytes = defaultCap.bytes * HEAP_SHORT_SHARE;
    if (this.#heapBytes() <= nearBytes) return false;
    const now = this.clock.now();
    if (now - this.#collectedAt >= COLLECT_EVERY_MS) {
      this.#collectGarbage();
      this.#collectedAt = now;
      this.#isHeapFull = this.#heapBytes() > nearBytes;
    }
    return this.#isHeapFull;
  }

  protected override onStore(entry: Entry): void {
    super.onStore(entry);
    // A flood of pages brings the thread to its cap between two checks, and would take all pages with it.
    if (this.bytes > this.#maxBytes * PRESSED_SHARE) this.#endRelief ??= onPressure(() => this.#relieve());
    this.#leastBytes = Math.max(this.#maxBytes, Math.min(this.#leastBytes, this.bytes));
    if (this.bytes > this.#leastBytes * BURST_SHARE) this.#makeRoom(entry, this.#maxBytes);
  }

  #relieve(): void {
    const maxBytes = this.#maxBytes * PRESSED_SHARE;
    if (this.bytes > maxBytes) this.#makeRoom(null, maxBytes);
    this.#endRelief?.();
    this.#endRelief = null;
  }

  /** The newest page always stays, with all its links: its visitor is about to see it. */
  #makeRoom(stored: Entry | null, maxBytes: number): void {
    const instances = new Set<Instance>();
    // What a page shares with one that stays is not freed with it: that is seen one by one.
    this.table.remove(this.#toFree(stored, maxBytes, instances));
    for (const instance of instances) if (instance.count === 0) this.table.drop(instance);
    this.#leastBytes = Math.max(this.#maxBytes, this.bytes);
  }

  /** The least recently visited, each to be let go of before the next, until there is room. `instances` gets whose they are. */
  *#toFree(stored: Entry | null, maxBytes: number, instances: Set<Instance>): Generator<Entry> {
    const byVisit = [...this.table.entries()].sort((a, b) => a.visited - b.visited);
    const newest = stored ?? byVisit.at(-1);
    for (const entry of byVisit) {
      if (this.bytes <= maxBytes) return;
      if (newest !== undefined && pageOf(entry) === pageOf(newest)) continue;
      instances.add(entry.instance);
      yield entry;
    }
  }
}

/** The links of one page lead to one continuation. */
const pageOf = ({ k }: Entry): unknown => (k as Partial<Suspension> | null)?.continuation ?? k;

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Continuations live for hours while they weigh little, and for minutes when they weigh much. What is weighed is what
 * this manager keeps, and the heap of this thread; never the process, in which others live too.
 * @see Racket `make-threshold-LRU-manager`
 *
 * @example
 * ```ts
 * const manager = createThresholdLruManager({ maxBytes: 8 << 20 });
 * ```
 */
export function createThresholdLruManager(options: ThresholdLruManagerOptions = {}): ContinuationManager {
  return new ThresholdLruManager(options);
}
