import type { TaskStat } from './task-stat.ts';

/** A thread that has not answered for so long may be in a native call: its CPU time is asked of the kernel. If it has worked for so long, it is. */
const ANSWER_MAX_MS = 50;

/** From a question to a thread until it answers: what it does meanwhile tells whether it must be in a native call. */
export class Silence {
  readonly #now: () => number;
  /** When it was asked. */
  since = 0;
  /** CPU time that it had used then; null: it is not told. */
  #askedCpuMs: number | null = null;
  /** The same when it was seen to have worked last, and when that was. */
  #stillCpuMs: number | null = null;
  #stillSince = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** It is asked. `cpuMs`: what it has used until now; null: that is not told. */
  begin(cpuMs: number | null): void {
    this.since = this.#stillSince = this.#now();
    this.#askedCpuMs = this.#stillCpuMs = cpuMs;
  }

  get isOverdue(): boolean {
    return this.#now() - this.since > ANSWER_MAX_MS;
  }

  /**
   * Must it be in a native call? One that has not answered on a full machine may only have had no processor to do so. To be asked
   * again in other turns of the event loop: what it did last may have been an answer that nobody has read yet.
   */
  isOfNativeCall(task: TaskStat | null): boolean {
    if (!this.isOverdue) return false;
    const cpuMs = task?.cpuMs() ?? null;
    if (cpuMs === null || this.#askedCpuMs === null) return true;
    if (cpuMs !== this.#stillCpuMs) {
      this.#stillCpuMs = cpuMs;
      this.#stillSince = this.#now();
    }
    if (cpuMs - this.#askedCpuMs > ANSWER_MAX_MS) return true;
    // To be asked wakes one that sleeps, unless it does so in a native call. That may have worked before, as where a process is started.
    return this.#now() - this.#stillSince > ANSWER_MAX_MS && task?.isRunnable() === false;
  }
}
