import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing, sweepPartials, writeDurably } from '../durable-file.ts';
import { FileLocks } from '../file-locks.ts';
import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import {
  available,
  type ContinuationStore,
  costOf,
  ENTRY_COST_BYTES,
  isKey,
  keyFor,
  StoreConflictError,
  type StoreEntry,
  tagOf,
} from './store.ts';

interface Kept {
  cost: number;
  expiresAt: number;
  /** By the file system's clock, as far as it is known. */
  keptAt: number;
}

/** What one servlet has here, oldest first. */
class Shelf {
  readonly entries = new Map<string, Kept>();
  bytes = 0;

  set(key: string, kept: Kept): void {
    this.delete(key);
    this.entries.set(key, kept);
    this.bytes += kept.cost;
  }

  delete(key: string): void {
    this.bytes -= this.entries.get(key)?.cost ?? 0;
    this.entries.delete(key);
  }
}

/** Keeps each entry in a file of its own, which is there whole or not at all. Its time of modification is when it expires. */
export class DirectoryStore implements ContinuationStore {
  readonly label: string;
  readonly #root: string;
  readonly #partials: string;
  readonly #locks: FileLocks;
  /** By servlet's directory. What other processes keep there shows at each sweep. */
  readonly #shelves = new Map<string, Shelf>();

  /** @param root made when something is kept first, for its owner only */
  constructor(root: string) {
    this.#root = root;
    this.#partials = join(root, PARTIALS);
    this.#locks = new FileLocks(join(root, LOCKS));
    this.label = `directory store ${root}`;
  }

  put(entry: StoreEntry): Promise<string> {
    return available('keep a continuation', async () => {
      const { servlet, bytes, replaces, quotaBytes } = entry;
      const cost = costOf(entry);
      const key = keyFor(entry);
      const name = directoryName(servlet);
      const path = this.#path(name, key);
      await this.#shelf(name);
      await this.#locks.hold(lockOf(key), async () => {
        if (replaces !== undefined && !replaces.includes(await tagAt(path))) throw new StoreConflictError(servlet);
        const knownUntil = entry.name === undefined ? ((await statOrNull(path))?.mtimeMs ?? 0) : 0;
        const expiresAt = Math.max(entry.expiresAt, knownUntil);
        await writeDurably(path, bytes, { partials: this.#partials, modifiedAt: expiresAt });
        // A sweep may have counted anew meanwhile.
        this.#shelves.get(name)?.set(key, { cost, expiresAt, keptAt: Date.now() });
      });
      await this.#makeRoom(name, quotaBytes);
      return key;
    });
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    if (!isKey(key)) return Promise.resolve(null);
    return available('find a continuation', async () => {
      await using file = await openOrNull(this.#path(directoryName(servlet), key));
      if (file === null) return null;
      const { mtimeMs } = await file.stat();
      return mtimeMs > Date.now() ? await file.readFile() : null;
    });
  }

  tag(servlet: string, key: string): Promise<string> {
    return available('find a continuation', () => tagAt(this.#path(directoryName(servlet), key)));
  }

  usage(servlet: string): Promise<number> {
    return available('measure a store', async () => (await this.#shelf(directoryName(servlet))).bytes);
  }

  sweep(): Promise<number> {
    return available('sweep a store', async () => {
      let swept = 0;
      for (const name of await namesIn(this.#root)) {
        if (name === PARTIALS || name === LOCKS) continue;
        const shelf = await this.#scan(name);
        this.#shelves.set(name, shelf);
        for (const [key, { expiresAt }] of shelf.entries)
          if (expiresAt <= Date.now() && (await this.#remove(name, key, ({ mtimeMs }) => mtimeMs <= Date.now())))
            swept++;
      }
      await sweepPartials(this.#partials);
      return swept;
    });
  }

  async close(): Promise<void> {
    this.#shelves.clear();
    await this.#locks.close();
  }

  async #makeRoom(name: string, quotaBytes: number): Promise<void> {
    const shelf = await this.#shelf(name);
    for (const [key, { keptAt }] of shelf.entries) {
      if (shelf.bytes <= quotaBytes) return;
      // Who makes room at the same time goes on with the next.
      shelf.delete(key);
      await this.#remove(name, key, ({ ctimeMs }) => !shelf.entries.has(key) && ctimeMs <= keptAt);
    }
  }

  /** Removes an entry, unless it was kept again since somebody thought that it may go. @returns is it gone? */
  #remove(name: string, key: string, mayGo: (file: Stats) => boolean): Promise<boolean> {
    const path = this.#path(name, key);
    return this.#locks.hold(lockOf(key), async () => {
      const file = await statOrNull(path);
      const isGone = file === null || mayGo(file);
      if (file !== null && isGone) await unlink(path).catch(ignoreMissing);
      const shelf = this.#shelves.get(name);
      if (isGone) shelf?.delete(key);
      else shelf?.set(key, keptAs(file));
      return isGone;
    });
  }

  /** What a servlet has here; read from the disk when it is asked for first. */
  async #shelf(name: string): Promise<Shelf> {
    const known = this.#shelves.get(name);
    if (known !== undefined) return known;
    const scanned = await this.#scan(name);
    // Another one may have come first, and may have kept something meanwhile.
    const current = this.#shelves.get(name) ?? scanned;
    this.#shelves.set(name, current);
    return current;
  }

  async #scan(name: string): Promise<Shelf> {
    const found: [key: string, kept: Kept][] = [];
    for (const part of await namesIn(join(this.#root, name))) {
      for (const key of await namesIn(join(this.#root, name, part))) {
        const file = await statOrNull(join(this.#root, name, part, key));
        if (file !== null) found.push([key, keptAs(file)]);
      }
    }
    found.sort(([, left], [, right]) => left.keptAt - right.keptAt);
    const shelf = new Shelf();
    for (const [key, kept] of found) shelf.set(key, kept);
    return shelf;
  }

  #path(name: string, key: string): string {
    return join(this.#root, name, key.slice(0, 2), key);
  }
}

const PARTIALS = 'partial';
const LOCKS = 'locks';

/** Keys share so many locks. */
const LOCKS_COUNT = 16;

function lockOf(key: string): string {
  const [number] = createHash('sha256').update(key).digest();
  return String((number as number) % LOCKS_COUNT);
}

/** Any name of a servlet, as a directory's. */
function directoryName(servlet: string): string {
  return createHash('sha256').update(servlet).digest('hex').slice(0, 32);
}

/** With what that begins which is there; `''`: nothing is, or it has expired. */
async function tagAt(path: string): Promise<string> {
  await using file = await openOrNull(path);
  if (file === null || (await file.stat()).mtimeMs <= Date.now()) return '';
  const { buffer, bytesRead } = await file.read(Buffer.alloc(ENTRY_TAG_BYTES), 0, ENTRY_TAG_BYTES, 0);
  return tagOf(buffer.subarray(0, bytesRead));
}

function keptAs({ size, mtimeMs, ctimeMs }: Stats): Kept {
  return { cost: size + ENTRY_COST_BYTES, expiresAt: mtimeMs, keptAt: ctimeMs };
}

async function statOrNull(path: string): Promise<Stats | null> {
  return (await stat(path).catch(ignoreMissing)) ?? null;
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  return (await open(path, 'r').catch(ignoreMissing)) ?? null;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(ignoreMissing)) ?? [];
}
