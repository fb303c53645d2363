import type { LastCollection } from '@custodian/protocol';

/**
 * From this share of its cap on a thread is asked to collect its garbage, at most so often, and when it has filled this share of what
 * the last collection left it.
 */
const ASK_FROM_SHARE = 0.7;
const ASK_EVERY_MS = 200;
const ASK_FILLED_SHARE = 0.5;
/** The same share of memory that no statistic shows. It is ended with the first look that finds it over, if a collection has not left less than that. */
const ASK_FROM_UNEXPLAINED_SHARE = 0.5;
/** So long after a collection what no statistic shows is without what was garbage there: another thread may give it back. */
const SETTLED_MS = 20;
const SETTLED_MAX_MS = 100;
/** Garbage may be made anew until then, so that it takes so many collections in a row to be over with that. */
const SETTLED_COUNT = 3;
/** One that is over for so much CPU time without coming back to its event loop has no excuse. */
const OVER_MAX_CPU_MS = 250;
/**
 * Over by a quarter, or of a large cap by so much and this share, it is enough to have used so much since it was asked: what fills
 * memory in a loop never comes back.
 */
const FAR_SHARE = 0.25;
const FAR_LARGE_BYTES = 8 << 20;
const FAR_LARGE_SHARE = 0.05;
const FAR_MAX_CPU_MS = 8;
/** Beyond this nothing is an excuse. V8 lets 64 MB of buffers become garbage before it looks. */
const BEYOND_BYTES = 64 << 20;

/**
 * A thread's cap on memory, of which garbage is no part, though every statistic has it. Whoever is over gets the chance
 * to collect, and is over it when that has not helped, or when its event loop does not come to it. The thread's CPU
 * time measures its patience: on a busy machine neither a late look nor a thread that waits for its turn is held against it.
 */
export class HeapCap {
  maxBytes: number;
  /** Of what no statistic shows, so much came before this request, for all that was told since: garbage of others, until it has been collected. */
  beforeBytes = 0;
  readonly #last: LastCollection;
  readonly #onAsked: () => void;
  readonly #lastRequest: () => number;
  readonly #now: () => number;
  #question = 0;
  /** The last request that had begun when that was put. */
  #questionRequest = 0;
  #isAsked = false;
  #isWholeAsked = false;
  #askedAtCpuMs = 0;
  #overFromCpuMs: number | null = null;
  #collectedAt = -Infinity;
  /** What that left, and whether none of it was garbage. */
  #collectedBytes = 0;
  #isWhole = false;
  /** What no statistic shows, as it was told last, and when that was first told after this collection. */
  #unexplainedBytes = 0;
  #collectedUnexplainedBytes = 0;
  #unexplainedAt = -Infinity;
  /** It has collected, and what no statistic shows was not told since that can count. */
  #isUnsettled = false;
  /** The least that it can have been since it has collected: what it makes since then may be garbage anew. */
  #leastBytes = 0;
  /** That was told before requests which nobody watched may have left garbage. */
  #isProof = false;
  /** What no statistic showed when it had settled after a collection of all garbage, or less that was told since. */
  #settledBytes = 0;
  /** Collections in a row after which it was over with what no statistic shows. */
  #overCount = 0;

  /** `onAsked`: has the thread look for the question in `last` when it comes back to its event loop. `lastRequest`: the number of the last that has begun; always the same where they overlap. */
  constructor(
    maxBytes: number,
    last: LastCollection,
    onAsked: () => void,
    lastRequest: () => number,
    now: () => number = () => performance.now(),
  ) {
    this.maxBytes = maxBytes;
    this.#last = last;
    this.#onAsked = onAsked;
    this.#lastRequest = lastRequest;
    this.#now = now;
  }

