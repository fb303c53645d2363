/** While somebody works, memory is looked at this often at most. */
export const LOOK_MIN_MS = 10;
/** Hardly a thread fills memory faster, page by page: the kernel has to clear each of them first. */
const BYTES_PER_MS = 4 << 20;
/** How much of a peak is forgotten at each look, so that what falls and rises again is not taken for growth. */
const FORGOTTEN_SHARE = 1 / 8;

/** How long it may take until the next look. */
export interface LookTimes {
  /** At what does not grow, however little room is left. */
  quietMs: number;
  /** At anything. */
  maxMs: number;
  /** How fast it grew so long ago says nothing. */
  staleMs: number;
}

/** Of who is the first to see what a thread takes. */
const FIRST: LookTimes = { quietMs: 30, maxMs: 50, staleMs: 200 };

/**
 * When to look again at something's memory: before it can be at its maximum, where that is possible, and else by how fast it grows. A look
 * wakes a process, which costs more than what is done then.
 */
export class LookPace {
  readonly #now: () => number;
  readonly #times: LookTimes;
  #highBytes = 0;
  #seenAt = -Infinity;
  /** null: not known. */
  #bytesPerMs: number | null = null;

  constructor(now: () => number = () => performance.now(), times: LookTimes = FIRST) {
    this.#now = now;
    this.#times = times;
  }

  /** It was looked at, and held so much. */
  see(bytes: number): void {
    const now = this.#now();
    const sinceMs = now - this.#seenAt;
    const isStale = sinceMs > this.#times.staleMs;
    const high = isStale ? bytes : this.#highBytes;
    this.#bytesPerMs = isStale ? null : Math.max(0, bytes - high) / Math.max(1, sinceMs);
    this.#highBytes = Math.max(bytes, high - (high - bytes) * FORGOTTEN_SHARE);
    this.#seenAt = now;
  }

  /** In how many ms to look again at what has so much room left. */
  nextMs(roomBytes: number): number {
    const { quietMs, maxMs } = this.#times;
    const soonestMs = Math.min(maxMs, roomBytes / BYTES_PER_MS);
    if (roomBytes <= 0 || this.#bytesPerMs === null) return Math.max(LOOK_MIN_MS, soonestMs);
    // It may double its speed until then.
    const expectedMs = roomBytes / (2 * this.#bytesPerMs);
    return Math.max(LOOK_MIN_MS, Math.min(expectedMs, Math.max(quietMs, soonestMs)));
  }
}
