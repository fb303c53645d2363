/** What a thread takes from its process by its own statistics. Both may be garbage. */
export interface StatedMemory {
  /** Pages of its heap and what it has beside it. */
  committedBytes: number;
  /** Of that, what is not in its heap. */
  offHeapBytes: number;
  /** Of its heap, what holds no object. V8 counts pages among that which it has given back, until it collects again. */
  freeHeapBytes: number;
}

/**
 * What a thread has taken beyond what its statistics show, since it was begun. What it has less of by its statistics may be in the process still: V8 keeps
 * the pages of a heap for the next garbage, the allocator those of buffers. Such pages are nobody's charge; they are taken first when the same kind
 * comes again, and are good for nothing else. So what is hidden behind them is never more than the peak of the kind, less what there is of it.
 */
export class MemoryBalance {
  /** Beyond the statistics, kept pages included. Less than 0: buffers or pages of the heap are counted that have been given back, or were never touched. */
  readonly #beyondBytes: number;
  /** Of the heap, of buffers, and of both, at the most. */
  readonly #keptHeapBytes: number;
  readonly #keptOffHeapBytes: number;
  readonly #keptBytes: number;

  constructor(beyondBytes = 0, keptHeapBytes = 0, keptOffHeapBytes = 0, keptBytes = 0) {
    this.#beyondBytes = beyondBytes;
    this.#keptHeapBytes = keptHeapBytes;
    this.#keptOffHeapBytes = keptOffHeapBytes;
    this.#keptBytes = keptBytes;
  }

  /** Nothing is charged, but so much is counted that is not there, and will come again. */
  static owed(bytes: number): MemoryBalance {
    return new MemoryBalance(-bytes);
  }

  /** What it is charged with. */
  get bytes(): number {
    return Math.max(0, this.#beyondBytes - this.#keptBytes);
  }

  /** What is counted that is not there, or may be, as there is less than the statistics and the kept pages come to, where its heap is free. */
  owedBytes({ freeHeapBytes }: StatedMemory): number {
    return Math.max(0, -this.#beyondBytes, Math.min(this.#keptBytes - this.#beyondBytes, freeHeapBytes));
  }

  /**
   * It has taken so much, while its statistics became others. `isFirst`: what they were `before` was said some time before it was begun, and
   * what they lack is not taken off what comes.
   */
  after(takenBytes: number, before: StatedMemory, now: StatedMemory, isFirst: boolean): MemoryBalance {
    const offHeapBytes = now.offHeapBytes - before.offHeapBytes;
    const heapBytes = now.committedBytes - before.committedBytes - offHeapBytes;
    // What it counts without having it is no more than it counts. What else has become less was somebody else's.
    const countedBytes = now.offHeapBytes + now.freeHeapBytes;
    const owedMaxBytes = isFirst ? between(0, -this.#beyondBytes, countedBytes) : countedBytes;
    const beyondBytes = Math.max(-owedMaxBytes, this.#beyondBytes + takenBytes - heapBytes - offHeapBytes);
    const keptHeapBytes = between(0, this.#keptHeapBytes - heapBytes, beyondBytes + countedBytes);
    // What it counts less of has been given back before, as far as that is known.
    const knownBytes = Math.min(this.#keptOffHeapBytes, this.#beyondBytes + before.freeHeapBytes) - offHeapBytes;
    const keptOffHeapBytes = between(0, knownBytes, Math.max(0, beyondBytes + now.freeHeapBytes));
    const moreBytes = Math.max(0, -heapBytes) + Math.max(0, -offHeapBytes);
    const keptMaxBytes = Math.min(this.#keptBytes + moreBytes, beyondBytes + countedBytes);
    const keptBytes = Math.min(keptHeapBytes + keptOffHeapBytes, keptMaxBytes);
    return new MemoryBalance(beyondBytes, keptHeapBytes, keptOffHeapBytes, keptBytes);
  }

  /** The same, with a charge of no more than so much. */
  atMost(bytes: number): MemoryBalance {
    const beyondBytes = this.#beyondBytes - Math.max(0, this.bytes - bytes);
    return new MemoryBalance(beyondBytes, this.#keptHeapBytes, this.#keptOffHeapBytes, this.#keptBytes);
  }
}

function between(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}
