import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Closable } from '../custodian.ts';
import type { BodyBudget } from '../http/body-budget.ts';

/** All requests together have on disk what they may. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError';
  readonly code = 'LIMIT_SPOOL';
}

/** The spool is closed: the request that it was for is over. */
export class SpoolClosedError extends Error {
  override readonly name = 'SpoolClosedError';
}

/** Where spools of a host lie, and how much they may take together. */
export interface SpoolPlace {
  readonly directory: string;
  /** Of all that waits for a thread. When it is spent, spools go to disk at once. */
  readonly memory: BodyBudget;
  /** @returns false when there is no room for so many bytes more */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
}

const READ_BYTES = 64 * 1024;
const MEMORY_MIN_BYTES = 4096;

/**
 * Keeps bytes in memory, and from a size on in a file. The file has no name from the moment that it is open, so that
 * it is gone when the process is, however that ends.
 */
export class Spool implements Closable {
  readonly label: string;
  bytes = 0;
  readonly #place: SpoolPlace;
  readonly #memoryMaxBytes: number;
  #memory: Buffer = Buffer.alloc(0);
  #file: FileHandle | null = null;
  /** Where it still has a name: on systems that don't let open files lose theirs. */
  #path: string | null = null;
  #reservedBytes = 0;
  #heldBytes = 0;
  #isClosed = false;

  constructor(label: string, place: SpoolPlace, memoryMaxBytes: number) {
    this.label = label;
    this.#place = place;
    this.#memoryMaxBytes = memoryMaxBytes;
  }

  get isOnDisk(): boolean {
    return this.#file !== null;
  }

  memoryUse(): number {
    return this.#memory.length;
  }

  /**
   * Adds to the end. One call at a time; `chunk` is free when it has returned.
   * @throws SpoolFullError, SpoolClosedError; what the file system has to say
   */
  async append(chunk: Uint8Array): Promise<void> {
    this.#check();
    if (this.#file === null) {
      if (this.bytes + chunk.length <= this.#memoryMaxBytes && !this.#place.memory.isSpent) {
        this.#remember(chunk);
        return;
      }
      await this.#toDisk();
    }
    await this.#write(chunk, this.bytes);
    this.bytes += chunk.length;
  }

  /**
   * Counts memory that is held elsewhere until the spool is closed.
   * @returns false when all requests together hold too much
   */
  hold(bytes: number): boolean {
    if (this.#isClosed) return true;
    this.#heldBytes += bytes;
    this.#place.memory.heldBytes += bytes;
    return !this.#place.memory.isSpent;
  }

  /** The bytes from `start` up to `end`, piece by piece. @throws SpoolClosedError */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = start; at < end;) {
      this.#check();
      const want = Math.min(READ_BYTES, end - at);
      let piece: Uint8Array;
      if (this.#file === null) piece = this.#memory.subarray(at, at + want);
      else {
        const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafeSlow(want), 0, want, at);
        this.#check();
        piece = buffer.subarray(0, bytesRead);
      }
      if (piece.length === 0) throw new RangeError('Cannot read a spool: it ends before that');
      at += piece.length;
      yield piece;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.hold(-this.#heldBytes);
    this.#isClosed = true;
    this.#forget();
    this.#place.release(this.#reservedBytes);
    this.#reservedBytes = 0;
    await this.#file?.close();
    if (this.#path !== null) await unlink(this.#path);
  }

  #check(): void {
    if (this.#isClosed) throw new SpoolClosedError(`Cannot use the spool of ${this.label}: it is closed`);
  }

  #remember(chunk: Uint8Array): void {
    const bytes = this.bytes + chunk.length;
    if (this.#memory.length < bytes) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(this.#memoryMaxBytes, Math.max(bytes, this.#memory.length * 2, MEMORY_MIN_BYTES)),
      );
      this.#memory.copy(larger, 0, 0, this.bytes);
      this.#place.memory.heldBytes += larger.length - this.#memory.length;
      this.#memory = larger;
    }
    this.#memory.set(chunk, this.bytes);
    this.bytes = bytes;
  }

  async #toDisk(): Promise<void> {
    const path = join(this.#place.directory, randomUUID());
    const file = await open(path, 'wx+', 0o600);
    const isNameless = await unlink(path).then(
      () => true,
      () => false,
    );
    if (this.#isClosed) {
      await file.close();
      if (!isNameless) await unlink(path);
      this.#check();
    }
    this.#file = file;
    this.#path = isNameless ? null : path;
    await this.#write(this.#memory.subarray(0, this.bytes), 0);
    this.#forget();
  }

  #forget(): void {
    this.#place.memory.heldBytes -= this.#memory.length;
    this.#memory = Buffer.alloc(0);
  }

  async #write(chunk: Uint8Array, position: number): Promise<void> {
    this.#check();
    if (!this.#place.reserve(chunk.length))
      throw new SpoolFullError('Cannot keep an upload: the disk space for them is used up');
    this.#reservedBytes += chunk.length;
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await (this.#file as FileHandle).write(chunk, at, chunk.length - at, position + at);
      this.#check();
      at += bytesWritten;
    }
  }
}
