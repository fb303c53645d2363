/**
 * V8 keeps a thread's heap for 8 s after its end, or a little longer, for threads to come: pages that are nobody's. Until then a thread can fill
 * them without any growth of the process.
 */
export const KEPT_HEAP_MS = 12_000;

/** What V8 keeps of an ended thread's heap goes back to the system at once. Node 24's V8 has no such flag; a flag that a later one lacks would keep it from starting. */
export const HEAP_FLAGS: readonly string[] =
  Number.parseInt(process.versions.node, 10) === 26 ? ['--no-memory-pool-share-memory-on-teardown'] : [];

/** How much of ended threads' heaps there is for others, as far as it was seen. In bytes. */
export class KeptHeaps {
  readonly #isKept: boolean;
  readonly #now: () => number;
  #bytes = 0;
  #until = -Infinity;

  constructor(isKept: boolean = HEAP_FLAGS.length === 0, now: () => number = () => performance.now()) {
    this.#isKept = isKept;
    this.#now = now;
  }

  /** Later heaps take their pages from there first; that they do is not known of each. */
  get bytes(): number {
    return this.#now() < this.#until ? this.#bytes : 0;
  }

  /** One of so much is left. */
  add(bytes: number): void {
    if (!this.#isKept) return;
    this.#bytes = this.bytes + bytes;
    this.#until = this.#now() + KEPT_HEAP_MS;
  }
}
