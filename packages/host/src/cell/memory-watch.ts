import { setTimeout as delay } from 'node:timers/promises';
import { sampling } from './cpu-meter.ts';
import type { SupervisedThread } from './supervised-thread.ts';
import { readTaskStat } from './task-stat.ts';
import { type ProcessReading, type ThreadReading, UnexplainedMemory } from './unexplained-memory.ts';

/** Beside its heap a thread takes memory for its stack, Node's own objects and the servlet's code when it starts. */
const START_BYTES = 24 << 20;
/** Before a thread is blamed all are sampled anew. One in a long native call does not answer; the others have by then. */
const CONFIRM_MAX_MS = 50;
/** What Node's collector and compiler take and give back for a thread: less than this is not told of anybody. */
const NOISE_BYTES = 4 << 20;

/** Holds each thread of this process to its cap with the memory that its statistics don't show. */
export class MemoryWatch {
  readonly #threads: ReadonlyMap<number, SupervisedThread>;
  readonly #onBreach: (thread: SupervisedThread, bytes: number, maxBytes: number) => void;
  readonly #memory = new UnexplainedMemory<SupervisedThread>();
  #isConfirming = false;

  /** `threads`: those that there are, by lease. */
  constructor(
    threads: ReadonlyMap<number, SupervisedThread>,
    onBreach: (thread: SupervisedThread, bytes: number, maxBytes: number) => void,
  ) {
    this.#threads = threads;
    this.#onBreach = onBreach;
  }

  /** A thread is watched from now on. */
  begin(): void {
    if (!this.#memory.isOpen) this.#memory.open(processReading(), this.#readings());
  }

  /** Its servlet is loaded; what that took stays its own, but no request is charged with it. */
  onStarted(thread: SupervisedThread): void {
    if (this.#memory.isOpen) this.#memory.forgive(thread, thread.reading());
  }

  onGone(thread: SupervisedThread): void {
    this.#memory.forget(thread);
  }

  /** At every tick. `isLong`: it is some time since it was so last. */
  look(isLong: boolean): void {
    if (!this.#memory.isOpen) return;
    const suspects = [...this.#threads.values()].filter((thread) => thread.isSuspect);
    if (suspects.length === 0) {
      this.#memory.close();
      return this.#tell();
    }
    if (this.#isConfirming) return;
    const rssBytes = process.memoryUsage.rss();
    const isOver = suspects.some(
      (thread) => this.#memory.boundOf(thread, rssBytes, thread.committedBytes) > maxOf(thread),
    );
    if (isOver) void this.#confirm();
    else if (isLong) {
      this.#memory.advance(processReading(), this.#readings());
      this.#tell();
    }
  }

  async #confirm(): Promise<void> {
    this.#isConfirming = true;
    const all = [...this.#threads.values()];
    await Promise.race([Promise.all(all.map((thread) => thread.sample())), delay(CONFIRM_MAX_MS)]);
    this.#isConfirming = false;
    sampling.run(() => this.#layBlame());
  }

  #layBlame(): void {
    const whole = processReading();
    const readings = this.#readings();
    for (const [thread, bytes] of this.#memory.charges(whole, readings))
      if (bytes > maxOf(thread)) this.#onBreach(thread, bytes, maxOf(thread));
    // What was found to be nobody's raises no further question.
    this.#memory.advance(whole, readings);
    this.#tell();
  }

  /** The ledger has it with what the threads' own statistics say. */
  #tell(): void {
    for (const thread of this.#threads.values()) {
      const bytes = Math.round(this.#memory.chargedTo(thread));
      thread.lastSample.unexplainedBytes = bytes < NOISE_BYTES ? 0 : bytes;
    }
  }

  #readings(): Map<SupervisedThread, ThreadReading> {
    return new Map(Array.from(this.#threads.values(), (thread) => [thread, thread.reading()]));
  }
}

function processReading(): ProcessReading {
  return { rssBytes: process.memoryUsage.rss(), faults: readTaskStat(null)?.faults ?? null };
}

function maxOf({ heapMaxBytes, isStarting }: SupervisedThread): number {
  return heapMaxBytes + (isStarting ? START_BYTES : 0);
}
