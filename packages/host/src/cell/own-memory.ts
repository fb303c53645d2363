import { getHeapStatistics } from 'node:v8';
import { PAGE_BYTES, residentBytes } from './resident-bytes.ts';
import { readAllFaults, TaskStat } from './task-stat.ts';

/** A thread that runs no servlet. `faults()`: null once it is gone. */
export interface LeftOut {
  faults(): number | null;
}

/**
 * What a cell's supervisor takes of its process for itself, and what those of its threads take that run no servlet: memory that is laid to
 * nobody. It is as much as is known to have been taken, less of it is there where some was given back and taken again.
 */
export class OwnMemory {
  readonly #own = new TaskStat(process.pid);
  /** Pages that this thread has touched first in what was {@link apart}. */
  #apartFaults = 0;
  /** What of them was there afterwards, for all that is known. */
  #apartKeptBytes = 0;
  /** The most that there was in its heap; it grows to that once, by threads of V8's that touch it. */
  #heapPeakBytes = heapBytes();
  /** By how much that has grown, but for what was {@link apart}. */
  #heapGrownBytes = 0;
  #leftOut: LeftOut | null = null;
  #leftOutBefore = 0;
  #leftOutFaults = 0;

  /**
   * What this thread takes for that is all its own. Node's stripper takes 30 MB when it is started, while the thread that it
   * works for boots alone.
   */
  apart<T>(work: () => T): T {
    this.read();
    const before = this.#footprint();
    try {
      return work();
    } finally {
      const after = this.#footprint();
      if (before !== null && after !== null) {
        const own = after.own - before.own;
        const others = after.all - before.all - own;
        // A page that was freed and touched again is two that were touched, and one that is there.
        const grown = after.rssBytes - before.rssBytes - others * PAGE_BYTES;
        this.#apartFaults += own;
        this.#apartKeptBytes += Math.max(0, Math.min(own * PAGE_BYTES, grown));
      }
      this.#heapPeakBytes = Math.max(this.#heapPeakBytes, heapBytes());
    }
  }

  /** What that thread takes from now on; it gives it back when it ends. */
  leaveOut(thread: LeftOut): void {
    if (this.#leftOut !== null) return;
    this.#leftOut = thread;
    this.#leftOutBefore = thread.faults() ?? 0;
  }

  /** What there is of it by now, and the pages that were touched first for it. */
  read(): { bytes: number; faults: number } {
    const heapMoreBytes = Math.max(0, heapBytes() - this.#heapPeakBytes);
    this.#heapPeakBytes += heapMoreBytes;
    this.#heapGrownBytes += heapMoreBytes;
    const { bytes } = this;
    return { bytes, faults: this.#apartFaults + this.#leftOutFaults + this.#heapGrownBytes / PAGE_BYTES };
  }

  /** The same, its heap as it was read last, which costs less. */
  get bytes(): number {
    const faults = this.#leftOut?.faults() ?? null;
    if (faults !== null) this.#leftOutFaults = Math.max(0, faults - this.#leftOutBefore);
    // It has given back what it had, when it is gone; that it touched it stays so.
    return this.#apartKeptBytes + this.#heapGrownBytes + (faults === null ? 0 : this.#leftOutFaults * PAGE_BYTES);
  }

  /** Pages that this thread has touched first, and all threads; null where the system does not say. */
  #footprint(): { own: number; all: number; rssBytes: number } | null {
    const [own, all] = [this.#own.faults(), readAllFaults()];
    return own === null || all === null ? null : { own, all, rssBytes: residentBytes() };
  }
}

const heapBytes = (): number => getHeapStatistics().total_physical_size;
