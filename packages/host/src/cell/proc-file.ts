import { closeSync, openSync, readSync } from 'node:fs';

const buffer: Buffer = Buffer.allocUnsafeSlow(1024);

/** A small file of /proc that has been opened, from its beginning. @throws Error when what it tells of is gone */
export function readOpenProcFile(file: number): string {
  return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
}

/**
 * A small file of /proc that is read often, and kept open: to open and close it each time takes as long as all the rest. A trusted servlet
 * may close any descriptor of its process, and then open something else at its number, so what is read must look like what was opened.
 */
export class ProcFile {
  readonly #path: string;
  readonly #form: RegExp;
  #file = -1;

  /** `form`: of what is in it. */
  constructor(path: string, form: RegExp) {
    this.#path = path;
    this.#form = form;
  }

  /** @throws Error when it is not there (any more) */
  read(): string {
    if (this.#file >= 0) {
      const text = this.#readOpen();
      if (text !== null) return text;
    }
    this.#file = openSync(this.#path, 'r');
    const text = this.#readOpen();
    if (text === null) throw new Error(`Cannot read ${this.#path}: it is not what it was`);
    return text;
  }

  /** What it tells of is gone. */
  close(): void {
    // The kernel may still know it for a moment.
    if (this.#file >= 0 && this.#readOpen() !== null) closeSync(this.#file);
    this.#file = -1;
  }

  /** null: the descriptor is not this file's any more, or what it tells of is gone. */
  #readOpen(): string | null {
    const file = this.#file;
    try {
      const text = readOpenProcFile(file);
      if (this.#form.test(text)) return text;
    } catch (error) {
      // Only files of /proc fail so. Any other may be somebody else's by now, who closes it.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') closeSync(file);
    }
    this.#file = -1;
    return null;
  }
}
