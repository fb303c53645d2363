import { getHeapStatistics } from 'node:v8';
import { PAGE_BYTES, residentBytes } from './resident-bytes.ts';
import { readAllFaults, TaskStat } from './task-stat.ts';

/** A thread that runs no servlet. `faults()`: null once it is gone. */
export interface LeftOut {
  faults(): number | null;
}

/**
 * What a cell's supervisor takes of its process for itself, and what those of its threads take that run no servlet: memory that is laid to
 * nobody. The most that there was of it: what was given back may be kept.
 */
export class OwnMemory {
  readonly #task = new TaskStat(process.pid);
  readonly #heapBytes: () => number;
  /** Pages that this thread has touched first in what was {@link apart}. */
  #apartFaults = 0;
  /** What of them was there afterwards, for all that is known. */
  #apartKeptBytes = 0;
  /** The most that there was in its heap, and by how much that has grown in pages that V8's helpers touched, or outside of what was {@link apart}. */
  #heapPeakBytes: number;
  #heapGrownBytes = 0;
  #leftOut: LeftOut | null = null;
  #leftOutBefore = 0;
  #leftOutFaults = 0;

  /** `heapBytes`: what is there of this thread's heap. */
  constructor(heapBytes: () => number = () => getHeapStatistics().total_physical_size) {
    this.#heapBytes = heapBytes;
    this.#heapPeakBytes = heapBytes();
  }

  /**
   * What this thread takes for that is all its own. Node's stripper takes 30 MB when it is started, while the thread that it
   * works for boots alone.
   */
  apart<T>(work: () => T): T {
    this.#growHeap(0);
    const before = this.#footprint();
    try {
      return work();
    } finally {
      const after = this.#footprint();
      const own = after === null || before === null ? 0 : after.own - before.own;
      if (before !== null && after !== null) {
        const others = after.all - before.all - own;
        // A page that was freed and touched again is two that were touched, and one that is there.
        const grown = after.rssBytes - before.rssBytes - others * PAGE_BYTES;
        this.#apartFaults += own;
        this.#apartKeptBytes += Math.max(0, Math.min(own * PAGE_BYTES, grown));
      }
      this.#growHeap(own * PAGE_BYTES);
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
    this.#growHeap(0);
    const bytes = this.glance();
    return { bytes, faults: this.#apartFaults + this.#leftOutFaults + this.#heapGrownBytes / PAGE_BYTES };
  }

  /** In bytes, its heap as it was read last, which costs less. */
  glance(): number {
    const faults = this.#leftOut?.faults() ?? null;
    if (faults !== null) this.#leftOutFaults = Math.max(0, faults - this.#leftOutBefore);
    // It has given back what it had, when it is gone; that it touched it stays so.
    return this.#apartKeptBytes + this.#heapGrownBytes + (faults === null ? 0 : this.#leftOutFaults * PAGE_BYTES);
  }

  /** By what is there beyond its peak. So much of that is known of already. */
  #growHeap(knownBytes: number): void {
    const moreBytes = Math.max(0, this.#heapBytes() - this.#heapPeakBytes);
    this.#heapPeakBytes += moreBytes;
    this.#heapGrownBytes += Math.max(0, moreBytes - knownBytes);
  }

  /** Pages that this thread has touched first, and all threads; null where the system does not say. */
  #footprint(): { own: number; all: number; rssBytes: number } | null {
    const [own, all] = [this.#task.faults(), readAllFaults()];
    return own === null || all === null ? null : { own, all, rssBytes: residentBytes() };
  }
}
