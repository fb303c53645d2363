import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
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
  readonly #waitMaxMs: number;
  readonly #files = new Map<string, LockFile>();

  /** @param directory made when the first lock is taken; nothing in it may ever be removed */
  constructor(directory: string, { waitMaxMs = WAIT_MAX_MS }: { waitMaxMs?: number } = {}) {
    this.#directory = directory;
    this.#waitMaxMs = waitMaxMs;
  }

  /**
   * Runs something while nobody else holds the lock of that name; those of this process come one after another.
   * @param name a file's, which is open as long as somebody here holds the lock or waits for it
   * @param signal ends the waiting for it
   * @throws LockHeldError, LockBusyError after 6 s; else what the disk, the signal or `run` says
   */
  async hold<Result>(name: string, run: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    let file = this.#files.get(name);
    if (file === undefined)
      this.#files.set(name, (file = new LockFile(join(this.#directory, `${name}.lock`), this.#waitMaxMs)));
    try {
      return await file.hold(run, signal);
    } finally {
      if (file.userCount === 0) {
        file.close();
        this.#files.delete(name);
      }
    }
  }

  /** When what runs has ended. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.drained();
  }
}

/** Another process has a lock and does not give it back. */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError';

  constructor(path: string) {
    super(`Cannot take the lock "${path}": another process does not give it back`);
  }
}

/** Those of this process that came before have had a lock for long. */
export class LockBusyError extends Error {
  override readonly name = 'LockBusyError';

  constructor(path: string) {
    super(`Cannot take the lock "${path}": too many here wait for it`);
  }
}

class LockFile {
  /** Of those that hold the lock or wait for it. */
  userCount = 0;
  readonly #path: string;
  readonly #waitMaxMs: number;
  #database: DatabaseSync | null = null;
  readonly #turns = new Turns(1);
  /** Since when another process is known to have it. */
  #heldElsewhereAt: number | null = null;

  constructor(path: string, waitMaxMs: number) {
    this.#path = path;
    this.#waitMaxMs = waitMaxMs;
  }

  async hold<Result>(run: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    const calledAt = performance.now();
    this.userCount++;
    try {
      await this.#turn(calledAt, signal);
      try {
        const database = (this.#database ??= await openLock(this.#path));
        while (!isTaken(database)) {
          const now = performance.now();
          this.#heldElsewhereAt ??= now;
          signal?.throwIfAborted();
          if (now - calledAt >= this.#waitMaxMs) throw this.#late(calledAt);
          await delay(LOOK_EVERY_MS);
        }
        this.#heldElsewhereAt = null;
        try {
          signal?.throwIfAborted();
          return await run();
        } finally {
          database.exec('ROLLBACK');
        }
      } finally {
        this.#turns.release();
      }
    } finally {
      this.userCount--;
    }
  }

  /** Once those that use it now have ended. */
  async drained(): Promise<void> {
    await this.#turns.take();
    this.#turns.release();
  }

  /** When nobody uses it. */
  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  async #turn(calledAt: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.userCount === 1) return this.#turns.take(signal);
    signal?.throwIfAborted();
    const patience = new AbortController();
    const onAbort = (): void => patience.abort(signal?.reason);
    const timer = setTimeout(() => patience.abort(this.#late(calledAt)), this.#waitMaxMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#turns.take(patience.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Why one that has waited since then gives up: for whom he has waited longer. */
  #late(calledAt: number): Error {
    const heldAt = this.#heldElsewhereAt;
    const heldMs = heldAt === null ? 0 : performance.now() - Math.max(heldAt, calledAt);
    return heldMs >= this.#waitMaxMs / 2 ? new LockHeldError(this.#path) : new LockBusyError(this.#path);
  }
}

async function openLock(path: string): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite');
  // For its owner. Only when it is new, and closed at once: who closes a file gives back all locks that its process has on it.
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
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
