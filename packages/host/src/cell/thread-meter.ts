import type { ThreadSample } from '@custodian/protocol';

/** What a thread holds and uses, as its supervisor sampled it last, and the most that it held. Bytes, and ms of CPU time. */
export class ThreadMeter {
  heapBytes = 0;
  offHeapBytes = 0;
  /** Resident memory that no statistics show, such as shared buffers, as far as it is known to be this thread's. */
  unexplainedBytes = 0;
  cpuMs = 0;
  peakHeapBytes = 0;
  peakOffHeapBytes = 0;
  #isStarting = true;
  /** Of the oldest running request, as far as it was sampled; 0: it was not. */
  #requestSeenBytes = 0;
  /** CPU time when that one began, as far as it was sampled. */
  #requestFromCpuMs = 0;

  /** CPU time since the oldest running request began. */
  get requestCpuMs(): number {
    return this.cpuMs - this.#requestFromCpuMs;
  }

  /** Peak of all that since the oldest running request began; of one that was over before it was sampled, what was seen last. */
  get requestPeakBytes(): number {
    return this.#requestSeenBytes === 0 ? this.heldBytes : this.#requestSeenBytes;
  }

  get heldBytes(): number {
    return this.heapBytes + this.offHeapBytes + this.unexplainedBytes;
  }

  /** A request begins: garbage of the one before is not its own, unless it is seen with it. */
  beginRequest(): void {
    this.#requestSeenBytes = 0;
    this.#requestFromCpuMs = this.cpuMs;
  }

  /** Its servlet is loaded. What a supervisor tells that does not know it yet is of its start still. */
  endStart(): void {
    this.#isStarting = false;
    this.unexplainedBytes = 0;
  }

  /** A sample comes from a process that a guest may have taken over: one that is no amounts is left aside. @returns the CPU time since the last one */
  onSample(sample: ThreadSample): number {
    const heap = Number(sample.heapBytes);
    const offHeap = Number(sample.offHeapBytes);
    const unexplained = sample.isStarting && !this.#isStarting ? 0 : Number(sample.unexplainedBytes);
    const cpuMs = Number(sample.cpuMs);
    if (!isAmount(heap) || !isAmount(offHeap) || !isAmount(unexplained) || !isAmount(Math.round(cpuMs))) return 0;
    const usedMs = Math.max(0, cpuMs - this.cpuMs);
    this.cpuMs = cpuMs;
    this.heapBytes = heap;
    this.offHeapBytes = offHeap;
    this.unexplainedBytes = unexplained;
    this.peakHeapBytes = Math.max(this.peakHeapBytes, heap);
    this.peakOffHeapBytes = Math.max(this.peakOffHeapBytes, offHeap);
    this.seeRequest(this.heldBytes);
    return usedMs;
  }

  /** The running request was seen with so much. */
  seeRequest(bytes: number): void {
    this.#requestSeenBytes = Math.max(this.#requestSeenBytes, bytes);
  }
}

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
