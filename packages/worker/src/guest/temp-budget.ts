import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TempFullError } from './errors.ts';

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

  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** @throws TempFullError */
  charge(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes <= this.#maxBytes) return;
    this.#usedBytes = measure(this.#directory) + bytes;
    if (this.#usedBytes <= this.#maxBytes) return;
    this.#usedBytes -= bytes;
    throw new TempFullError(`Cannot write to the temporary directory: it holds ${this.#maxBytes >> 20} MB (tempMb)`);
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
        bytes += stat.isDirectory() ? measure(path) + ENTRY_BYTES : stat.size + ENTRY_BYTES;
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
