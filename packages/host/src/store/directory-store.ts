import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing, sweepPartials, writeDurably } from '../durable-file.ts';
import { FileLocks } from './file-locks.ts';
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
    this.#locks = new FileLocks(this.#partials);
    this.label = `directory store ${root}`;
  }

  put(entry: StoreEntry): Promise<string> {
    return available('keep a continuation', async () => {
      const cost = costOf(entry);
      const key = keyFor(entry);
      const name = directoryName(entry.servlet);
      const shelf = await this.#shelf(name);
      const knownUntil = entry.name === undefined ? (shelf.entries.get(key)?.expiresAt ?? 0) : 0;
      const expiresAt = Math.max(entry.expiresAt, knownUntil);
      const write = (): Promise<void> =>
        writeDurably(this.#path(name, key), entry.bytes, { partials: this.#partials, modifiedAt: expiresAt });
      const { replaces } = entry;
      if (replaces === undefined) await write();
      else
        await this.#locks.hold(`${name}-${key}`, async () => {
          if (!replaces.includes(await this.#tagAt(name, key))) throw new StoreConflictError(entry.servlet);
          await write();
        });
      shelf.set(key, { cost, expiresAt });
      await this.#makeRoom(name, shelf, entry.quotaBytes);
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

  usage(servlet: string): Promise<number> {
    return available('measure a store', async () => (await this.#shelf(directoryName(servlet))).bytes);
  }

  sweep(): Promise<number> {
    return available('sweep a store', async () => {
      let swept = 0;
      for (const name of await namesIn(this.#root)) {
        if (name === PARTIALS) continue;
        const shelf = await this.#scan(name);
        this.#shelves.set(name, shelf);
        for (const [key, { expiresAt }] of shelf.entries) {
          if (expiresAt > Date.now()) continue;
          shelf.delete(key);
          await this.#remove(name, key);
          swept++;
        }
      }
      await sweepPartials(this.#partials);
      return swept;
    });
  }

  close(): Promise<void> {
    this.#shelves.clear();
    return Promise.resolve();
  }

  async #makeRoom(name: string, shelf: Shelf, quotaBytes: number): Promise<void> {
    for (const key of shelf.entries.keys()) {
      if (shelf.bytes <= quotaBytes) return;
      shelf.delete(key);
      await this.#remove(name, key);
    }
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
    const found: [key: string, kept: Kept, keptAt: number][] = [];
    for (const part of await namesIn(join(this.#root, name))) {
      for (const key of await namesIn(join(this.#root, name, part))) {
        const file = await stat(join(this.#root, name, part, key)).catch(ignoreMissing);
        if (file !== undefined)
          found.push([key, { cost: file.size + ENTRY_COST_BYTES, expiresAt: file.mtimeMs }, file.ctimeMs]);
      }
    }
    found.sort(([, , left], [, , right]) => left - right);
    const shelf = new Shelf();
    for (const [key, kept] of found) shelf.set(key, kept);
    return shelf;
  }

  /** With what that begins which is there. */
  async #tagAt(name: string, key: string): Promise<string> {
    await using file = await openOrNull(this.#path(name, key));
    if (file === null || (await file.stat()).mtimeMs <= Date.now()) return '';
    const { buffer, bytesRead } = await file.read(Buffer.alloc(ENTRY_TAG_BYTES), 0, ENTRY_TAG_BYTES, 0);
    return tagOf(buffer.subarray(0, bytesRead));
  }

  #path(name: string, key: string): string {
    return join(this.#root, name, key.slice(0, 2), key);
  }

  async #remove(name: string, key: string): Promise<void> {
    await unlink(this.#path(name, key)).catch(ignoreMissing);
  }
}

const PARTIALS = 'partial';

/** Any name of a servlet, as a directory's. */
function directoryName(servlet: string): string {
  return createHash('sha256').update(servlet).digest('hex').slice(0, 32);
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  return (await open(path, 'r').catch(ignoreMissing)) ?? null;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(ignoreMissing)) ?? [];
}
