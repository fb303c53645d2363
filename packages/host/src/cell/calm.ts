/** So much may come or go without anything being new. */
const WITHIN_BYTES = 1 << 20;

/** Of a thread that is watched: in how many ms to look again, and until when nothing else is due. */
export interface CalmThread {
  readonly running: { readonly current: number };
  readonly calmMs: number;
  readonly calmUntil: number;
}

/**
 * A time in which a look finds nothing to do, as long as the process has what it had and each thread is at what it was at. Most looks are of
 * that kind. What they cost is not the little that they reckon, but how much code and memory is fetched for it by a process that wakes up now and then.
 */
export class Calm {
  #threads: [thread: CalmThread, running: number][] = [];
  #rssBytes = 0;
  #until = -Infinity;
  /** In how many ms to look again. */
  lookMs = 0;

  /** The process has so much. `until`: when something is due that is none of these threads'. */
  begin(threads: readonly CalmThread[], rssBytes: number, until: number): void {
    this.#threads = threads.map((thread) => [thread, thread.running.current]);
    this.#rssBytes = rssBytes;
    this.#until = Math.min(until, ...threads.map((thread) => thread.calmUntil));
    this.lookMs = Math.min(...threads.map((thread) => thread.calmMs));
  }

  end(): void {
    this.#until = -Infinity;
  }

  /** `now`: when the process has so much, in ms. */
  holds(rssBytes: number, now: number): boolean {
    if (now >= this.#until || Math.abs(rssBytes - this.#rssBytes) > WITHIN_BYTES) return false;
    for (const [thread, running] of this.#threads) if (thread.running.current !== running) return false;
    return true;
  }
}
