import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { asUser, prlimitPath } from './bubblewrap.ts';
import { type CellBounds, type Holding, TASKS_MAX_COUNT } from './bounds.ts';

/** The sampler, which can say whose fault it is, comes first: V8 lets 64 MB of buffers become garbage, and Node has some of its own. */
const SLACK_BYTES = 128 << 20;
const SLACK_PER_THREAD_BYTES = 48 << 20;

/** V8 reserves half a GB for the machine code of a thread, all of which counts. */
export const CODE_RANGE_MB: number = 64;

/** Prints how much memory for data Node takes for a thread, most of which it never touches: it is counted all the same. */
export const THREAD_DATA_SCRIPT: string = `
  const data = () => Number(/VmData:\\s+(\\d+)/.exec(require('fs').readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  const before = data();
  const worker = new (require('worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true, resourceLimits: { codeRangeSizeMb: ${CODE_RANGE_MB} } });
  worker.once('online', () => { console.log(data() - before); process.exit(); });
`;

/**
 * RLIMIT_DATA, by util-linux' `prlimit`: an allocation past it fails within the cell, before the pages are there. Never
 * RLIMIT_AS, which V8 does not survive. The limit follows the cell's threads; its filter of system calls keeps it from
 * lifting it. With it goes a limit on threads, if the cell's user has nothing else.
 */
export class DataLimit implements CellBounds {
  readonly #threadBytes: number;
  readonly #uid: number | null;
  #bootBytes = 0;

  /** `threadBytes`: what Node takes for a thread, as {@link THREAD_DATA_SCRIPT} found. `uid`: the cell's own user; null: the host's. */
  constructor(threadBytes: number, uid: number | null) {
    this.#threadBytes = threadBytes;
    this.#uid = uid;
  }

  around(program: string, args: readonly string[]): { program: string; args: readonly string[] } {
    return { program, args };
  }

  async hold(pid: number, { threads, capBytes }: Holding): Promise<void> {
    // The first call comes before any thread.
    this.#bootBytes ||= dataBytesOf(pid);
    const perThread = this.#threadBytes + SLACK_PER_THREAD_BYTES;
    const bytes = this.#bootBytes + SLACK_BYTES + capBytes + threads * perThread;
    const limits = [
      `--data=${bytes}:`,
      ...(this.#uid === null ? [] : [`--nproc=${TASKS_MAX_COUNT}:${TASKS_MAX_COUNT}`]),
    ];
    // As the cell's user: root in a container may often not do it for another.
    const command = [...asUser(this.#uid), prlimitPath() ?? 'prlimit', '--pid', String(pid), ...limits];
    await promisify(execFile)(command[0] as string, command.slice(1));
  }

  end(): boolean {
    return false;
  }
}

function dataBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmData:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}
