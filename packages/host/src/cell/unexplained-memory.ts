import { PAGE_BYTES } from './resident-bytes.ts';

/** What is known of a thread when blame is laid. */
export interface ThreadReading {
  /** What its heaps take from the process, as it was sampled last. */
  committedBytes: number;
  /** Pages that it has touched first; null: the system does not say. */
  faults: number | null;
  cpuMs: number;
  /** It starts or runs a request, so that memory may be its doing. */
  isSuspect: boolean;
  /** It is to end, and what it has begun outside of its own thread may go on: whoever works beside it is not alone. */
  isEnding: boolean;
}

export interface ProcessReading {
  rssBytes: number;
  /** Of all threads, those of Node's own included; null: the system does not say. */
  faults: number | null;
}

interface Mark<Thread> {
  process: ProcessReading;
  threads: Map<Thread, ThreadReading>;
}

const NEWBORN: ThreadReading = { committedBytes: 0, faults: 0, cpuMs: 0, isSuspect: false, isEnding: false };
/** Other threads of the process are taken for idle below so much CPU time: this much, or this share of the suspect's. */
const IDLE_CPU_MS = 5;
const IDLE_CPU_SHARE = 0.1;

/**
 * Resident memory of a process that no thread's statistics show: shared buffers, blobs, native objects. Whose it is, is
 * concluded from two sides. A thread has taken no more than the pages that it touched first; and no less than the
 * process has grown by, without all pages that the others touched. A thread is charged with the smaller of the two, less
 * what its own heaps explain. So the memory of a neighbour that starts, works or has ended is never charged to it; what
 * nobody can be charged with is left to the wall of the process.
 */
export class UnexplainedMemory<Thread> {
  #mark: Mark<Thread> | null = null;
  /** As it was when nobody worked, last. */
  #rest: Mark<Thread> | null = null;
  /** How it was when the first stretch was over, and what was charged then. */
  #base: { mark: Mark<Thread>; charged: ReadonlyMap<Thread, number> } | null = null;
  /** Of the stretches of time before the mark. */
  readonly #charged = new Map<Thread, number>();

  get isOpen(): boolean {
    return this.#mark !== null;
  }

  /** Somebody works: what comes from now on is looked at. */
  open(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): void {
    this.#openAt({ process, threads: new Map(threads) });
  }

