import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { Turns } from './service/turns.ts';

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
  readonly #files = new Map<string, LockFile>();

  /** @param directory made when the first lock is taken; nothing in it may ever be removed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Runs something while nobody else holds the lock of that name; those of this process come one after another.
   * @param name a file's: each stays open, so there must be few
   * @param signal ends the waiting for it
   * @throws LockHeldError when another process has it for long; else what the disk, the signal or `run` says
   */
  async hold<Result>(name: string, run: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    let file = this.#files.get(name);
    if (file === undefined) this.#files.set(name, (file = new LockFile(join(this.#directory, `${name}.lock`))));
    return file.hold(run, signal);
  }

  /** When what runs has ended. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}

/** Another process has a lock and does not give it back. */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';

  constructor(path: string) {
    super(`Cannot take the lock "${path}": another process does not give it back`);
  }
}

class LockFile {
  readonly #path: string;
  #database: DatabaseSync | null = null;
  readonly #turns = new Turns(1);

  constructor(path: string) {
    this.#path = path;
  }

  async hold<Result>(run: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    const until = performance.now() + WAIT_MAX_MS;
    await this.#turns.take(signal);
    try {
      const database = (this.#database ??= await openLock(this.#path));
      while (!isTaken(database)) {
        signal?.throwIfAborted();
        if (performance.now() >= until) throw new LockHeldError(this.#path);
        await delay(LOOK_EVERY_MS);
      }
      try {
        signal?.throwIfAborted();
        return await run();
      } finally {
        database.exec('ROLLBACK');
      }
    } finally {
      this.#turns.release();
    }
  }

  async close(): Promise<void> {
    await this.#turns.take();
    this.#database?.close();
    this.#database = null;
    this.#turns.release();
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
