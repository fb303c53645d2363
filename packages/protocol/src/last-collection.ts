/** Shared words hold KB, so that 2 TB have room. */
const KB = 1024;
/** As they were before a guest ran, which would else be handed the memory, and say what it likes. */
const { load, store } = Atomics;
const { ceil } = Math;

/**
 * What a thread's last collection of its garbage came to, in memory that its supervisor can read whenever it must
 * decide. A message that says so may still be on its way then, and what a thread holds has garbage in it again.
 * And what the supervisor asks: who collects by itself before the message is here has done what was asked.
 */
export class LastCollection {
  static readonly BYTES = 24;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Supervisor: it asks for a collection, of all garbage or of what costs little. */
  ask(question: number, isWhole: boolean): void {
    store(this.#words, 4, question * 2 + (isWhole ? 1 : 0));
  }

  /** Supervisor: the thread is charged with so much that its statistics don't show. */
  charge(unexplainedBytes: number): void {
    store(this.#words, 5, ceil(unexplainedBytes / KB));
  }

  /** Thread: what it was asked last. */
  get asked(): { question: number; isWhole: boolean } {
    const word = load(this.#words, 4);
    return { question: word >> 1, isWhole: (word & 1) === 1 };
  }

  /** Thread: what it is charged with beside what its statistics show. */
  get unexplainedBytes(): number {
    return load(this.#words, 5) * KB;
  }

  /** Thread: it has been asked, has come back to its event loop, and collects now. */
  begin(question: number): void {
    store(this.#words, 0, question);
  }

  /** Thread: it has collected, and holds so much. `isWhole`: none of that is garbage. */
  end(question: number, heldBytes: number, isWhole: boolean): void {
    store(this.#words, 2, ceil(heldBytes / KB));
    store(this.#words, 3, isWhole ? 1 : 0);
    store(this.#words, 1, question);
  }

  /** Supervisor: the question that the thread has come back for last. */
  get begun(): number {
    return load(this.#words, 0);
  }

  /** Supervisor: the question that it has collected for last. */
  get ended(): number {
    return load(this.#words, 1);
  }

  /** Supervisor: what it held then. */
  get heldBytes(): number {
    return load(this.#words, 2) * KB;
  }

  /** Supervisor: was all garbage collected? Else what was cheap to collect. */
  get isWhole(): boolean {
    return load(this.#words, 3) !== 0;
  }
}

/** Supervisor to thread, at the port of its collector: it has asked something, and gets the question's number back; or the thread's cap is another. */
export type CollectorMessage = 'asked' | { heapMaxBytes: number };
