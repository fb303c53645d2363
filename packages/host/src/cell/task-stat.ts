import { readdirSync } from 'node:fs';
import { readProcFile } from './proc-file.ts';

const TASKS = '/proc/self/task';
/** Of the numbers behind the name: minflt (proc_pid_stat(5)). */
const FAULTS_AT = 7;
const NS_PER_MS = 1e6;
const hasTasks = process.platform === 'linux';

/** Pages that the threads of this process, all that there ever were, were given when they touched them. Null where it is not told of each. */
export function readAllFaults(): number | null {
  return hasTasks ? process.resourceUsage().minorPageFault : null;
}

/** Pages that a thread of this process was given when it touched them, since it began. Null where there is no /proc, or when it is gone. */
export function readFaults(task: number): number | null {
  try {
    const text = readProcFile(`${TASKS}/${task}/stat`);
    // The name is in brackets, and may have some of its own.
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[FAULTS_AT]);
  } catch {
    return null;
  }
}

/** CPU time of a thread in ms, by what the scheduler counted. Null where it does not tell, or when the thread is gone. */
export function readCpuMs(task: number): number | null {
  try {
    return Number.parseInt(readProcFile(`${TASKS}/${task}/schedstat`)) / NS_PER_MS;
  } catch {
    return null;
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
