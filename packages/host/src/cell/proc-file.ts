import { closeSync, openSync, readSync } from 'node:fs';

const buffer: Buffer = Buffer.allocUnsafeSlow(1024);

/** What a file of /proc says, of the bytes in front of `end`; null: it is not that file. */
export type ProcReader<T> = (bytes: Buffer, end: number) => T | null;

/** A small file of /proc that has been opened, from its beginning. @throws Error when what it tells of is gone */
export function readOpenProcFile<T>(file: number, reader: ProcReader<T>): T | null {
  return reader(buffer, readSync(file, buffer, 0, buffer.length, 0));
}

/**
 * A small file of /proc that is read often, and kept open: to open and close it each time takes as long as all the rest. A trusted servlet
 * may close any descriptor of its process, and then open something else at its number, so what is read must look like what was opened.
 */
export class ProcFile<T> {
  readonly #path: string;
  readonly #reader: ProcReader<T>;
  #file = -1;

  constructor(path: string, reader: ProcReader<T>) {
    this.#path = path;
    this.#reader = reader;
  }

  /** @throws Error when it is not there (any more) */
  read(): T {
    if (this.#file >= 0) {
      const said = this.#readOpen();
      if (said !== null) return said;
    }
    this.#file = openSync(this.#path, 'r');
    const said = this.#readOpen();
    if (said === null) throw new Error(`Cannot read ${this.#path}: it is not what it was`);
    return said;
  }

  /** What it tells of is gone. */
  close(): void {
    // The kernel may still know it for a moment.
    if (this.#file >= 0 && this.#readOpen() !== null) closeSync(this.#file);
    this.#file = -1;
  }

  /** null: the descriptor is not this file's any more, or what it tells of is gone. */
  #readOpen(): T | null {
    const file = this.#file;
    try {
      const said = readOpenProcFile(file, this.#reader);
      if (said !== null) return said;
    } catch (error) {
      // Only files of /proc fail so. Any other may be somebody else's by now, who closes it.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') closeSync(file);
    }
    this.#file = -1;
    return null;
  }
}

/** The whole text, where it begins so. */
export function textFrom(start: string): ProcReader<string> {
  return (bytes, end) => {
    const text = bytes.toString('latin1', 0, end);
    return text.startsWith(start) ? text : null;
  };
}

const [SPACE, NEWLINE, ZERO, NINE] = [0x20, 0x0a, 0x30, 0x39];

/** The number at that place in a line of `count` whole numbers with a space between them. Read where each look would else make a text first. */
export function numberAt(place: number, count: number): ProcReader<number> {
  return (bytes, end) => {
    if (bytes[end - 1] !== NEWLINE || bytes[0] === SPACE) return null;
    let number = 0;
    let at = 0;
    for (let i = 0; i < end - 1; i++) {
      const byte = bytes[i] as number;
      if (byte === SPACE) {
        if (bytes[i + 1] === SPACE) return null;
        at++;
      } else if (byte < ZERO || byte > NINE) return null;
      else if (at === place) number = number * 10 + byte - ZERO;
    }
    return at === count - 1 && bytes[end - 2] !== SPACE ? number : null;
  };
}
