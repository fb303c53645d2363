import type { BigIntStats } from 'node:fs';

/** Larger files are read piece by piece, and not kept. */
export const KEPT_FILE_MAX_BYTES: number = 64 * 1024;
/** A file that has just changed may change again without its times showing it. */
const IS_SETTLED_AFTER_MS = 2000;
/** What a file costs beside its bytes. */
const ENTRY_COST_BYTES = 512;

/** A small file as it was read. */
export interface KeptFile {
  content: Buffer;
  modifiedNs: bigint;
  version: string;
}

/** Small files that were asked for last. Each is looked at before it is used again, whether it is still the same. */
export class FileCache {
  readonly #maxBytes: number;
  readonly #files = new Map<string, KeptFile>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(path: string): KeptFile | undefined {
    const file = this.#files.get(path);
    if (file === undefined) return undefined;
    // The one that was used last stands last.
    this.#files.delete(path);
    this.#files.set(path, file);
    return file;
  }

  keep(path: string, content: Buffer, found: BigIntStats, nowMs: number): void {
    const cost = content.length + ENTRY_COST_BYTES;
    const changedMs = Number((found.mtimeNs > found.ctimeNs ? found.mtimeNs : found.ctimeNs) / 1_000_000n);
    if (cost > this.#maxBytes || nowMs - changedMs < IS_SETTLED_AFTER_MS) return;
    this.drop(path);
    this.#files.set(path, { content, modifiedNs: found.mtimeNs, version: versionOf(found) });
    this.#bytes += cost;
    for (const [oldest] of this.#files) {
      if (this.#bytes <= this.#maxBytes) break;
      this.drop(oldest);
    }
  }

  drop(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    this.#files.delete(path);
    this.#bytes -= file.content.length + ENTRY_COST_BYTES;
  }
}

/** The same file with the same content, as far as the system tells: its times cannot all be set back. */
export function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
