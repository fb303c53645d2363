import type { KeptHeaps } from './kept-heap.ts';
import type { OwnMemory } from './own-memory.ts';
import { residentBytes } from './resident-bytes.ts';
import type { SupervisedThread } from './supervised-thread.ts';
import { readAllFaults } from './task-stat.ts';
import { type ProcessReading, restated, type ThreadReading, UnexplainedMemory } from './unexplained-memory.ts';

/** Beside its heap a thread takes memory for its stack, Node's own objects and the servlet's code when it starts. */
const START_BYTES = 24 << 20;
/** Before memory is laid to threads all are sampled anew. One in a long native call does not answer; the others have by then. */
const SAMPLED_MAX_MS = 50;
/** What Node's collector and compiler take and give back for a thread: less than this is not told of anybody. */
const NOISE_BYTES = 4 << 20;
/** While somebody is charged with more and more, so much more is looked at: where it stops is what a peak comes to. */
const GROWTH_BYTES = 1 << 20;
/** How it was when nobody worked is good for so long, where somebody is at a request whenever it is looked. */
const REST_MAX_MS = 1000;
/** So often at most it is looked whose memory it is that has come, while nobody can be over a cap with it. */
const NEWS_EVERY_MS = 50;
/** And at once when so much of its room may be gone. */
const NEWS_ROOM_SHARE = 1 / 4;

/** What becomes of what is found. */
export interface MemoryFindings {
  /** These are charged with more than was told of them. */
  onCharged(threads: SupervisedThread[]): void;
  /** One is over its cap with what its statistics don't show. */
  onBreach(thread: SupervisedThread, bytes: number, maxBytes: number): void;
}

/** What the kernel said at one moment, beside what threads had said before it. */
interface Moment {
  whole: ProcessReading;
  readings: Map<SupervisedThread, ThreadReading>;
}

/** Holds each thread of this process to its cap with the memory that its statistics don't show. */
export class MemoryWatch {
  readonly #threads: ReadonlyMap<number, SupervisedThread>;
  readonly #findings: MemoryFindings;
  readonly #memory = new UnexplainedMemory<SupervisedThread>();
  /** Their start is over, and what it took has not been looked at yet. */
  readonly #started = new Set<SupervisedThread>();
  #isReading = false;
  /** When it was looked last whose memory there is, somebody had more than before, or more was coming. */
  #isGrowing = false;
  #restedAt = -Infinity;
  /** Somebody is watched, and it was not read since whose memory there is. */
  #isNew = false;
  /** At the last look at which somebody worked who is watched. */
  #seenRssBytes = 0;
  #readAt = 0;
  /** How it was when nobody worked any longer. The threads have not been asked since. */
  #ended: Moment | null = null;
  readonly #own: OwnMemory;
  readonly #left: Pick<KeptHeaps, 'bytes'>;

  /** `threads`: those that there are, by lease. `own`: of this process, and laid to nobody. `left`: by threads that have ended. */
  constructor(
    threads: ReadonlyMap<number, SupervisedThread>,
    findings: MemoryFindings,
    own: OwnMemory,
    left: Pick<KeptHeaps, 'bytes'>,
  ) {
    this.#threads = threads;
    this.#findings = findings;
    this.#own = own;
    this.#left = left;
  }

