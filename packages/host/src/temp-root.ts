import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Closable } from './custodian.ts';

const DIRECTORY = 'temp';
const PREFIX = /^host-(\d+)-/;

/** Where the cells of one host have their temporary directories. What a host left that was killed, the next one removes. */
export class TempRoot implements Closable {
  readonly label = 'temporary directory';
  readonly path: string;

  constructor(stateDir: string) {
    const parent = join(stateDir, DIRECTORY);
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(parent)) {
      const pid = Number(PREFIX.exec(name)?.[1]);
      if (pid > 0 && !isRunning(pid)) rmSync(join(parent, name), { recursive: true, force: true });
    }
    this.path = mkdtempSync(join(parent, `host-${process.pid}-`));
  }

  close(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
