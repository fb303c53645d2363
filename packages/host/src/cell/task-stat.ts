import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of one thread of this process, or of all of them together. */
export interface TaskStat {
  /** Pages that it was given when it touched them, since it began. */
  faults: number;
  /** Its CPU time in ms, in steps of 10. */
  cpuMs: number;
}

const TASKS = '/proc/self/task';
/** Of the numbers behind the name: minflt, utime, stime (proc_pid_stat(5)). */
const FAULTS_AT = 7;
const USER_AT = 11;
const SYSTEM_AT = 12;
/** The kernel tells times in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;

/** `task`: its number, or null for the whole process. Null where there is no /proc, or when it is gone. */
export function readTaskStat(task: number | null): TaskStat | null {
  try {
    const text = readFileSync(task === null ? '/proc/self/stat' : `${TASKS}/${task}/stat`, 'latin1');
    // The name is in brackets, and may have some of its own.
    const numbers = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [faults, user, system] = [FAULTS_AT, USER_AT, SYSTEM_AT].map((at) => Number(numbers[at]));
    return { faults: faults as number, cpuMs: ((user as number) + (system as number)) * TICK_MS };
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
