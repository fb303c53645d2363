import type { Worker } from 'node:worker_threads';
import { type Failure, failureOf, type LeaseOrder, RunningRequest, type ThreadSample } from '@custodian/protocol';

/** A limit that a thread is over. */
export interface Breach {
  cause: 'heap' | 'cpu';
  value: number;
  max: number;
}

/** How long a thread may take to end before its whole cell is given up (by the acceptor, which waits for the exit). */
export class SupervisedThread {
  readonly order: LeaseOrder;
  /** Memory shared with the thread: see {@link RunningRequest}. */
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(RunningRequest.BYTES);
  readonly running: RunningRequest = new RunningRequest(this.memory);
  readonly lastSample: ThreadSample;
  isEnding = false;
  isWatched = false;
  /** CPU time since the sample before, in ms. */
  recentCpuMs = 0;
  /** What the thread's heaps take from the process, garbage and free pages included. */
  committedBytes = 0;
  readonly #onExit: (failure: Failure | null) => void;
  readonly #abort = new AbortController();
  #worker: Worker | null = null;
  #failure: Failure | null = null;
  #isSampling = false;
  #watchedCpuMaxMs = Infinity;
  #watchedFromCpuMs = 0;

  constructor(order: LeaseOrder, onExit: (failure: Failure | null) => void) {
    this.order = order;
    this.#onExit = onExit;
    this.lastSample = { lease: order.lease, heapBytes: 0, offHeapBytes: 0, cpuMs: 0 };
  }

  /** Aborting it is how Piscina ends a thread. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  attach(worker: Worker): void {
    this.#worker = worker;
    worker.on('error', (error: unknown) => {
      this.#failure = failureOf(error);
    });
    // Only now is the thread gone: `run()` rejects before that.
    worker.once('exit', (code: number) => {
      this.#worker = null;
      this.#failure ??= this.isEnding ? null : { name: 'ThreadExit', message: `the thread ended itself with code ${code}` };
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

  watch(cpuMaxMs: number): void {
    this.isWatched = true;
    this.#watchedCpuMaxMs = cpuMaxMs;
    this.#watchedFromCpuMs = -1;
  }

  unwatch(): void {
    this.isWatched = false;
  }

  /** Reads the thread's memory and CPU time, which works while its JavaScript is busy. */
  async sample(): Promise<Breach | null> {
    const worker = this.#worker;
    if (worker === null || this.#isSampling || this.isEnding) return null;
    this.#isSampling = true;
    try {
      const [heap, cpu] = await Promise.all([worker.getHeapStatistics(), worker.cpuUsage()]);
      const cpuMs = (cpu.user + cpu.system) / 1000;
      this.recentCpuMs = cpuMs - this.lastSample.cpuMs;
      this.lastSample.cpuMs = cpuMs;
      this.lastSample.heapBytes = heap.used_heap_size;
      this.lastSample.offHeapBytes = heap.external_memory + heap.malloced_memory;
      this.committedBytes = heap.total_physical_size + this.lastSample.offHeapBytes;
      const heldBytes = this.lastSample.heapBytes + this.lastSample.offHeapBytes;
      if (heldBytes > this.order.heapMaxBytes) return { cause: 'heap', value: heldBytes, max: this.order.heapMaxBytes };
      if (this.isWatched) {
        if (this.#watchedFromCpuMs < 0) this.#watchedFromCpuMs = cpuMs;
        else if (cpuMs - this.#watchedFromCpuMs > this.#watchedCpuMaxMs) {
          return { cause: 'cpu', value: cpuMs - this.#watchedFromCpuMs, max: this.#watchedCpuMaxMs };
        }
      }
      return null;
    } catch {
      // The thread is ending; its exit will say so.
      return null;
    } finally {
      this.#isSampling = false;
    }
  }
}
