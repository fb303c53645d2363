import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Closable } from './custodian.ts';
import { removeTree } from './remove-tree.ts';

const DIRECTORY = 'temp';
const PREFIX = /^host-(\d+)-/;

/** Where the cells of one host have their temporary directories. What a host left that was killed, the next one removes. */
export class TempRoot implements Closable {
  readonly label = 'temporary directory';
  readonly path: string;
  readonly #leftRemoved: Promise<unknown>;

  constructor(stateDir: string) {
    const parent = join(stateDir, DIRECTORY);
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const left = readdirSync(parent).filter((name) => {
      const pid = Number(PREFIX.exec(name)?.[1]);
      return pid > 0 && !isRunning(pid);
    });
    // Another host may be at it, too.
    this.#leftRemoved = Promise.allSettled(left.map((name) => removeTree(join(parent, name))));
    this.path = mkdtempSync(join(parent, `host-${process.pid}-`));
  }

  async close(): Promise<void> {
    await this.#leftRemoved;
    await removeTree(this.path);
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
