import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** Names share so many locks. */
const FILES_COUNT = 16;
/** Less than a request has. */
const WAIT_MAX_MS = 6000;
const LOOK_EVERY_MS = 5;
const SQLITE_BUSY = 5;

/**
 * Locks between processes that share a directory. They are the system's own, by way of an SQLite transaction that writes
 * nothing: a process that ends, however it ends, gives its locks back, and from one that only stands still none is taken. A file that
 * says who has a lock can do neither: whether its owner is dead is a guess, and two who guess at once both take it.
 */
export class FileLocks {
  readonly #directory: string;
  readonly #files: LockFile[];

  /** @param directory made when the first lock is taken; nothing in it may ever be removed */
  constructor(directory: string) {
    this.#directory = directory;
    this.#files = Array.from({ length: FILES_COUNT }, (_, number) => new LockFile(join(directory, `${number}.lock`)));
  }

  /** Runs something while nobody else holds the lock of that name. @throws Error when it is not free for long */
  async hold<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const [number] = createHash('sha256').update(name).digest();
    return (this.#files[(number as number) % FILES_COUNT] as LockFile).hold(run);
  }

  /** When what runs has ended. */
  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
  }
}

class LockFile {
  readonly #path: string;
  #database: DatabaseSync | null = null;
  /** Within the process, one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  hold<Result>(run: () => Promise<Result>): Promise<Result> {
    const until = performance.now() + WAIT_MAX_MS;
    const turn = this.#turn.then(async () => {
      const database = (this.#database ??= await openLock(this.#path));
      while (!isTaken(database)) {
        if (performance.now() >= until) throw new Error(`the lock ${this.#path} is not given back`);
        await delay(LOOK_EVERY_MS);
      }
      try {
        return await run();
      } finally {
        database.exec('ROLLBACK');
      }
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#database?.close();
    this.#database = null;
  }
}

async function openLock(path: string): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite');
  // For its owner. Only when it is new: who closes a file gives back all locks that its process has on it.
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await file?.close();
  return new DatabaseSync(path, { timeout: 0 });
}

function isTaken(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if ((error as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw error;
    return false;
  }
}
