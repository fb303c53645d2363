import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  pid: number;
  parent: number;
  command: string;
}

/** Every process of the machine that can be seen, from /proc. Zombies are left out: they hold nothing. */
function processes(): ProcessEntry[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The name in brackets may hold anything; what follows it does not.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

export function childProcesses(pid: number): ProcessEntry[] {
  return processes().filter(({ parent }) => parent === pid);
}

/** Processes, whosever children they are, whose command line has this text in it. */
export function processesNamed(text: string): ProcessEntry[] {
  return processes().filter(({ command }) => command.includes(text));
}

/** Open descriptors of a process, by what they lead to. */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`);
}

/** Memory of a process in bytes, now and at its peak since {@link forgetPeak}. */
export function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}
