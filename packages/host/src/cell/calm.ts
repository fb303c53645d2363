import { LOOK_MIN_MS } from './look-pace.ts';

/** So much may come without anything being new. */
export const CALM_BYTES: number = 1 << 20;
/** What is looked at so seldom may wait so much longer for the last look: one less. */
const SELDOM_MS = 30;
const LAST_LOOK_MS = 40;

/** What matters of a thread that is watched. */
export interface CalmThread {
  /** It is at another request than was told. */
  readonly hasMoved: boolean;
  readonly isEnding: boolean;
  /** In how many ms to look again, by how fast its process grows. */
  readonly calmMs: number;
  /** Until when there is nothing to do about it; -Infinity: there is. */
  readonly calmUntil: number;
  /** Its process has so much. */
  see(rssBytes: number): void;
}

/**
 * A time in which a look finds nothing to do, as long as the process has no more than it may and the one thread that is watched is at what it was at. Most looks
 * are of that kind. What they cost is not the little that they reckon, but how much code and memory a process fetches for it that wakes up now and then.
 */
export class Calm {
  #thread: CalmThread | null = null;
  #maxBytes = 0;
  #until = 0;

  /** The process may have so much. `until`: when something is due that is not the thread's. */
  begin(thread: CalmThread, maxBytes: number, until: number): void {
    this.#thread = thread;
    this.#maxBytes = maxBytes;
    this.#until = Math.min(until, thread.calmUntil);
  }

  end(): void {
    this.#thread = null;
  }

  /** A look, at which the process has so much. @returns in how many ms to look again; null: there may be something to do now, and it is over */
  nextMs(rssBytes: number, now: number): number | null {
    const thread = this.#thread;
    if (thread === null) return null;
    const isOver = now >= this.#until || rssBytes > this.#maxBytes || thread.hasMoved || thread.isEnding;
    if (isOver) {
      this.#thread = null;
      return null;
    }
    thread.see(rssBytes);
    // A timer may go off up to 1 ms before its time, and who was not quite due then would need another look.
    const leftMs = Math.ceil(this.#until - now) + 1;
    const lookMs = thread.calmMs;
    const lastMs = lookMs < SELDOM_MS ? lookMs : Math.max(lookMs, LAST_LOOK_MS);
    return leftMs <= lastMs ? Math.max(LOOK_MIN_MS, leftMs) : lookMs;
  }
}
