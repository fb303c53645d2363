import { readdirSync, readFileSync } from 'node:fs';

const TASKS = '/proc/self/task';
/** Of the numbers behind the name: minflt (proc_pid_stat(5)). */
const FAULTS_AT = 7;
const NS_PER_MS = 1e6;

/**
 * Pages that a thread of this process, or for null all of them together, was given when it touched them, since it began.
 * Null where there is no /proc, or when it is gone.
 */
export function readFaults(task: number | null): number | null {
  try {
    const text = readFileSync(task === null ? '/proc/self/stat' : `${TASKS}/${task}/stat`, 'latin1');
    // The name is in brackets, and may have some of its own.
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[FAULTS_AT]);
  } catch {
    return null;
  }
}

/** CPU time of a thread in ms, by what the scheduler counted. Null where it does not tell, or when the thread is gone. */
export function readCpuMs(task: number): number | null {
  try {
    return Number.parseInt(readFileSync(`${TASKS}/${task}/schedstat`, 'latin1')) / NS_PER_MS;
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
