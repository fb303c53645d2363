import { MemoryBalance, type StatedMemory } from './memory-balance.ts';
import { PAGE_BYTES } from './resident-bytes.ts';
import { RestPeriod } from './rest-period.ts';

/** What is known of a thread when blame is laid; its statistics as it was sampled last. */
export interface ThreadReading extends StatedMemory {
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
  /** Of that, what ended threads have left, which may go at any time. */
  leftBytes: number;
}

interface Mark<Thread> {
  process: ProcessReading;
  threads: Map<Thread, ThreadReading>;
}

interface Judgement {
  balance: MemoryBalance;
  /** Nobody else worked since then. */
  isAlone: boolean;
}

/** Of a thread that has nothing and has done nothing. */
export const NEWBORN: Readonly<ThreadReading> = {
  committedBytes: 0,
  offHeapBytes: 0,
  freeHeapBytes: 0,
  faults: 0,
  cpuMs: 0,
  isSuspect: false,
  isEnding: false,
};
const NOTHING = new MemoryBalance();
/** Other threads of the process are taken for idle below so much CPU time: this much, or this share of the suspect's. */
const IDLE_CPU_MS = 5;
const IDLE_CPU_SHARE = 0.1;
/** Less comes and goes all the time, and would be missed where little is charged. */
const OWED_MIN_BYTES = 1 << 20;

/**
 * Resident memory of a process that no thread's statistics show: shared buffers, blobs, native objects. Whose it is, is
 * concluded from two sides. A thread has taken no more than the pages that it touched first; and no less than the
 * process has grown by, without all pages that the others touched. A thread is charged with the smaller of the two, less
 * what its own statistics explain ({@link MemoryBalance}). So the memory of a neighbour that starts, works or has ended is never charged to it; what
 * nobody can be charged with is left to the wall of the process.
 */
export class UnexplainedMemory<Thread> {
  #mark: Mark<Thread> | null = null;
  /** As it was when nobody worked, last. */
  #rest: Mark<Thread> | null = null;
  /** Since it was known exactly that nobody worked, last; null: not known. */
  #period: RestPeriod<Thread> | null = null;
  /** The first stretch of time is not over. */
  #isFirst = true;
  /** In each stretch one thread worked alone, so that all that came and went was its own. */
  #isSure = true;
  /** Of the stretches before the mark; none: nothing. */
  readonly #balances = new Map<Thread, MemoryBalance>();

  get isOpen(): boolean {
    return this.#mark !== null;
  }

  /** What the process had when that began which is looked at. */
  get markBytes(): number {
    return this.#mark?.process.rssBytes ?? 0;
  }

  /** Somebody works: what comes from now on is looked at. What threads have said of themselves may be older. */
  open(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): void {
    this.rest(process, threads, false);
    this.resume();
  }

