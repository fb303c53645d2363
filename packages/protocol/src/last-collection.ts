/** Shared words hold KB, so that 2 TB have room. */
const KB = 1024;

/**
 * What a thread's last collection of its garbage came to, in memory that its supervisor can read whenever it must
 * decide. A message that says so may still be on its way then, and what a thread holds has garbage in it again.
 */
export class LastCollection {
  static readonly BYTES = 12;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Thread: it has been asked, has come back to its event loop, and collects now. */
  begin(question: number): void {
    Atomics.store(this.#words, 0, question);
  }

  /** Thread: it has collected, and so much was no garbage. */
  end(question: number, liveBytes: number): void {
    Atomics.store(this.#words, 2, Math.ceil(liveBytes / KB));
    Atomics.store(this.#words, 1, question);
  }

  /** Supervisor: the question that the thread has come back for last. */
  get begun(): number {
    return Atomics.load(this.#words, 0);
  }

  /** Supervisor: the question that it has collected for last. */
  get ended(): number {
    return Atomics.load(this.#words, 1);
  }

  /** Supervisor: what was left then. */
  get liveBytes(): number {
    return Atomics.load(this.#words, 2) * KB;
  }
}
