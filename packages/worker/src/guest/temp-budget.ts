import { constants as fsConstants, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TempFullError } from './errors.ts';

// The guest gets the object itself.
const { S_IFMT, S_IFDIR } = fsConstants;

/** What a file or a directory counts for by being there: many small ones are as hard to remove as a large one. */
export const ENTRY_BYTES: number = 16 * 1024;

/**
 * What the guest's files may take. Writes are added up; only when the sum is over the cap is it looked how much is
 * there, since files are removed as well. With what it had at that time, a guest can be over by what other threads of
 * its cell write meanwhile.
 */
export class TempBudget {
  readonly #directory: string;
  readonly #maxBytes: number;
  // A thread before this one may have left something.
  #usedBytes = Infinity;
  /** Charged, and perhaps not on the disk yet. */
  #pendingBytes = 0;
  /** What this thread's open files take that have no name any more. */
  unnamedBytes: () => number = () => 0;

  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Of all threads of the servlet in this cell. */
  get directory(): string {
    return this.#directory;
  }

  /** @throws TempFullError */
  charge(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes <= this.#maxBytes) return;
    this.#usedBytes = measure(this.#directory) + this.unnamedBytes() + this.#pendingBytes + bytes;
    if (this.#usedBytes <= this.#maxBytes) return;
    this.#usedBytes -= bytes;
    throw new TempFullError(`Cannot write to the temporary directory: it holds ${this.#maxBytes >> 20} MB (tempMb)`);
  }

  /** Charges what is written later: until the function that this returns is called, nobody sees it in the directory. @throws TempFullError */
  chargePending(bytes: number): () => void {
    this.charge(bytes);
    this.#pendingBytes += bytes;
    let isOver = false;
    return () => {
      if (!isOver) this.#pendingBytes -= bytes;
      isOver = true;
    };
  }
}

function measure(directory: string): number {
  let bytes = 0;
  try {
    const names = readdirSync(directory);
    for (let at = 0; at < names.length; at++) {
      const path = join(directory, names[at] as string);
      try {
        const stat = lstatSync(path);
        const isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
        bytes += isDirectory ? measure(path) + ENTRY_BYTES : stat.size + ENTRY_BYTES;
      } catch (error) {
        bytes += sizeOfUnseen(error);
      }
    }
  } catch (error) {
    bytes += sizeOfUnseen(error);
  }
  return bytes;
}

/** What was removed meanwhile takes nothing. What lies too deep, or may not be read, could be any size. */
function sizeOfUnseen(error: unknown): number {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : Infinity;
}
