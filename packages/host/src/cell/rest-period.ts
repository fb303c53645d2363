import type { ProcessReading, ThreadReading } from './unexplained-memory.ts';

/**
 * A time in which nobody works. V8 gives free pages of a heap back then, and its statistics count them still: when they come again they were paid
 * for, so that so much is owed to their thread.
 */
export class RestPeriod<Thread> {
  readonly #process: ProcessReading;
  readonly #threads: ReadonlyMap<Thread, ThreadReading>;
  readonly #owed: ReadonlyMap<Thread, number>;

  /** How it was when it began, and what each was owed then, in bytes. */
  constructor(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>, owed: ReadonlyMap<Thread, number>) {
    this.#process = process;
    this.#threads = new Map(threads);
    this.#owed = owed;
  }

  /**
   * What each is owed by now: of what has gone that no statistic explains its part, by what its heap has free, until it is owed that. null: it may have
   * been another thread's, which has come or gone meanwhile.
   */
  owedAt(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, number> | null {
    const { rssBytes, leftBytes } = this.#process;
    if (leftBytes > 0 || threads.size !== this.#threads.size) return null;
    let goneBytes = rssBytes - process.rssBytes;
    let freeBytes = 0;
    for (const [thread, { committedBytes, freeHeapBytes, isEnding }] of threads) {
      const before = this.#threads.get(thread);
      if (before === undefined || isEnding) return null;
      goneBytes += committedBytes - before.committedBytes;
      freeBytes += freeHeapBytes;
    }
    return new Map(
      Array.from(threads, ([thread, { freeHeapBytes, offHeapBytes }]) => {
        const before = this.#owed.get(thread) ?? 0;
        // Buffers that it counted, and does not any more though nothing went, had not been there.
        const uncountedBytes = (this.#threads.get(thread)?.offHeapBytes ?? 0) - offHeapBytes;
        const saidBytes = Math.max(0, Math.min(-goneBytes, uncountedBytes));
        const owedBytes = Math.min(
          Math.max(before - saidBytes, Math.min(before, freeHeapBytes)),
          offHeapBytes + freeHeapBytes,
        );
        const partBytes = freeBytes === 0 ? 0 : (Math.max(0, goneBytes) * freeHeapBytes) / freeBytes;
        return [thread, Math.max(owedBytes, Math.min(owedBytes + partBytes, freeHeapBytes))];
      }),
    );
  }
}
