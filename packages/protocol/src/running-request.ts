/**
 * Which request a thread runs, in memory that its supervisor can read while the thread is busy.
 *
 * A few requests may wait in a thread's channel. When one of them stalls the thread, those behind it are taken back
 * and given to another thread; none may be run twice or lost. So a start is a claim: the thread publishes the
 * request, then looks whether starts were revoked; the supervisor revokes, then looks which request is published.
 * Both orders are sequentially consistent, so at least one of the two sees the other.
 */
export class RunningRequest {
  static readonly BYTES = 8;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Thread: claims a request. `false`: starts are revoked, give the request back. */
  start(id: number): boolean {
    Atomics.store(this.#words, 0, id);
    if (Atomics.load(this.#words, 1) === 0) return true;
    Atomics.store(this.#words, 0, 0);
    return false;
  }

  /** Thread: the request is over. */
  finish(): void {
    Atomics.store(this.#words, 0, 0);
  }

  /** Supervisor: no further start; returns the request that runs, 0 for none. */
  revoke(): number {
    Atomics.store(this.#words, 1, 1);
    return Atomics.load(this.#words, 0) >>> 0;
  }

  /** Supervisor: starts are allowed again. */
  restore(): void {
    Atomics.store(this.#words, 1, 0);
  }

  /** Either: the request that runs, 0 for none. */
  get current(): number {
    return Atomics.load(this.#words, 0) >>> 0;
  }
}
