import { readdirSync } from 'node:fs';
import { numberAt, ProcFile, textFrom } from './proc-file.ts';

const TASKS = '/proc/self/task';
/** Of the numbers behind the name: minflt (proc_pid_stat(5)). */
const FAULTS_AT = 7;
const NS_PER_MS = 1e6;
const hasTasks = process.platform === 'linux';

/** Pages that the threads of this process, all that there ever were, were given when they touched them. Null where it is not told of each. */
export function readAllFaults(): number | null {
  return hasTasks ? process.resourceUsage().minorPageFault : null;
}

/** What the kernel tells of a thread of this process. */
export class TaskStat {
  readonly #stat: ProcFile<string>;
  readonly #schedstat: ProcFile<number>;

  constructor(task: number) {
    // The name is in brackets, and may have some of its own.
    this.#stat = new ProcFile(`${TASKS}/${task}/stat`, textFrom(`${task} (`));
    this.#schedstat = new ProcFile(`${TASKS}/${task}/schedstat`, numberAt(0, 3));
  }

  /** Pages that it was given when it touched them, since it began. Null where there is no /proc, or when it is gone. */
  faults(): number | null {
    const fields = this.#fields(FAULTS_AT + 1);
    return fields === null ? null : Number(fields[FAULTS_AT]);
  }

  /** It has a processor, or waits for one. Null where there is no /proc, or when it is gone. */
  isRunnable(): boolean | null {
    const fields = this.#fields(1);
    return fields === null ? null : fields[0] === 'R';
  }

  /** Its CPU time in ms, by what the scheduler counted. Null where it does not tell, or when the thread is gone. */
  cpuMs(): number | null {
    try {
      return this.#schedstat.read() / NS_PER_MS;
    } catch {
      return null;
    }
  }

  /** The thread is gone. */
  close(): void {
    this.#stat.close();
    this.#schedstat.close();
  }

  /** The first ones behind the name. */
  #fields(count: number): string[] | null {
    try {
      const text = this.#stat.read();
      return text.slice(text.lastIndexOf(')') + 2).split(' ', count);
    } catch {
      return null;
    }
  }
}

/** Numbers of this process's threads; none where there is no /proc. */
export function taskNumbers(): number[] {
  try {
    return readdirSync(TASKS).map(Number);
  } catch {
    return [];
  }
}

/** The number of the one thread that has come since; null when that can't be told. */
export function newTask(before: readonly number[]): number | null {
  const added = taskNumbers().filter((task) => !before.includes(task));
  return added.length === 1 ? (added[0] as number) : null;
}