  /** A thread is watched from now on. What it does has begun some time ago, and may have taken memory already. The process had `beforeBytes` before that. */
  begin(thread: SupervisedThread, beforeBytes: number): void {
    const ownBytes = this.#own.read().bytes;
    this.#seenRssBytes = residentBytes() - ownBytes;
    const isOpen = this.#memory.isOpen || (!thread.isStarting && this.#memory.resume());
    // A start is not resumed: the process itself takes memory for it, to read and strip its modules.
    if (!isOpen) this.#memory.open(this.#processReading(), this.#readings());
    // What has gone by now is no garbage.
    const grownBytes = Math.min(beforeBytes - ownBytes, this.#seenRssBytes) - this.#memory.markBytes;
    thread.beforeBytes = this.#memory.chargedTo(thread) + Math.max(0, grownBytes);
    // It is no more than the thread is charged with by now, which nobody asks for as long as its statistics explain it.
    this.#isNew ||= grownBytes > NOISE_BYTES;
  }

  /** Its servlet is loaded; what that took stays its own, but no request is charged with it. */
  onStarted(thread: SupervisedThread): void {
    if (!this.#memory.isOpen) return;
    this.#started.add(thread);
    this.#onOver();
  }

  /** A request that was watched is over. The next one may run already, and is not watched yet: what has come since then is its doing. */
  onRequestOver(): void {
    if (!this.#memory.isOpen || this.#suspects().length > 0) return;
    if (!this.#isSomebodyRunning) return this.#onOver();
    this.#ended = null;
    this.#memory.restAsSeen(this.#seenRssBytes, this.#readings());
    this.#restedAt = performance.now();
    this.#tell(0);
  }

  /** What a thread takes from now on is for its next request. */
  #onOver(): void {
    if (this.#suspects().length === 0) this.#ended = { whole: this.#processReading(), readings: this.#readings() };
    this.#read(residentBytes(), []);
  }

  /**
   * The thread's heap is taken down to that file. What comes until then is laid to nobody: it takes much more memory than that heap. What comes after it
   * is the doing of who works then.
   * @throws Error when the thread is gone, or the file can't be written
   */
  async writeHeapSnapshot(thread: SupervisedThread, file: string): Promise<void> {
    thread.isTakenDown = true;
    try {
      await thread.writeHeapSnapshot(file);
    } finally {
      // Its heap was collected for that.
      await sampled([...this.#threads.values()], residentBytes());
      const [whole, readings] = [this.#processReading(), this.#readings()];
      thread.isTakenDown = false;
      this.#seenRssBytes = whole.rssBytes;
      if (this.#memory.isOpen) this.#memory.advance(whole, readings);
      else {
        this.#memory.rest(whole, readings, !this.#isSomebodyRunning);
        this.#restedAt = performance.now();
        if (thread.isSuspect) this.#memory.resume();
      }
    }
  }

  /** What no statistic of the thread shows is told before there is much garbage again. The process had so much before it said that it has collected. */
  onCollected(thread: SupervisedThread, rssBytes: number): void {
    if (this.#memory.isOpen) this.#read(rssBytes, [thread]);
  }

  onGone(thread: SupervisedThread): void {
    this.#memory.forget(thread);
    this.#started.delete(thread);
  }

  /**
   * At every whole look, when those that were `asked` in it have answered. The process had so much memory before they were; `isLong`: it
   * is some time since it was looked at last.
   */
  look(rssBytes: number, isLong: boolean, asked: readonly SupervisedThread[]): void {
    const othersBytes = rssBytes - this.#own.glance();
    if (this.#suspects().length > 0) this.#seenRssBytes = othersBytes;
    if (isLong || (this.#memory.isOpen && this.#hasNews(othersBytes))) this.#read(rssBytes, asked);
  }

  /** A calm look: the process has so much. */
  see(rssBytes: number): void {
    this.#seenRssBytes = rssBytes - this.#own.glance();
  }

  /** Would a look find nothing, now and as long as the process has no more than so much and each goes on with what it does? */
  isCalmAt(rssBytes: number): boolean {
    if (!this.#memory.isOpen || this.#isReading || this.#isNew || this.#ended !== null) return false;
    const suspects = this.#suspects();
    const othersBytes = rssBytes - this.#own.glance();
    return suspects.length > 0 && suspects.every((thread) => this.#newsOf(thread, othersBytes) === 'none');
  }

  #hasNews(rssBytes: number): boolean {
    const suspects = this.#suspects();
    if (suspects.length === 0 || this.#isNew) return true;
    const isDue = performance.now() - this.#readAt > NEWS_EVERY_MS;
    return suspects.some((thread) => {
      const news = this.#newsOf(thread, rssBytes);
      return news === 'urgent' || (news === 'some' && isDue);
    });
  }

  #newsOf(thread: SupervisedThread, rssBytes: number): 'none' | 'some' | 'urgent' {
    if (thread.isToBeSettled) return 'urgent';
    const bytes = this.#memory.boundOf(thread, rssBytes, thread.stated);
    if (bytes > maxOf(thread)) return 'urgent';
    const moreBytes = bytes - thread.lastSample.unexplainedBytes;
    if (moreBytes <= (this.#isGrowing ? GROWTH_BYTES : NOISE_BYTES)) return 'none';
    return moreBytes > thread.roomBytes * NEWS_ROOM_SHARE ? 'urgent' : 'some';
  }

  /** `asked`: need not be asked again. */
  #read(beforeBytes: number, asked: readonly SupervisedThread[]): void {
    if (this.#isReading) return;
    const others = [...this.#threads.values()].filter((thread) => !asked.includes(thread) && !thread.isOverdue);
    if (others.length === 0) return this.#onRead(beforeBytes);
    this.#isReading = true;
    void sampled(others, beforeBytes).then(() => {
      this.#isReading = false;
      this.#onRead(beforeBytes);
    });
  }

  #onRead(beforeBytes: number): void {
    this.#readAt = performance.now();
    this.#isNew = false;
    const whole = this.#processReading();
    const readings = this.#readings();
    const isAtRest = this.#suspects().length === 0;
    // Nothing is charged for a start any more once all that is there belongs to the process.
    const isRested = this.#ended !== null || isAtRest;
    if (this.#ended !== null) this.#restAt(this.#ended, isAtRest ? readings : null);
    if (isAtRest) this.#restNow(whole, readings);
    else this.#memory.advance(whole, readings);
    if (!isRested) for (const thread of this.#started) this.#memory.forgive(thread);
    this.#started.clear();
    // What has come since they were asked may be in no sample yet: the next reading will tell whose it is.
    this.#tell(Math.max(0, whole.rssBytes - (beforeBytes - this.#own.glance())));
    for (const thread of this.#suspects()) {
      const bytes = this.#memory.chargedTo(thread);
      if (bytes > maxOf(thread) && !thread.excuses(bytes)) this.#findings.onBreach(thread, bytes, maxOf(thread));
    }
  }

  /** What is found to be nobody's raises no further question. */
  #restNow(whole: ProcessReading, readings: Map<SupervisedThread, ThreadReading>): void {
    const now = performance.now();
    if (this.#isSomebodyRunning) {
      // What has come since it began is not nobody's.
      if (this.#memory.isOpen) this.#memory.restAsSeen(this.#seenRssBytes, readings);
      else if (now - this.#restedAt > REST_MAX_MS) this.#memory.rest(whole, readings, false);
      else return;
    } else this.#memory.rest(whole, readings, this.#hasAllSaid);
    this.#restedAt = now;
  }

  /** Nobody worked then. `later`: what threads have said since, if none of them is watched by now. */
  #restAt(ended: Moment, later: ReadonlyMap<SupervisedThread, ThreadReading> | null): void {
    this.#ended = null;
    this.#memory.rest(ended.whole, later === null ? ended.readings : restated(ended.readings, later), false);
    this.#restedAt = performance.now();
    if (later === null) this.#memory.resume();
  }

  /** The ledger has it with what the threads' own statistics say. */
  #tell(unsureBytes: number): void {
    this.#isGrowing = unsureBytes > GROWTH_BYTES;
    for (const thread of this.#threads.values()) {
      const bytes = Math.round(this.#memory.chargedTo(thread) - unsureBytes);
      if (bytes > Math.max(NOISE_BYTES, thread.lastSample.unexplainedBytes)) this.#isGrowing = true;
      thread.onUnexplained(bytes < NOISE_BYTES ? 0 : bytes, unsureBytes);
    }
    // What has become less is told with the next report.
    const more = [...this.#threads.values()].filter((thread) => thread.isAtPeak);
    if (more.length > 0) this.#findings.onCharged(more);
  }

  /** What threads have said of themselves is of this moment. */
  get #hasAllSaid(): boolean {
    return ![...this.#threads.values()].some((thread) => thread.isAsked);
  }

  /** At a request, watched or not yet. */
  get #isSomebodyRunning(): boolean {
    return [...this.#threads.values()].some((thread) => thread.running.current !== 0);
  }

  #suspects(): SupervisedThread[] {
    return [...this.#threads.values()].filter((thread) => thread.isSuspect);
  }

  #processReading(): ProcessReading {
    const own = this.#own.read();
    const faults = readAllFaults();
    return {
      rssBytes: residentBytes() - own.bytes,
      faults: faults === null ? null : faults - own.faults,
      leftBytes: this.#left.bytes,
    };
  }

  #readings(): Map<SupervisedThread, ThreadReading> {
    return new Map(Array.from(this.#threads.values(), (thread) => [thread, thread.reading()]));
  }
}

/** Resolves when they have said what they hold, or it can't be waited for any longer. */
async function sampled(threads: readonly SupervisedThread[], rssBytes: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, SAMPLED_MAX_MS);
  await Promise.race([promise, Promise.all(threads.map((thread) => thread.sample(rssBytes)))]);
  clearTimeout(timer);
}

function maxOf({ heapMaxBytes, isStarting }: SupervisedThread): number {
  return heapMaxBytes + (isStarting ? START_BYTES : 0);
}
