/** What the host may promise to its threads in all, so that the machine's memory is not promised twice. */
export class MemoryBudget {
  readonly maxBytes: number;
  reservedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Sets memory aside. `false`: there is not so much left. */
  reserve(bytes: number): boolean {
    if (this.reservedBytes + bytes > this.maxBytes) return false;
    this.reservedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.reservedBytes -= bytes;
  }
}
