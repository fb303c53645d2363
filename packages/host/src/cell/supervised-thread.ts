import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { HeapInfo } from 'node:v8';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import {
  type CollectorMessage,
  type Failure,
  failureOf,
  failureOfCrash,
  LastCollection,
  type LeaseOrder,
  RunningRequest,
  type ThreadSample,
} from '@custodian/protocol';
import { CALM_BYTES } from './calm.ts';
import { HeapCap } from './heap-cap.ts';
import { OutsideView } from './outside-view.ts';
import { residentBytes } from './resident-bytes.ts';
import { Silence } from './silence.ts';
import { TaskStat } from './task-stat.ts';
import type { StatedMemory } from './memory-balance.ts';
import type { ThreadReading } from './unexplained-memory.ts';

/** A limit that a thread is over. */
export interface Breach {
  /** Of memory: `rss`, when most of it is what no statistic of the thread shows. */
  cause: 'heap' | 'rss' | 'cpu';
  value: number;
  max: number;
}

/** For so long an answer is waited for before all are looked at again. */
const AWAITED_MS = 30;

/** So much more than was reported last is worth a report of its own; or this share of that, if it is more. */
const PEAK_BYTES = 1 << 18;
const PEAK_SHARE = 1 / 32;
/** So often at most, unless it is such a share of the room that was left then. */
const PEAK_EVERY_MS = 50;
const PEAK_ROOM_SHARE = 1 / 4;

/**
 * No more of a heap is taken for pages that V8 has given back and counts, as they excuse as much of something else. A large heap that is
 * free in many places may have more, and is charged with that when it comes again.
 */
const FREE_MAX_BYTES = 8 << 20;
/** CPU time that may be over before it is noticed, and how late a thread may be asked. */
const LATE_MS = 10;

/** A thread of this cell, as its supervisor sees and ends it. */
export class SupervisedThread {
  readonly order: LeaseOrder;
  /** Memory shared with the thread: see {@link RunningRequest}. */
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(RunningRequest.BYTES);
  readonly running: RunningRequest = new RunningRequest(this.memory);
  readonly lastSample: ThreadSample;
  isEnding = false;
  isWatched = false;
  /** It has not loaded its servlet yet. */
  isStarting = true;
  /** Its heap is being taken down, for which it takes memory that is none of its own. */
  isTakenDown = false;
  readonly #onBreach: (breach: Breach) => void;
  readonly #onExit: (failure: Failure | null) => void;
  /** It has collected its garbage, and has been sampled since; its process had so much before that. */
  onCollected: (rssBytes: number) => void = () => {};
  readonly #abort = new AbortController();
  #worker: Worker | null = null;
  /** What the kernel tells of it; null where its number is not known. */
  #task: TaskStat | null = null;
  #failure: Failure | null = null;
  #sampling: Promise<void> | null = null;
  /** What the thread takes from the process by its statistics, garbage and free pages included. */
  #committedBytes = 0;
  #freeHeapBytes = 0;
  /** It has been sampled since it is watched. */
  #isKnown = false;
  /** What it is charged with may be in its heap: it had not answered. */
  #chargedUnheard = false;
  #toldBytes = 0;
  #toldAt = -Infinity;
  /** Since it was asked for a sample. */
  readonly #silence: Silence;
  readonly #now: () => number;
  readonly #view: OutsideView;
  #watchedCpuMaxMs = Infinity;
  #watchedFromCpuMs = 0;

  readonly #collector: MessagePort;
  /** Go to the thread. */
  readonly collectorPort: MessagePort;
  readonly collectorMemory: SharedArrayBuffer = new SharedArrayBuffer(LastCollection.BYTES);
  readonly #cap: HeapCap;

