/** As they were before a guest ran, which would else be handed the memory, and say what it likes. */
const { load, store, or } = Atomics;

/**
 * Which request a thread runs, in memory that its supervisor can read while the thread is busy.
 *
 * A few requests may wait in a thread's channel. When one of them stalls the thread, those behind it are taken back
 * and given to another thread; none may be run twice or lost. So a start is a claim: the thread publishes the
 * request, then looks whether starts were revoked; the supervisor revokes, then looks which request was claimed last.
 * Both orders are sequentially consistent, so at least one of the two sees the other. The last claim stays there when
 * its request is over, because the answer may still be on its way.
 */
export class RunningRequest {
  static readonly BYTES = 8;
  /** Ids have 30 bits here: the lowest bit says that the request is over. */
  static readonly ID_MAX: number = 0x3fffffff;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Thread: claims a request. `false`: starts are revoked, give the request back. */
  start(id: number): boolean {
    const before = load(this.#words, 0);
    store(this.#words, 0, id << 1);
    if (load(this.#words, 1) === 0) return true;
    store(this.#words, 0, before);
    return false;
  }

  /** Thread: the request is over. */
  finish(): void {
    or(this.#words, 0, 1);
  }

  /** Supervisor: no further start; returns the last claim. */
  revoke(): { id: number; isOver: boolean } {
    store(this.#words, 1, 1);
    const word = load(this.#words, 0);
    return { id: word >>> 1, isOver: (word & 1) === 1 };
  }

  /** Supervisor: starts are allowed again. */
  restore(): void {
    store(this.#words, 1, 0);
  }

  /** Either: the request that was claimed last. */
  get last(): number {
    return load(this.#words, 0) >>> 1;
  }

  /** Either: the request that runs, 0 for none. */
  get current(): number {
    const word = load(this.#words, 0);
    return (word & 1) === 1 ? 0 : word >>> 1;
  }
}