  /** Asks it now, whatever it holds. `isWhole`: to collect all. Who has not come to the last question has no more time for this one. */
  collect(cpuMs: number, isWhole: boolean = true): void {
    const hasToCome = this.#isAsked && this.#last.begun < this.#question;
    if (hasToCome && (this.#isWholeAsked || !isWhole)) return;
    if (!hasToCome) this.#askedAtCpuMs = cpuMs;
    this.#isAsked = true;
    this.#isWholeAsked = isWhole;
    this.#questionRequest = this.#lastRequest();
    this.#last.ask(++this.#question, isWhole);
    this.#onAsked();
  }

  /** A sample of the thread: its statistics, garbage and all, show so much, and it has used so much CPU time. Returns what is too much, if it is. */
  breachedBy(statedBytes: number, cpuMs: number): number | null {
    const { maxBytes } = this;
    if (this.#isAsked && this.#last.ended >= this.#question) {
      this.#isAsked = false;
      this.#collectedAt = this.#now();
      this.#collectedBytes = this.#last.heldBytes;
      this.#isWhole = this.#last.isWhole;
      this.#isUnsettled = true;
      this.#leastBytes = Infinity;
      this.#isProof = false;
      if (this.#isWhole && this.#isOfOne) this.beforeBytes = 0;
      if (this.#isWhole && this.#collectedBytes > maxBytes) return this.#collectedBytes;
    }
    // What was told before the collection may be gone.
    const unexplainedBytes = this.#isUnsettled ? 0 : this.#unexplainedBytes;
    const heldBytes = statedBytes + unexplainedBytes;
    const ownBytes = statedBytes + this.#ownOf(unexplainedBytes);
    if (ownBytes > this.#beyondBytes) return heldBytes;
    const isOver = heldBytes > maxBytes;
    this.#overFromCpuMs = isOver ? (this.#overFromCpuMs ?? cpuMs) : null;
    if (this.#isAsked) return isOver && this.#isOutOfPatience(ownBytes, cpuMs) ? heldBytes : null;
    if (isOver || this.#isNear(statedBytes, this.#collectedBytes, ASK_FROM_SHARE)) this.collect(cpuMs, isOver);
    return null;
  }

  /**
   * It is charged with so much that no statistic of it shows, when those show `statedBytes`; it may be `unsureBytes` more. Shared buffers become garbage, too: who
   * is over with them is judged by the least that is told until some time after a collection, again and again. Returns what is too much, if it is.
   */
  onUnexplained(bytes: number, statedBytes: number, cpuMs: number, unsureBytes: number = 0): number | null {
    this.#unexplainedBytes = bytes;
    this.#last.charge(bytes);
    this.#settledBytes = Math.min(this.#settledBytes, bytes);
    this.beforeBytes = Math.min(this.beforeBytes, bytes + unsureBytes);
    this.#leastBytes = Math.min(this.#leastBytes, bytes + unsureBytes);
    this.#isProof ||= this.#isWhole && this.#isOfOne;
    if (this.#unexplainedAt !== this.#collectedAt) {
      this.#unexplainedAt = this.#collectedAt;
      this.#collectedUnexplainedBytes = bytes;
    }
    if (this.#isUnsettled && this.#now() - this.#collectedAt >= SETTLED_MS) {
      this.#isUnsettled = false;
      const leastBytes = Math.min(this.#leastBytes, bytes);
      if (this.#isProof && this.#now() - this.#collectedAt < SETTLED_MAX_MS) this.#settledBytes = leastBytes;
      const liveBytes = Math.min(this.#collectedBytes, statedBytes) + leastBytes;
      const isOver = bytes > 0 && liveBytes > this.maxBytes;
      if (!isOver) this.#overCount = 0;
      else if (this.#isProof) this.#overCount++;
      if (this.#overCount >= SETTLED_COUNT) return liveBytes;
      if (isOver && !this.#isAsked) this.collect(cpuMs);
    }
    const isNear = this.#isNear(bytes, this.#collectedUnexplainedBytes, ASK_FROM_UNEXPLAINED_SHARE);
    if (!this.#isAsked && isNear) this.collect(cpuMs);
    return null;
  }

  /**
   * So much that no statistic shows is over the cap by itself, as {@link onUnexplained} was told. May it be garbage that has come since it was looked at
   * last, as far as the last collection has helped? Then it is asked to collect, and has as long as one that is far over; as one that is over, if
   * it would not be without what came before its request.
   */
  excuses(bytes: number, cpuMs: number): boolean {
    const hasNotHelped = this.#settledBytes > this.maxBytes * ASK_FROM_UNEXPLAINED_SHARE;
    const ownBytes = this.#ownOf(bytes);
    if (hasNotHelped || ownBytes > this.#beyondBytes) return false;
    const maxCpuMs = ownBytes > this.maxBytes ? FAR_MAX_CPU_MS : OVER_MAX_CPU_MS;
    if (this.#isAsked) return this.#last.begun >= this.#question || cpuMs - this.#askedAtCpuMs <= maxCpuMs;
    if (!this.#isUnsettled || !this.#isWhole) this.collect(cpuMs);
    return true;
  }

  /** Of what it was charged with no more than so much is not in its heap, as it says now. */
  onExplained(bytes: number): void {
    this.#unexplainedBytes = Math.min(this.#unexplainedBytes, bytes);
    this.#last.charge(this.#unexplainedBytes);
  }

  /** Is it over, or asked to collect and has not done it? */
  get isPending(): boolean {
    return this.#isAsked || this.#overFromCpuMs !== null;
  }

  /** Is it to be told what no statistic shows, before more can be said? */
  get isOpen(): boolean {
    return (this.isPending || this.#isUnsettled) && this.#unexplainedBytes > 0;
  }

  /** Since it was asked, no more than one request has begun: those that nobody watched may have left garbage. */
  get #isOfOne(): boolean {
    return this.#lastRequest() - this.#questionRequest <= 1;
  }

  #ownOf(unexplainedBytes: number): number {
    return Math.max(0, unexplainedBytes - this.beforeBytes);
  }

  /** Is so much enough to ask it, when so much was left by the last collection? */
  #isNear(bytes: number, collectedBytes: number, fromShare: number): boolean {
    const filledBytes = collectedBytes + (this.maxBytes - collectedBytes) * ASK_FILLED_SHARE;
    return bytes > Math.max(this.maxBytes * fromShare, filledBytes) && this.#now() - this.#collectedAt > ASK_EVERY_MS;
  }

  get #beyondBytes(): number {
    return this.maxBytes * (1 + FAR_SHARE) + BEYOND_BYTES;
  }

  get #farBytes(): number {
    return this.maxBytes + Math.min(this.maxBytes * FAR_SHARE, FAR_LARGE_BYTES + this.maxBytes * FAR_LARGE_SHARE);
  }

  #isOutOfPatience(ownBytes: number, cpuMs: number): boolean {
    const hasComeBack = this.#last.begun >= this.#question;
    const isFar = ownBytes > this.#farBytes && !hasComeBack;
    return (
      (isFar && cpuMs - this.#askedAtCpuMs > FAR_MAX_CPU_MS) || cpuMs - (this.#overFromCpuMs ?? cpuMs) > OVER_MAX_CPU_MS
    );
  }
}
