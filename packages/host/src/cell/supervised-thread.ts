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
import { sampling } from './cpu-meter.ts';
import { HeapCap } from './heap-cap.ts';
import { lookAgainMs } from './look-pace.ts';
import { readTaskStat } from './task-stat.ts';
import type { ThreadReading } from './unexplained-memory.ts';

/** A limit that a thread is over. */
export interface Breach {
  cause: 'heap' | 'cpu';
  value: number;
  max: number;
}

/** A thread that has not answered for so long is in a native call: its CPU time is asked of the kernel. */
const ANSWER_MAX_MS = 50;

/** So much more than was reported last is worth a report of its own. */
const PEAK_BYTES = 1 << 18;

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
  /** What the thread's heaps take from the process, garbage and free pages included. */
  committedBytes = 0;
  readonly #onBreach: (breach: Breach) => void;
  readonly #onExit: (failure: Failure | null) => void;
  readonly #abort = new AbortController();
  #worker: Worker | null = null;
  /** The kernel's number for it; null where that is not known. */
  #task: number | null = null;
  #failure: Failure | null = null;
  #sampling: Promise<void> | null = null;
  /** It has been sampled since it is watched. */
  #isKnown = false;
  #toldBytes = 0;
  #askedForSampleAt = 0;
  #watchedCpuMaxMs = Infinity;
  #watchedFromCpuMs = 0;

  readonly #collector: MessagePort;
  /** Go to the thread. */
  readonly collectorPort: MessagePort;
  readonly collectorMemory: SharedArrayBuffer = new SharedArrayBuffer(LastCollection.BYTES);
  readonly #cap: HeapCap;

  constructor(order: LeaseOrder, onBreach: (breach: Breach) => void, onExit: (failure: Failure | null) => void) {
    this.order = order;
    this.#onBreach = onBreach;
    this.#onExit = onExit;
    this.lastSample = { lease: order.lease, heapBytes: 0, offHeapBytes: 0, unexplainedBytes: 0, cpuMs: 0 };
    const { port1, port2 } = new MessageChannel();
    this.#collector = port1;
    this.collectorPort = port2;
    // It has collected.
    port1.on('message', () => void this.sample());
    port1.unref();
    const last = new LastCollection(this.collectorMemory);
    this.#cap = new HeapCap(order.heapMaxBytes, last, (question) => {
      const message: CollectorMessage = { question };
      port1.postMessage(message);
    });
  }

  /** Aborting it is how Piscina ends a thread. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  attach(worker: Worker, task: number | null): void {
    this.#worker = worker;
    this.#task = task;
    worker.on('error', (error: unknown) => {
      this.#failure = failureOfCrash(error);
    });
    // Only now is the thread gone: `run()` rejects before that.
    worker.once('exit', (code: number) => {
      this.#worker = null;
      this.#collector.close();
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
    this.#abort.abort();
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

  /** Has the thread collect its garbage, when it comes back to its event loop. */
  collect(): void {
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
  }

  unwatch(): void {
    this.isWatched = false;
    this.isStarting = false;
  }

  /** May memory that comes now be its doing? Between two requests it does nothing. */
  get isSuspect(): boolean {
    return (
      this.isWatched &&
      !this.isEnding &&
      (this.isStarting || this.order.unit === 'servlet' || this.running.current !== 0)
    );
  }

  get #heldBytes(): number {
    const { heapBytes, offHeapBytes, unexplainedBytes } = this.lastSample;
    return heapBytes + offHeapBytes + unexplainedBytes;
  }

  /** Does it hold more than was told since it is watched, so that the one who must know it should? */
  get isAtPeak(): boolean {
    return this.#isKnown && this.#heldBytes > this.#toldBytes + PEAK_BYTES;
  }

  /** For a report. */
  tell(): ThreadSample {
    this.#toldBytes = Math.max(this.#toldBytes, this.#heldBytes);
    return this.lastSample;
  }

  /** In how many ms it may be over a limit at the earliest, if nothing is done; it is watched. */
  get lookAgainMs(): number {
    if (!this.#isKnown) return lookAgainMs(0);
    const usedMs = this.lastSample.cpuMs - this.#watchedFromCpuMs;
    return Math.min(
      lookAgainMs(this.heapMaxBytes - this.#heldBytes),
      Math.max(lookAgainMs(0), this.#watchedCpuMaxMs - usedMs),
    );
  }

  /** What the kernel says of it now, beside what was sampled last. */
  reading(): ThreadReading {
    const { committedBytes, isSuspect, lastSample } = this;
    const faults = this.#task === null ? null : (readTaskStat(this.#task)?.faults ?? null);
    return { committedBytes, faults, cpuMs: lastSample.cpuMs, isSuspect };
  }

  /** Reads the thread's memory and CPU time, which works while its JavaScript is busy, and holds both to their limits. Resolves when that is done. */
  sample(): Promise<void> {
    const worker = this.#worker;
    if (worker === null || this.isEnding) return Promise.resolve();
    if (this.#sampling !== null) {
      if (this.isWatched && performance.now() - this.#askedForSampleAt > ANSWER_MAX_MS) this.#askKernelForCpu();
      return this.#sampling;
    }
    this.#askedForSampleAt = performance.now();
    this.#sampling = this.#sampleOnce(worker);
    return this.#sampling;
  }

  async #sampleOnce(worker: Worker): Promise<void> {
    try {
      const [heap, cpu] = await Promise.all([worker.getHeapStatistics(), worker.cpuUsage()]);
      sampling.run(() => this.#judge(heap, (cpu.user + cpu.system) / 1000));
    } catch {
      // The thread is ending; its exit will say so.
    } finally {
      this.#sampling = null;
    }
  }

  #judge(heap: HeapInfo, cpuMs: number): void {
    this.lastSample.cpuMs = cpuMs;
    this.lastSample.heapBytes = heap.used_heap_size;
    this.lastSample.offHeapBytes = heap.external_memory + heap.malloced_memory;
    this.committedBytes = heap.total_physical_size + this.lastSample.offHeapBytes;
    const heldBytes = this.lastSample.heapBytes + this.lastSample.offHeapBytes;
    const overBytes = this.#cap.breachedBy(heldBytes, cpuMs);
    if (overBytes !== null) this.#onBreach({ cause: 'heap', value: overBytes, max: this.heapMaxBytes });
    else if (this.isWatched) this.#holdToCpu(cpuMs);
    this.#isKnown = true;
  }

  /** A native call of a minute would else be the wall clock's, which gives it more time. */
  #askKernelForCpu(): void {
    const cpuMs = this.#task === null ? undefined : readTaskStat(this.#task)?.cpuMs;
    if (cpuMs === undefined || cpuMs <= this.lastSample.cpuMs) return;
    this.lastSample.cpuMs = cpuMs;
    this.#holdToCpu(cpuMs);
  }

  #holdToCpu(cpuMs: number): void {
    if (this.#watchedFromCpuMs < 0) this.#watchedFromCpuMs = cpuMs;
    const usedMs = cpuMs - this.#watchedFromCpuMs;
    if (usedMs > this.#watchedCpuMaxMs) this.#onBreach({ cause: 'cpu', value: usedMs, max: this.#watchedCpuMaxMs });
  }
}