  /** Somebody has begun to work since nobody did, as is known only now. `false`: how it was then is not known either. */
  resume(): boolean {
    if (this.#rest === null) return false;
    this.#mark = this.#rest;
    this.#isFirst = true;
    this.#isSure = true;
    // What comes of it is not looked at from there a second time.
    this.#rest = null;
    this.#period = null;
    return true;
  }

  /**
   * Nobody works: what is there belongs to the process. What threads have given back, and count still, will be no charge when it comes again. `isExact`: both
   * are of this moment.
   */
  rest(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>, isExact: boolean): void {
    const owedAtRest = isExact ? this.#period?.owedAt(process, threads) : null;
    const owed = owedAtRest ?? (this.#mark === null ? this.#owed(threads) : this.#owedAfterWork(process, threads));
    this.#restAt(process, threads, owed);
    this.#period = isExact ? new RestPeriod(process, threads, owed) : null;
  }

  /**
   * Those who worked are through, but others may have begun: what has come since is the others'. So much memory there was at that time at the
   * most, and the threads held what `threads` says; pages touched since the mark may be either's.
   */
  restAsSeen(rssBytes: number, threads: ReadonlyMap<Thread, ThreadReading>): void {
    if (this.#mark === null) return;
    const process = { ...this.#mark.process, rssBytes };
    const readings = restated(this.#mark.threads, threads);
    // What went since then may be others', too.
    const before = this.#owed(readings);
    const owed = Array.from(this.#owedAfterWork(process, readings), ([thread, bytes]): [Thread, number] => {
      return [thread, Math.min(bytes, before.get(thread) ?? 0)];
    });
    this.#restAt(process, readings, new Map(owed));
    this.#period = null;
  }

  /** What it was charged with so far is forgotten: its start is over. */
  forgive(thread: Thread): void {
    this.#balances.delete(thread);
  }

  /** It has ended. That it was there is remembered until the next stretch. */
  forget(thread: Thread): void {
    this.#balances.delete(thread);
  }

  /** What a thread can have taken at the most, by what costs nothing to know. */
  boundOf(thread: Thread, rssBytes: number, stated: StatedMemory): number {
    if (this.#mark === null) return 0;
    return this.#balanceAfter(thread, rssBytes - this.#mark.process.rssBytes, stated, this.#mark).bytes;
  }

  /** What each that works, or was charged before, has taken beyond what its statistics show, for all that is known. */
  charges(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, number> {
    const judged = this.#judge(process, threads);
    return new Map(Array.from(judged, ([thread, { balance }]) => [thread, balance.bytes]));
  }

  /** What it was charged with in the stretches that are over. */
  chargedTo(thread: Thread): number {
    return this.#balanceOf(thread).bytes;
  }

  /** Keeps what is charged so far, and begins a new stretch: over a long one, what was taken and given back adds up. */
  advance(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): void {
    if (this.#mark === null) return;
    for (const [thread, { balance, isAlone }] of this.#judge(process, threads)) {
      this.#balances.set(thread, balance);
      this.#isSure &&= isAlone && this.#mark.process.leftBytes === 0;
    }
    // What one has less between two requests is not looked at while several work, so that nothing is known of its next ones.
    for (const [thread, { bytes }] of this.#balances)
      if (!this.#isSure && bytes === 0 && threads.get(thread)?.isSuspect === false) this.#balances.delete(thread);
    this.#mark = { process, threads: new Map(threads) };
    this.#isFirst = false;
  }

  /** What each has come to since the mark that works, has worked, or is charged. */
  #judge(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, Judgement> {
    const judged = new Map<Thread, Judgement>();
    if (this.#mark === null) return judged;
    for (const [thread, reading] of threads) {
      const chargedBytes = this.chargedTo(thread);
      const hasWorked = reading.isSuspect || this.#mark.threads.get(thread)?.isSuspect === true;
      if (!hasWorked && chargedBytes === 0) continue;
      const { takenBytes, isAlone } = this.#takenBy(thread, reading, process, threads, this.#mark);
      const balance = this.#balanceAfter(thread, takenBytes, reading, this.#mark);
      // Between two requests a thread gives back what became garbage, and takes nothing.
      judged.set(thread, { balance: reading.isSuspect ? balance : balance.atMost(chargedBytes), isAlone });
    }
    return judged;
  }

  #restAt(
    process: ProcessReading,
    threads: ReadonlyMap<Thread, ThreadReading>,
    owed: ReadonlyMap<Thread, number>,
  ): void {
    this.#balances.clear();
    for (const [thread, bytes] of owed)
      if (bytes >= OWED_MIN_BYTES) this.#balances.set(thread, MemoryBalance.owed(bytes));
    this.#rest = { process, threads: new Map(threads) };
    this.#mark = null;
  }

  /** What each is owed by its balance. */
  #owed(threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, number> {
    return new Map(
      Array.from(threads, ([thread, reading]) => {
        const countedBytes = reading.offHeapBytes + reading.freeHeapBytes;
        return [thread, Math.min(this.#balanceOf(thread).owedBytes(reading), countedBytes)];
      }),
    );
  }

  /** What each is owed when its work is over, where all that came and went was its own. */
  #owedAfterWork(process: ProcessReading, threads: ReadonlyMap<Thread, ThreadReading>): Map<Thread, number> {
    const judged = [...this.#judge(process, threads)];
    const isSure = this.#isSure && this.#mark?.process.leftBytes === 0 && judged.every(([, { isAlone }]) => isAlone);
    if (!isSure) return new Map();
    // Those that did nothing are owed what they were.
    return new Map([
      ...this.#owed(threads),
      ...judged.map(([thread, { balance }]) => [thread, balance.owedBytes(threads.get(thread) ?? NEWBORN)] as const),
    ]);
  }

  #balanceOf(thread: Thread): MemoryBalance {
    return this.#balances.get(thread) ?? NOTHING;
  }

  #balanceAfter(thread: Thread, takenBytes: number, stated: StatedMemory, mark: Mark<Thread>): MemoryBalance {
    const before = mark.threads.get(thread) ?? NEWBORN;
    return this.#balanceOf(thread).after(takenBytes, before, stated, this.#isFirst);
  }

  /** Of the process, what its statistics show included. */
  #takenBy(
    thread: Thread,
    reading: ThreadReading,
    process: ProcessReading,
    threads: ReadonlyMap<Thread, ThreadReading>,
    mark: Mark<Thread>,
  ): { takenBytes: number; isAlone: boolean } {
    const before = mark.threads.get(thread) ?? NEWBORN;
    const grown = process.rssBytes - mark.process.rssBytes;
    const isAlone = this.#isAlone(thread, reading.cpuMs - before.cpuMs, threads, mark);
    if (isAlone) return { takenBytes: grown, isAlone };
    if (process.faults === null || mark.process.faults === null) return { takenBytes: 0, isAlone };
    const own = reading.faults === null || before.faults === null ? 0 : reading.faults - before.faults;
    // What the process's own take is no exact part of them.
    const all = Math.max(own, process.faults - mark.process.faults);
    // Where the kernel gives large pages, a fault brings more.
    const pageBytes = Math.max(PAGE_BYTES, grown / Math.max(1, all));
    return { takenBytes: Math.min(own * pageBytes, grown - (all - own) * pageBytes), isAlone };
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

/** The same readings, with what threads have said of themselves since, as far as they are there. */
export function restated<Thread>(
  readings: ReadonlyMap<Thread, ThreadReading>,
  later: ReadonlyMap<Thread, ThreadReading>,
): Map<Thread, ThreadReading> {
  return new Map(
    Array.from(readings, ([thread, reading]) => {
      const { committedBytes, offHeapBytes, freeHeapBytes } = later.get(thread) ?? reading;
      return [thread, { ...reading, committedBytes, offHeapBytes, freeHeapBytes }];
    }),
  );
}
