const { floor, max, min } = Math;
/** Garbage is collected before the turn of the event loop that would bring the thread over its cap, or when this share of that is garbage. */
const GARBAGE_SHARE = 0.25;
/** So much of its cap is taken for a turn's before it is known; of what a turn has brought this share is forgotten in each that follows. */
const TURN_SHARE = 0.15;
const FORGOTTEN_SHARE = 1 / 16;
/** In a thread that fills its caches with other things a look takes some 50 us. So many turns pass without one as would bring half of the room that is left, at most so many. */
const UNSEEN_SHARE = 0.5;
const UNSEEN_MAX_COUNT = 8;
/** Only what is young is collected, which costs a fifth, as long as that makes such a share of the room that collecting all would. */
const YOUNG_SHARE = 0.25;
/** When it has not, all is collected once before it is tried again, then twice, and so on. */
const WHOLE_MAX_COUNT = 8;

/** When a thread near its cap is to collect its garbage, and whether all of it. All amounts are bytes that it holds, garbage included. */
export class CollectionPace {
  /** So often all is collected before only the young is tried again; and so often after the next try, if that fails. */
  #wholeCount = 1;
  #nextWholeCount = 1;
  /** Was all collected last? */
  #wasWhole = true;
  /** What that left, or less that was seen since: no more is no garbage. */
  #liveBytes = 0;
  /** The least that was seen since anything was collected. */
  #lowestBytes = 0;
  #seenBytes = 0;
  /** What a turn brings. */
  #turnBytes = 0;
  /** Turns since it was looked at, and how many of them need not be. */
  #turnCount = 0;
  #unseenCount = 0;

  /** Is all to be collected, and not only what is young? */
  get isWholeNext(): boolean {
    return this.#wholeCount > 0;
  }

  /** Turns are looked at from now on. */
  begin(bytes: number, maxBytes: number): void {
    this.#see(bytes);
    this.#turnBytes = maxBytes * TURN_SHARE;
  }

  /** A turn is over. Is it to be looked at what it holds? */
  onTurn(): boolean {
    return ++this.#turnCount > this.#unseenCount;
  }

  /** Must it collect before the next turn? `besideBytes`: what it is charged with beside what it holds. */
  onLook(bytes: number, maxBytes: number, besideBytes: number): boolean {
    const broughtBytes = (bytes - this.#seenBytes) / this.#turnCount;
    this.#turnBytes = max(broughtBytes, this.#turnBytes * (1 - FORGOTTEN_SHARE) ** this.#turnCount);
    this.#see(bytes);
    this.#lowestBytes = min(this.#lowestBytes, bytes);
    this.#liveBytes = min(this.#liveBytes, bytes);
    const fromBytes = max(maxBytes - besideBytes - this.#turnBytes, this.#liveBytes + maxBytes * GARBAGE_SHARE);
    if (bytes <= fromBytes) {
      this.#unseenCount = min(UNSEEN_MAX_COUNT, floor(((fromBytes - bytes) * UNSEEN_SHARE) / max(1, this.#turnBytes)));
      return false;
    }
    if (!this.#wasWhole) this.#learn(fromBytes);
    return true;
  }

  /** It has collected, and holds so much. */
  onCollected(bytes: number, isWhole: boolean): void {
    this.#wasWhole = isWhole;
    this.#lowestBytes = bytes;
    this.#see(bytes);
    if (!isWhole) return;
    this.#wholeCount = max(0, this.#wholeCount - 1);
    this.#liveBytes = bytes;
  }

  #see(bytes: number): void {
    this.#seenBytes = bytes;
    this.#turnCount = 0;
    this.#unseenCount = 0;
  }

  /** What was young has been collected, and it holds so much again. */
  #learn(bytes: number): void {
    const isWorthIt = bytes - this.#lowestBytes > (bytes - this.#liveBytes) * YOUNG_SHARE;
    this.#wholeCount = isWorthIt ? 0 : this.#nextWholeCount;
    this.#nextWholeCount = isWorthIt ? 1 : min(WHOLE_MAX_COUNT, this.#nextWholeCount * 2);
  }
}
