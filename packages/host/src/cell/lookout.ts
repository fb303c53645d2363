import type { ThreadSample } from '@custodian/protocol';
import { Calm, CALM_BYTES } from './calm.ts';
import type { KeptHeaps } from './kept-heap.ts';
import { LookTimer } from './look-timer.ts';
import type { MemoryWatch } from './memory-watch.ts';
import { residentBytes } from './resident-bytes.ts';
import type { SupervisedThread } from './supervised-thread.ts';

/** What is read is reported this often, and new peaks soon: each report wakes the acceptor. */
const REPORT_MS = 250;
/** Sooner, where a thread does not say what it holds. */
const UNANSWERED_REPORT_MS = 200;
/** And whenever the process has grown by so much, since the acceptor holds it to its wall then. */
const GROWN_BYTES = 16 << 20;
/** All threads are sampled so often: while something runs, and else. */
const ACTIVE_MS = 250;
const IDLE_MS = 1000;
/** Or by such a share of that sooner, when one of them is asked anyhow. */
const EARLY_SHARE = 0.2;
/** A thread whose servlet is loaded is read so soon. */
const STARTED_MS = 10;

/** What is told of threads, and what has been used of CPU time to know it. */
export type Report = (threads: ThreadSample[], samplingMs: number) => void;

/** What it looks at, beside the threads. */
export interface Sights {
  memory: Pick<MemoryWatch, 'look' | 'see' | 'isCalmAt'>;
  keptHeaps: Pick<KeptHeaps, 'bytes'>;
  /** What supervising has used so far. */
  cpuMs: () => number;
  /** Of the process. */
  rssBytes?: () => number;
}

/**
 * Looks at the threads of this process from outside: while a request takes longer than a glance, at its thread as often as it has to be; at the others
 * now and then. It has each of them held to its limits, and reports.
 */
export class Lookout {
  readonly #threads: ReadonlyMap<number, SupervisedThread>;
  readonly #sights: Sights;
  readonly #rssBytes: () => number;
  readonly #report: Report;
  readonly #calm = new Calm();
  readonly #timer = new LookTimer(() => this.look());
  #isActive = false;
  #sampledAllAt = 0;
  #reportedAt = 0;
  /** What the process had when that was made, and when it was looked at last. */
  #reportedRssBytes = 0;
  #seenRssBytes = 0;
  /** As it was read last: to read it costs as much as half a look. */
  #samplingMs = 0;
  /** To be told of when what is done now is done. */
  readonly #reportable = new Set<SupervisedThread>();
  /** Looks whose threads have not all answered. */
  #pending = 0;
  /** A thread's servlet was loaded since it was looked last. */
  #hasStarted = false;

  constructor(threads: ReadonlyMap<number, SupervisedThread>, sights: Sights, report: Report) {
    this.#threads = threads;
    this.#sights = sights;
    this.#rssBytes = sights.rssBytes ?? residentBytes;
    this.#report = report;
  }

  begin(): void {
    this.#timer.within(IDLE_MS);
  }

  /** Something runs in the process, or nothing does. */
  setActive(isActive: boolean): void {
    this.#isActive = isActive;
    this.#timer.within(ACTIVE_MS);
  }

  /** Something was done to the threads, or has come of them: the next look is a whole one. */
  onNews(): void {
    this.#calm.end();
  }

  /** A thread's servlet is loaded. */
  onStarted(): void {
    this.#hasStarted = true;
    this.#timer.within(STARTED_MS);
  }

