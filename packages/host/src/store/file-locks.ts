import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ignoreMissing } from '../durable-file.ts';

/** Who holds a lock for longer has died with it: what is done under one takes milliseconds. */
const LOCK_MAX_AGE_MS = 10_000;
const WAIT_MAX_MS = 15_000;
const LOOK_EVERY_MS = 10;

/** Locks between processes that share a directory: each is a file that only one of them can make. */
export class FileLocks {
  readonly #directory: string;

  /** @param directory made when the first lock is taken */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Runs something while nobody else holds the lock of that name. @throws Error when it is not free for long */
  async hold<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    const path = join(this.#directory, `${name}.lock`);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (let waitedMs = 0; !(await isMade(path)); waitedMs += LOOK_EVERY_MS) {
      if (waitedMs >= WAIT_MAX_MS) throw new Error(`the lock ${path} is not given back`);
      const held = await stat(path).catch(ignoreMissing);
      if (held !== undefined && Date.now() - held.mtimeMs > LOCK_MAX_AGE_MS) await rm(path, { force: true });
      else await delay(LOOK_EVERY_MS);
    }
    try {
      return await run();
    } finally {
      await rm(path, { force: true });
    }
  }
}

async function isMade(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}
