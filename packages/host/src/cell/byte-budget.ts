/** So many bytes in each second. */
export class ByteBudget {
  readonly #bytesPerSecond: number;
  #since = 0;
  #bytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** `false`: this second's budget is used up. */
  take(bytes: number): boolean {
    const now = performance.now();
    if (now - this.#since > 1000) {
      this.#since = now;
      this.#bytes = 0;
    }
    this.#bytes += bytes;
    return this.#bytes <= this.#bytesPerSecond;
  }
}
