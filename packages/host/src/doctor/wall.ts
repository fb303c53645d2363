import { execFile } from 'node:child_process';
import type { Profile } from '../options.ts';

/** One wall as found on this machine. */
export interface Wall {
  name: string;
  /** What it keeps a servlet from doing, as a phrase after "stops". */
  stops: string;
  /**
   * `used`: the host puts servlets behind it. `available`: it is here, and this version does not use it. `missing`: it
   * is not here, or did not work when it was tried.
   */
  state: 'used' | 'available' | 'missing';
  /** What was seen when it was tried. */
  seen: string;
  /** Whose servlets are behind it. */
  profiles: readonly Profile[];
  /** Without it no servlet is held. */
  isVital: boolean;
}

/** How a wall is looked for. `attempt` tries it: what it resolves to was seen, what it throws is why the wall is missing. */
export interface Probe {
  name: string;
  stops: string;
  /** Whose servlets the host puts behind it; none: it is not used. */
  profiles: readonly Profile[];
  isVital?: boolean;
  attempt: () => Promise<string> | string;
}

export async function probe({ name, stops, profiles, isVital = false, attempt }: Probe): Promise<Wall> {
  try {
    const seen = await attempt();
    return { name, stops, state: profiles.length > 0 ? 'used' : 'available', seen, profiles, isVital };
  } catch (error) {
    return { name, stops, state: 'missing', seen: (error as Error).message.split('\n')[0]!, profiles, isVital };
  }
}

/** What a program prints; rejects when it cannot be started or fails. Gets an empty environment beside PATH. */
export function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '' };
    const child = execFile(program, args, { env, timeout: 10_000, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else if (error.code === 'ENOENT') reject(new Error(`there is no ${program}`));
      else reject(new Error(stderr.trim().split('\n')[0] || error.message.split('\n')[0]));
    });
    child.stdin?.end();
  });
}
