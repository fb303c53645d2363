import { type Stats, stat } from 'node:fs';
import { resolve } from 'node:path';
import { destination, type DestinationStream } from 'pino';
import type { Closable } from '../custodian.ts';

const BUFFER_BYTES = 4096;
/** A reader of the log that does not keep up loses lines; it does not fill the acceptor. */
const BUFFER_MAX_BYTES = 4 << 20;
const FLUSH_MS = 500;
/** For its owner and those who read logs: an address in it may be all that it takes to go on with a visit. */
const MODE = 0o640;

/**
 * Where lines of a log go: a file, made with its directories, or a descriptor. They are collected and written a few times a
 * second. A file that was renamed or removed, as rotation does, is opened anew.
 */
export class LogFile implements Closable, DestinationStream {
  readonly label: string;
  readonly #stream: ReturnType<typeof destination>;
  readonly #path: string | null;
  readonly #timer: NodeJS.Timeout;
  /** The file that is open, by device and inode; null until that is known. */
  #open: string | null = null;
  #isLooking = false;
  #isClosed = false;

  constructor(target: number | string) {
    this.#path = typeof target === 'string' ? resolve(target) : null;
    this.label = `log ${this.#path ?? `descriptor ${target}`}`;
    this.#stream = destination({
      dest: this.#path ?? target,
      sync: false,
      minLength: BUFFER_BYTES,
      maxLength: BUFFER_MAX_BYTES,
      mkdir: true,
      mode: MODE,
    });
    // A disk that is full, a pipe whose reader went away: lines are lost, the host goes on.
    this.#stream.on('error', () => {});
    this.#timer = setInterval(() => this.#onTick(), FLUSH_MS);
    this.#timer.unref();
  }

  write(line: string): void {
    // What is said of those that are killed with the host comes later than this, and an ended stream throws.
    if (!this.#isClosed) this.#stream.write(line);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    try {
      this.#stream.flushSync();
    } catch {
      // It was never opened, or is gone: nobody is left to tell.
    }
    this.#stream.end();
  }

  #onTick(): void {
    this.#stream.flush();
    if (this.#path === null || this.#isLooking) return;
    this.#isLooking = true;
    stat(this.#path, (error, found) => {
      this.#isLooking = false;
      if (!this.#isClosed) this.#compare(error === null ? found : null);
    });
  }

  #compare(found: Stats | null): void {
    const there = found === null ? null : `${found.dev}:${found.ino}`;
    if (this.#open !== null && there !== this.#open) {
      this.#open = null;
      // What is under way goes to the old file still.
      this.#stream.reopen();
    } else if (there !== null) this.#open = there;
  }
}
