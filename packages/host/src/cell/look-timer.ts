/** After a look that has failed, as where no file can be opened. */
const AFTER_FAILURE_MS = 50;

/** When to look next. A timer that is made anew for each look costs as much as what most looks do. */
export class LookTimer {
  readonly #look: () => void;
  #timer: NodeJS.Timeout | null = null;
  #ms = 0;
  #at = Infinity;

  constructor(look: () => void) {
    this.#look = () => {
      this.#at = Infinity;
      try {
        look();
      } catch (error) {
        this.within(AFTER_FAILURE_MS);
        throw error;
      }
    };
  }

  /** It is looked now: when that was to be is forgotten. */
  forget(): void {
    this.#at = Infinity;
  }

  /** The next look is in so many ms, or before: a timer that is put off wakes the process all the same. */
  within(ms: number): void {
    if (performance.now() + ms < this.#at) this.set(ms);
  }

  /** The next look is in so many ms; parts of one are not known to timers. */
  set(exactMs: number): void {
    const ms = Math.ceil(exactMs);
    this.#at = performance.now() + ms;
    if (this.#timer !== null && this.#ms === ms) {
      this.#timer.refresh();
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ms = ms;
    this.#timer = setTimeout(this.#look, ms);
  }
}