  constructor(
    order: LeaseOrder,
    onBreach: (breach: Breach) => void,
    onExit: (failure: Failure | null) => void,
    now: () => number = () => performance.now(),
  ) {
    this.order = order;
    this.#now = now;
    this.#silence = new Silence(now);
    this.#view = new OutsideView(now);
    this.#onBreach = onBreach;
    this.#onExit = onExit;
    this.lastSample = {
      lease: order.lease,
      heapBytes: 0,
      offHeapBytes: 0,
      unexplainedBytes: 0,
      cpuMs: 0,
      running: 0,
      isStarting: true,
    };
    const { port1, port2 } = new MessageChannel();
    this.#collector = port1;
    this.collectorPort = port2;
    // It has collected.
    port1.on('message', () => {
      const rssBytes = residentBytes();
      void this.sample(rssBytes).then(() => this.onCollected(rssBytes));
    });
    port1.unref();
    const last = new LastCollection(this.collectorMemory);
    const message: CollectorMessage = 'asked';
    this.#cap = new HeapCap(
      order.heapMaxBytes,
      last,
      () => port1.postMessage(message),
      () => this.running.last,
    );
  }

  /** Aborting it is how Piscina ends a thread. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** `task`: the kernel's number for it; null where that is not known. */
  attach(worker: Worker, task: number | null): void {
    this.#worker = worker;
    this.#task = task === null ? null : new TaskStat(task);
    worker.on('error', (error: unknown) => {
      this.#failure = failureOfCrash(error);
    });
    // Only now is the thread gone: `run()` rejects before that.
    worker.once('exit', (code: number) => {
      this.#worker = null;
      this.#collector.close();
      this.#task?.close();
      this.#failure ??= this.isEnding
        ? null
        : { name: 'ThreadExit', message: `the thread ended itself with code ${code}` };
      this.#onExit(this.#failure);
    });
  }

  /** The lease's task has ended without our doing: it failed before it served anything, or the thread died. */
  onRunEnd(error: unknown): void {
    if (!this.isEnding && this.#worker !== null) {
      this.#failure ??= failureOf(error);
      this.end();
    }
  }

  end(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    // It answers to that by its end.
    if (!this.isAsked) this.#silence.begin(this.#kernelCpuMs());
    this.#abort.abort();
  }

  /** It could not be started: nobody will have its ports, and no later thread is to take its task. */
  giveUp(): void {
    this.isEnding = true;
    this.#abort.abort();
    this.#collector.close();
  }

  /** Cap on V8 heap plus off-heap memory, in bytes. */
  get heapMaxBytes(): number {
    return this.#cap.maxBytes;
  }

  /** Another cap from now on, which the thread is told as well: its caches and continuations go by it. */
  adjust(heapMaxBytes: number): void {
    this.#cap.maxBytes = heapMaxBytes;
    const message: CollectorMessage = { heapMaxBytes };
    this.#collector.postMessage(message);
  }

  /** So much of what it will be charged with may have come before its request. */
  set beforeBytes(bytes: number) {
    this.#cap.beforeBytes = bytes;
  }

  /** It is charged with so much memory that its statistics don't show, as they were when it answered last; it may be `unsureBytes` more. */
  onUnexplained(bytes: number, unsureBytes: number = 0): void {
    this.#chargedUnheard = bytes > 0 && this.isAsked;
    this.lastSample.unexplainedBytes = bytes;
    // Its start has an allowance of its own for that.
    const cappedBytes = this.isStarting ? 0 : bytes;
    const overBytes = this.#cap.onUnexplained(cappedBytes, this.#statedBytes, this.lastSample.cpuMs, unsureBytes);
    if (overBytes !== null) this.#onOver(overBytes);
  }

  /**
   * It is charged with so much, which is over its cap. May it be garbage that it has not been asked to collect, or is to collect yet? One
   * that does not answer is in a native call, and will not come to that.
   */
  excuses(bytes: number): boolean {
    return !this.isStarting && !this.isAsked && this.#cap.excuses(bytes, this.lastSample.cpuMs);
  }

  /** Is it over its cap with what no statistic of it shows, as far as that was looked at? It may be garbage that is gone. */
  get isToBeSettled(): boolean {
    return this.#cap.isOpen;
  }

  /** Has the thread collect its garbage, when it comes back to its event loop. */
  collect(): void {
    // It may not have been looked at for long, and has its time from now on.
    this.askKernel();
    this.#cap.collect(this.lastSample.cpuMs);
  }

  /** @throws Error when the thread is gone, or the file can't be written */
  async writeHeapSnapshot(file: string): Promise<void> {
    if (this.#worker === null) throw new Error('the thread is gone');
    await pipeline(await this.#worker.getHeapSnapshot(), createWriteStream(file, { mode: 0o600 }));
  }

  watch(cpuMaxMs: number): void {
    this.isWatched = true;
    this.#watchedCpuMaxMs = cpuMaxMs;
    this.#watchedFromCpuMs = -1;
    this.#isKnown = false;
    this.#toldBytes = 0;
    this.#toldAt = -Infinity;
    this.#view.begin();
  }

  /** It may use so much CPU time from now on. Its peak is another request's, and told again. */
  renew(cpuMaxMs: number): void {
    this.#toldBytes = 0;
    this.#watchedCpuMaxMs = cpuMaxMs;
    this.#watchedFromCpuMs = this.#kernelCpuMs() ?? -1;
  }

  unwatch(): void {
    this.isWatched = false;
    this.beforeBytes = 0;
    // What a start has taken is no request's.
    if (this.isStarting) this.lastSample.unexplainedBytes = 0;
    this.isStarting = false;
  }

  /** May memory that comes now be its doing? Between two requests it does nothing. */
  get isSuspect(): boolean {
    return (
      !this.isTakenDown &&
      this.isWatched &&
      !this.isEnding &&
      (this.isStarting || this.order.unit === 'servlet' || this.running.current !== 0)
    );
  }

  /** By its statistics. */
  get #statedBytes(): number {
    return this.lastSample.heapBytes + this.lastSample.offHeapBytes;
  }

  get #heldBytes(): number {
    return this.#statedBytes + this.lastSample.unexplainedBytes;
  }

  /** Below its cap, when it answered last. */
  get roomBytes(): number {
    return this.heapMaxBytes - this.#heldBytes;
  }

  /** Does it hold more than was told since it was watched, so that the one who must know it should? Of a request that is over, if it is much. */
  get isAtPeak(): boolean {
    if (!this.#isKnown || !this.#isUntold) return false;
    const isMuch = this.#heldBytes - this.#toldBytes > (this.heapMaxBytes - this.#toldBytes) * PEAK_ROOM_SHARE;
    return isMuch || (this.isWatched && this.#now() - this.#toldAt >= PEAK_EVERY_MS);
  }

  get #isUntold(): boolean {
    return this.#heldBytes - this.#toldBytes > Math.max(PEAK_BYTES, this.#toldBytes * PEAK_SHARE);
  }

  /** Has it been asked, and has not answered? */
  get isAsked(): boolean {
    return this.#sampling !== null;
  }

  /** Has it been asked so long ago that it is waited for no longer? */
  get isOverdue(): boolean {
    return this.isAsked && this.#silence.isOverdue;
  }

  /** Must it be in a native call? See {@link Silence}. */
  looksStuck(): boolean {
    return (this.isAsked || this.isEnding) && this.#silence.isOfNativeCall(this.#task);
  }

  /** Is it at another request than it was said to be, or at none? */
  get hasMoved(): boolean {
    return this.#isKnown && this.running.current !== this.lastSample.running;
  }

  /** For a report. */
  tell(): ThreadSample {
    this.#toldBytes = Math.max(this.#toldBytes, this.#heldBytes);
    this.#toldAt = this.#now();
    this.lastSample.running = this.running.current;
    this.lastSample.isStarting = this.isStarting;
    return this.lastSample;
  }

  /** In how many ms it is to be looked at again; it is watched. */
  get lookAgainMs(): number {
    const roomBytes = this.#isKnown ? this.#view.roomOf(this.roomBytes) : 0;
    // One that does not answer, or is to end, is not asked once more.
    const askMs = this.isAsked || this.isEnding ? Infinity : this.#view.askAgainAt + 1 - this.#now();
    const dueMs = Math.min(this.#cpuLeftMs, askMs);
    const ms = Math.min(this.#view.nextMs(roomBytes), Math.max(LATE_MS, dueMs));
    // What it answers decides that anew; who may be over its cap is not waited for.
    return roomBytes > 0 && this.isAsked ? Math.max(ms, this.#silence.since + AWAITED_MS - this.#now()) : ms;
  }

  /** Memory of the process has come or gone that was not this thread's: how much there is says nothing of it, until it is asked. */
  onOthersMemory(): void {
    this.#view.onOthersMemory();
  }

  /** Its process has so much memory. */
  see(rssBytes: number): void {
    this.#view.see(rssBytes);
  }

  /**
   * A look at it from outside: the process has so much memory. `hiddenBytes`: so much the thread can have taken without any growth of that, from heaps
   * that ended threads have left, or where another one works, which may have given back as much; `true`: it has to be asked, which costs more.
   */
  look(rssBytes: number, hiddenBytes: number): boolean {
    this.#view.see(rssBytes);
    this.#view.bound(hiddenBytes, this.roomBytes);
    return this.#isOpen || this.#now() > this.#view.askAgainAt || this.#cpuLeftMs <= 0;
  }

  /** In how many ms it is to be looked at again, as long as nothing is due. */
  get calmMs(): number {
    return this.#view.nextMs(this.#view.roomOf(this.roomBytes));
  }

  /** What its process may have without anything to be found in it: what it had when it was asked, or little more, if it is below its cap with all of that. */
  get calmBytes(): number {
    return this.#view.calmBytes(this.#heldBytes, this.roomBytes, CALM_BYTES);
  }

  /** Until when there is nothing to find in it, if its process does not grow beyond that and it goes on with its request; -Infinity: there may be. */
  get calmUntil(): number {
    const hasRoom = this.#view.roomOf(this.roomBytes) > CALM_BYTES;
    if (this.#isOpen || this.isAsked || this.isEnding || this.#isUntold || !hasRoom) return -Infinity;
    return Math.min(this.#view.askAgainAt, this.#now() + this.#cpuLeftMs);
  }

  /** May it hold something else than it is known to? */
  get #isOpen(): boolean {
    const { isBounded } = this.#view;
    return !this.#isKnown || !isBounded || this.#cap.isPending || this.#view.hasNews(this.#heldBytes, this.roomBytes);
  }

  /** How long it can go on before it has used up its CPU time. */
  get #cpuLeftMs(): number {
    const usedMs = this.lastSample.cpuMs - this.#watchedFromCpuMs;
    return this.#watchedCpuMaxMs - usedMs - this.#view.agoMs;
  }

  /** As it was sampled last. */
  get stated(): StatedMemory {
    const { offHeapBytes } = this.lastSample;
    return { committedBytes: this.#committedBytes, offHeapBytes, freeHeapBytes: this.#freeHeapBytes };
  }

  /** What the kernel says of it now, beside what was sampled last. */
  reading(): ThreadReading {
    // One in a native call does not answer, and goes on to take memory also when it is to end.
    if (this.isAsked || this.isEnding) this.askKernel();
    const { stated, isSuspect, isEnding, lastSample } = this;
    const faults = this.#task?.faults() ?? null;
    return { ...stated, faults, cpuMs: lastSample.cpuMs, isSuspect, isEnding };
  }

  /**
   * Asks for the thread's memory and CPU time, which works while its JavaScript is busy, and holds both to their limits. Resolves when
   * that is done. `rssBytes`: of the process, now.
   */
  sample(rssBytes: number = residentBytes()): Promise<void> {
    const worker = this.#worker;
    if (worker === null || this.isEnding) return Promise.resolve();
    if (this.#sampling !== null) {
      // A native call of a minute would else be the wall clock's, which gives it more time.
      if (this.isWatched && this.#silence.isOverdue && this.askKernel()) this.#holdToCpu(this.lastSample.cpuMs);
      return this.#sampling;
    }
    this.#silence.begin(this.#kernelCpuMs());
    this.#sampling = this.#sampleOnce(worker, rssBytes, this.#silence.since);
    return this.#sampling;
  }

  async #sampleOnce(worker: Worker, rssBytes: number, askedAt: number): Promise<void> {
    try {
      const own = this.#task === null ? cpuMsOf(worker) : null;
      const [heap, ownCpuMs] = await Promise.all([worker.getHeapStatistics(), own]);
      const cpuMs = ownCpuMs ?? this.#kernelCpuMs() ?? (await cpuMsOf(worker));
      this.#know(heap, cpuMs);
      this.#view.onAnswer(this.#statedBytes, askedAt, rssBytes);
      this.#judge(cpuMs);
    } catch {
      // The thread is ending; its exit will say so.
    } finally {
      this.#sampling = null;
      // Its end is what is waited for now.
      if (this.isEnding) this.#silence.begin(this.#kernelCpuMs());
    }
  }

  #know(heap: HeapInfo, cpuMs: number): void {
    const { lastSample } = this;
    const committedBytes = this.#committedBytes;
    lastSample.cpuMs = cpuMs;
    lastSample.heapBytes = heap.used_heap_size;
    lastSample.offHeapBytes = heap.external_memory + heap.malloced_memory;
    this.#committedBytes = heap.total_physical_size + lastSample.offHeapBytes;
    this.#freeHeapBytes = Math.min(FREE_MAX_BYTES, Math.max(0, heap.total_physical_size - heap.used_heap_size));
    if (this.#chargedUnheard) this.#explain(this.#committedBytes - committedBytes);
  }

  #judge(cpuMs: number): void {
    const overBytes = this.#cap.breachedBy(this.#statedBytes, cpuMs);
    if (overBytes !== null) this.#onOver(overBytes);
    else if (this.isWatched) this.#holdToCpu(cpuMs);
    this.#isKnown = true;
  }

  /** It was in a native call when it was charged, and says only now that so much of that is in its heap. */
  #explain(bytes: number): void {
    const { lastSample } = this;
    lastSample.unexplainedBytes = Math.max(0, lastSample.unexplainedBytes - Math.max(0, bytes));
    this.#chargedUnheard = false;
    this.#cap.onExplained(lastSample.unexplainedBytes);
  }

  #onOver(value: number): void {
    const cause = this.lastSample.unexplainedBytes > this.#statedBytes ? 'rss' : 'heap';
    this.#onBreach({ cause, value, max: this.heapMaxBytes });
  }

  /** How much CPU time it has used, without asking it. @returns false: nothing new, or the kernel does not tell */
  askKernel(): boolean {
    const cpuMs = this.#kernelCpuMs();
    if (cpuMs === null || cpuMs <= this.lastSample.cpuMs) return false;
    this.lastSample.cpuMs = cpuMs;
    return true;
  }

  /** null: it does not tell. */
  #kernelCpuMs(): number | null {
    return this.#task?.cpuMs() ?? null;
  }

  #holdToCpu(cpuMs: number): void {
    if (this.#watchedFromCpuMs < 0) this.#watchedFromCpuMs = cpuMs;
    const usedMs = cpuMs - this.#watchedFromCpuMs;
    if (usedMs > this.#watchedCpuMaxMs) this.#onBreach({ cause: 'cpu', value: usedMs, max: this.#watchedCpuMaxMs });
  }
}

/** Asked of the thread itself. */
async function cpuMsOf(worker: Worker): Promise<number> {
  const { user, system } = await worker.cpuUsage();
  return (user + system) / 1000;
}