  /** A request that was watched is over. */
  onRequestOver(): void {
    // There was to be a look soon, for it; where nobody is watched, one is needed only when all are sampled.
    if (this.#watched().length > 0 || this.#hasStarted) return;
    this.#timer.set(this.#allDueMs);
  }

  /** Of all that is to be told in a turn, one report is made: each wakes the acceptor. */
  report(threads: readonly SupervisedThread[]): void {
    if (threads.length === 0) return;
    if (this.#reportable.size === 0) queueMicrotask(() => this.#sendReport());
    for (const thread of threads) this.#reportable.add(thread);
  }

  look(): void {
    const now = performance.now();
    const rssBytes = (this.#seenRssBytes = this.#rssBytes());
    const calmMs = this.#calm.nextMs(rssBytes, now);
    if (calmMs === null) return this.#lookWhole(rssBytes, now);
    this.#sights.memory.see(rssBytes);
    this.#timer.set(calmMs);
  }

  #lookWhole(rssBytes: number, now: number): void {
    const { memory, keptHeaps, cpuMs } = this.#sights;
    this.#timer.forget();
    this.#hasStarted = false;
    const watched = this.#watched();
    // One that does not answer keeps nothing back of the others.
    if (now - this.#reportedAt >= UNANSWERED_REPORT_MS && this.#pending > 0) this.report(watched);
    // A peak that came right after another one waits until then.
    this.report(watched.filter((thread) => thread.hasMoved || thread.isAtPeak));
    if (rssBytes > this.#reportedRssBytes + GROWN_BYTES) this.report(watched);
    const hiddenBytes = watched.length === 1 ? keptHeaps.bytes : Infinity;
    const due = watched.filter((thread) => thread.look(rssBytes, hiddenBytes));
    const earlyMs = due.length > 0 ? this.#restMs * EARLY_SHARE : 0;
    const isOfAll = now - this.#sampledAllAt >= this.#restMs - earlyMs;
    if (isOfAll) {
      this.#sampledAllAt = now;
      this.#samplingMs = cpuMs();
    }
    const asked = isOfAll ? [...this.#threads.values()] : due;
    // One that has not answered since the last look is in a native call, and is not waited for again.
    const waitedFor = asked.filter((thread) => !thread.isAsked);
    for (const thread of asked) if (thread.isAsked) void thread.sample(rssBytes);
    // What the threads say now explains what the process has more, so that it is laid to nobody.
    const isWaiting = waitedFor.length > 0 && this.#pending === 0;
    if (!isWaiting) memory.look(rssBytes, isOfAll, []);
    if (waitedFor.length > 0) {
      this.#pending++;
      void Promise.all(waitedFor.map((thread) => thread.sample(rssBytes))).then(() => {
        this.#pending--;
        if (isWaiting) memory.look(rssBytes, isOfAll, waitedFor);
        this.#onSampled(asked, isOfAll);
      });
    }
    if (watched.length === 0) this.#timer.within(this.#allDueMs);
    else this.#lookAgainAt(watched);
  }

  /** All that were asked have answered. */
  #onSampled(asked: readonly SupervisedThread[], isOfAll: boolean): void {
    const isDue = isOfAll || performance.now() - this.#reportedAt >= REPORT_MS;
    if (isDue || asked.some((thread) => thread.isAtPeak)) this.report(asked);
    const watched = this.#watched();
    if (watched.length > 0) this.#lookAgainAt(watched);
  }

  #lookAgainAt(watched: readonly SupervisedThread[]): void {
    this.#timer.within(Math.min(...watched.map((thread) => thread.lookAgainMs)));
    const [thread] = watched;
    // Several may take what each other gives back. What is to be told of the one is told first: that was queued before.
    if (thread !== undefined && watched.length === 1) queueMicrotask(() => this.#calmDown(thread));
  }

  #calmDown(thread: SupervisedThread): void {
    if (this.#pending > 0 || thread.hasMoved) return;
    const [seenBytes, { memory }] = [this.#seenRssBytes, this.#sights];
    const peakBytes = Math.min(thread.calmBytes, this.#reportedRssBytes + GROWN_BYTES);
    // Above it there is something to ask soon.
    if (peakBytes < seenBytes) return;
    const maxBytes = [peakBytes, Math.min(peakBytes, seenBytes + CALM_BYTES)].find((bytes) => memory.isCalmAt(bytes));
    if (maxBytes !== undefined) this.#calm.begin(thread, maxBytes, this.#sampledAllAt + this.#restMs);
  }

  #sendReport(): void {
    this.#reportedAt = performance.now();
    this.#reportedRssBytes = this.#seenRssBytes;
    this.#report(
      Array.from(this.#reportable, (thread) => thread.tell()),
      this.#samplingMs,
    );
    this.#reportable.clear();
  }

  /** In how many ms all are to be sampled; a timer may be early by one. */
  get #allDueMs(): number {
    return Math.max(0, this.#sampledAllAt + this.#restMs - performance.now()) + 1;
  }

  /** How often they are. */
  get #restMs(): number {
    return this.#isActive ? ACTIVE_MS : IDLE_MS;
  }

  #watched(): SupervisedThread[] {
    return [...this.#threads.values()].filter((thread) => thread.isWatched);
  }
}
