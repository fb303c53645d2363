import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What /proc says of processes. Linux only; elsewhere everything is 0 or empty. */

/** The process and all that descend from it. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    // The command's name, in parentheses, may hold anything.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** Resident memory, what is shared divided among those that share it. */
export function pssMb(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
}

export function descriptorCount(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

/** CPU time that the process and its living descendants have used, in ms. */
export function treeCpuMs(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    const stat = read(`/proc/${member}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  // USER_HZ has been 100 on every Linux for decades.
  return ticks * 10;
}

const IDLE_MS = 700;
const IDLE_CPU_MS = 20;
const IDLE_WAIT_MS = 15_000;

/** Resolves when the processes do next to nothing: a spare one of a host warms itself up half a second after its start. @throws Error when they don't come to rest */
export async function untilIdle(pid: number): Promise<void> {
  for (let waitedMs = 0, before = treeCpuMs(pid); waitedMs < IDLE_WAIT_MS; waitedMs += IDLE_MS) {
    await sleep(IDLE_MS);
    const now = treeCpuMs(pid);
    if (now - before <= IDLE_CPU_MS) return;
    before = now;
  }
  throw new Error('The server does not come to rest');
}

/** A thread of a process, the CPU time that it has used, and how often it was given a processor. */
export interface ThreadTime {
  pid: number;
  isMain: boolean;
  ns: number;
  turns: number;
}

/** Of all threads of the process and its living descendants, by what the scheduler counted: for times too short for {@link treeCpuMs}. */
export function threadTimes(pid: number): ThreadTime[] {
  return processTree(pid).flatMap((member) =>
    readdirSync(`/proc/${member}/task`).map((task) => {
      const [ns, , turns] = read(`/proc/${member}/task/${task}/schedstat`).split(' ').map(Number);
      return { pid: member, isMain: Number(task) === member, ns: ns ?? 0, turns: turns ?? 0 };
    }),
  );
}
