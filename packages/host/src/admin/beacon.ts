import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Closable } from '../custodian.ts';

/** How the command line finds the operator's listener of a host that runs: a file that only its user can read. */
export interface Beacon {
  pid: number;
  url: string;
  token: string;
  /** Addresses that the host serves at. */
  serves: string[];
}

/** Writes it; closing removes it. */
export function lightBeacon(stateDir: string, beacon: Beacon): Closable {
  const directory = join(stateDir, 'admin');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${new URL(beacon.url).port}-${beacon.pid}.json`);
  writeFileSync(path, JSON.stringify(beacon), { mode: 0o600 });
  return { label: `beacon ${path}`, close: () => rmSync(path, { force: true }) };
}

/** Those of hosts that run, and whose files can be read; what dead ones have left is removed. */
export function findBeacons(stateDir: string): Beacon[] {
  const directory = join(stateDir, 'admin');
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch {
    // Nobody has ever run here.
    return [];
  }
  return names.flatMap((name) => {
    const path = join(directory, name);
    try {
      const beacon = JSON.parse(readFileSync(path, 'utf8')) as Beacon;
      if (isAlive(beacon.pid)) return [beacon];
      rmSync(path, { force: true });
    } catch {
      // Half written, or just removed.
    }
    return [];
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