  /** Somebody has begun to work since nobody did, as is known only now. `false`: how it was then is not known either. */
  resume(): boolean {
    if (this.#rest === null) return false;
    this.#openAt(this.#rest);
    return true;
  }

  /** Nobody works: what is there belongs to the process. */
  rest(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): void {
    this.#rest = { process, threads: new Map(threads) };
    this.#mark = null;
    this.#charged.clear();
  }

  /**
   * Those who worked are through, but others may have begun: what has come since is the others'. So much memory there was at that time at the
   * most, and the threads held what `threads` says; pages touched since the mark may be either's.
   */
  restAsSeen(rssBytes: number, threads: ReadonlyMap<Thread, ThreadReading>): void {
    if (this.#mark === null) return;
    const { process, threads: before } = this.#mark;
    const readings = Array.from(before, ([thread, reading]): [Thread, ThreadReading] => {
      const { committedBytes } = threads.get(thread) ?? reading;
      return [thread, { ...reading, committedBytes }];
    });
    this.rest({ ...process, rssBytes }, new Map(readings));
  }

  /** What it was charged with so far is forgotten: its start is over. */
  forgive(thread: Thread): void {
    this.#charged.delete(thread);
  }

  /** It has ended. That it was there is remembered until the next stretch. */
  forget(thread: Thread): void {
    this.#charged.delete(thread);
  }

  /** What a thread can have taken at the most, by what costs nothing to know. */
  boundOf(thread: Thread, rssBytes: number, committedBytes: number): number {
    if (this.#mark === null) return 0;
    const before = this.#mark.threads.get(thread) ?? NEWBORN;
    const explained = Math.max(0, committedBytes - before.committedBytes);
    return (this.#charged.get(thread) ?? 0) + rssBytes - this.#mark.process.rssBytes - explained;
  }

  /** What each that works, or was charged before, has taken beyond what its statistics show, for all that is known. */
  charges(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, number> {
    const charges = new Map<Thread, number>();
    if (this.#mark === null) return charges;
    for (const [thread, reading] of threads) {
      const charged = this.#charged.get(thread) ?? 0;
      if (!reading.isSuspect && charged === 0) continue;
      const taken = this.#takenBy(thread, reading, process, threads, this.#mark);
      // Between two requests a thread gives back what became garbage, and takes nothing.
      const sum = charged + (reading.isSuspect ? taken : Math.min(0, taken));
      charges.set(thread, Math.max(0, Math.min(sum, this.#maxOf(thread, reading, process))));
    }
    return charges;
  }

  /** What it was charged with in the stretches that are over. */
  chargedTo(thread: Thread): number {
    return this.#charged.get(thread) ?? 0;
  }

  /** Keeps what is charged so far, and begins a new stretch: over a long one, what was taken and given back adds up. */
  advance(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): void {
    if (this.#mark === null) return;
    for (const [thread, bytes] of this.charges(process, threads)) this.#charged.set(thread, bytes);
    this.#mark = { process, threads: new Map(threads) };
    this.#base ??= { mark: this.#mark, charged: new Map(this.#charged) };
  }

  #openAt(mark: Mark<Thread>): void {
    this.#mark = mark;
    this.#base = null;
    // What comes of it is not looked at from there a second time.
    this.#rest = null;
  }

  /**
   * No more than all stretches after the first come to when they are one. V8 counts buffers that it has given back until it collects again: what takes
   * their place in the process looks unexplained in that stretch.
   */
  #maxOf(thread: Thread, reading: ThreadReading, process: ProcessReading): number {
    if (this.#base === null) return Infinity;
    const { mark, charged } = this.#base;
    const grown = process.rssBytes - mark.process.rssBytes;
    return (charged.get(thread) ?? 0) + grown - explainedBy(reading, mark.threads.get(thread));
  }

  #takenBy(
    thread: Thread,
    reading: ThreadReading,
    process: ProcessReading,
    threads: ReadonlyMap<Thread, ThreadReading>,
    mark: Mark<Thread>,
  ): number {
    const before = mark.threads.get(thread) ?? NEWBORN;
    const grown = process.rssBytes - mark.process.rssBytes;
    const isAlone = this.#isAlone(thread, reading.cpuMs - before.cpuMs, threads, mark);
    const explained = explainedBy(reading, before);
    if (isAlone) return grown - explained;
    if (process.faults === null || mark.process.faults === null) return 0;
    const all = process.faults - mark.process.faults;
    const own = reading.faults === null || before.faults === null ? 0 : reading.faults - before.faults;
    // Where the kernel gives large pages, a fault brings more.
    const pageBytes = Math.max(PAGE_BYTES, grown / Math.max(1, all));
    return Math.min(own * pageBytes, grown - (all - own) * pageBytes) - explained;
  }

  /** Has no other thread done anything, so that even what Node's own threads touched was touched for this one? */
  #isAlone(thread: Thread, cpuMs: number, threads: ReadonlyMap<Thread, ThreadReading>, mark: Mark<Thread>): boolean {
    for (const other of mark.threads.keys()) if (!threads.has(other)) return false;
    for (const [other, reading] of threads) {
      if (other === thread) continue;
      const before = mark.threads.get(other);
      if (before === undefined || before === NEWBORN) return false;
      if (reading.isSuspect || before.isSuspect || reading.isEnding) return false;
      if (reading.cpuMs - before.cpuMs > Math.max(IDLE_CPU_MS, cpuMs * IDLE_CPU_SHARE)) return false;
    }
    return true;
  }
}

/** What has become garbage and has not been given back is not held. */
function explainedBy({ committedBytes }: ThreadReading, before: ThreadReading = NEWBORN): number {
  return Math.max(0, committedBytes - before.committedBytes);
}
