import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Closable } from '../custodian.ts';
import { type FileCache, KEPT_FILE_MAX_BYTES, versionOf } from './file-cache.ts';

/** A pipe that nobody writes to must not hold the open() up. Windows has no such flag. */
const READ_ONLY: number = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0);
/** What says that there is no such file, for whatever reason; everything else is the host's trouble. */
const ABSENT = new Set([
  'ENOENT',
  'ENOTDIR',
  'EACCES',
  'EPERM',
  'ELOOP',
  'ENAMETOOLONG',
  'ENXIO',
  'ENODEV',
  'EINVAL',
  'UNKNOWN',
]);

/** A file under a root that may be sent: open, or known from before. Its size and age are as of that moment. */
export class OpenFile implements Closable {
  readonly label: string;
  readonly path: string;
  readonly size: number;
  /** ns since 1970. */
  readonly modifiedNs: bigint;
  readonly #handle: FileHandle | null;
  readonly #keep: ((content: Buffer) => void) | null;
  #content: Buffer | null;

  constructor(
    path: string,
    size: number,
    modifiedNs: bigint,
    source: { content: Buffer } | { handle: FileHandle; keep: (content: Buffer) => void },
  ) {
    this.label = `file ${path}`;
    this.path = path;
    this.size = size;
    this.modifiedNs = modifiedNs;
    this.#content = 'content' in source ? source.content : null;
    this.#handle = 'handle' in source ? source.handle : null;
    this.#keep = 'keep' in source ? source.keep : null;
  }

  /** Can {@link whole} be asked for? */
  get isSmall(): boolean {
    return this.size <= KEPT_FILE_MAX_BYTES;
  }

  /** All of it. Nobody may write to it. Null when it has become shorter than `size`. */
  async whole(): Promise<Buffer | null> {
    if (this.#content !== null) return this.#content;
    const content = Buffer.allocUnsafeSlow(this.size);
    if ((await this.read(content, 0)) < this.size) return null;
    this.#content = content;
    this.#keep?.(content);
    return content;
  }

  /** Fills `buffer` from `position` on. Returns how many bytes there were: fewer only at the file's end. */
  async read(buffer: Buffer, position: number): Promise<number> {
    if (this.#handle === null) return this.#content?.copy(buffer, 0, position) ?? 0;
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  /** Waits for a read that is under way. */
  close(): void | Promise<void> {
    return this.#handle?.close();
  }
}

/** A directory that files are taken from, and nothing outside of it, by whatever path or link. */
export class FileRoot {
  readonly path: string;
  readonly #hasDotFiles: (name: string) => boolean;
  readonly #cache: FileCache | null;
  #realPath: string | null = null;

  /** `hasDotFiles`: may a file or directory of this name, which begins with a dot, be seen? */
  constructor(path: string, hasDotFiles: (name: string) => boolean, cache: FileCache | null) {
    this.path = path;
    this.#hasDotFiles = hasDotFiles;
    this.#cache = cache;
  }

  /**
   * Opens what stands at a path of checked elements.
   * @returns `'directory'`; null when there is nothing that may be seen
   * @throws an error of the system's, such as EMFILE
   */
  async open(elements: readonly string[]): Promise<OpenFile | 'directory' | null> {
    if (!this.#isVisible(elements)) return null;
    const path = [this.path, ...elements].join(sep);
    const known = await this.#known(path);
    if (known !== null) return known;
    let handle: FileHandle;
    try {
      handle = await open(path, READ_ONLY);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Only Windows does not open directories.
      if (code === 'EISDIR') return (await this.#holds(path, null)) ? 'directory' : null;
      if (ABSENT.has(code ?? '')) return null;
      throw error;
    }
    let file: OpenFile | null = null;
    try {
      const found = await handle.stat({ bigint: true });
      const isKnown = found.isFile() || found.isDirectory();
      if (!isKnown || !(await this.#holds(path, handle))) return null;
      if (found.isDirectory()) return 'directory';
      file = new OpenFile(path, Number(found.size), found.mtimeNs, { handle, keep: this.#keeper(path, found) });
      return file;
    } finally {
      if (file === null) await handle.close();
    }
  }

  /** It was inside the root when it was read, and is the same file still, wherever the path leads now. */
  async #known(path: string): Promise<OpenFile | null> {
    const kept = this.#cache?.get(path);
    if (kept === undefined) return null;
    const found = await stat(path, { bigint: true }).catch(() => null);
    if (found !== null && versionOf(found) === kept.version)
      return new OpenFile(path, kept.content.length, kept.modifiedNs, { content: kept.content });
    this.#cache?.drop(path);
    return null;
  }

  #keeper(path: string, found: BigIntStats): (content: Buffer) => void {
    return (content) => this.#cache?.keep(path, content, found, Date.now());
  }

  #isVisible(elements: readonly string[]): boolean {
    return elements.every((element) => !element.startsWith('.') || this.#hasDotFiles(element));
  }

  /** Is what was opened inside the root? Asked of what is open, as a path may lead elsewhere a moment later. */
  async #holds(path: string, handle: FileHandle | null): Promise<boolean> {
    const real = await realPathOf(path, handle);
    if (real === null) return false;
    this.#realPath ??= await realpath(this.path);
    if (this.#isInside(real)) return true;
    // The root itself may be a link that leads to another directory since.
    this.#realPath = await realpath(this.path);
    return this.#isInside(real);
  }

  #isInside(real: string): boolean {
    const root = this.#realPath as string;
    if (real === root) return true;
    const prefix = root.endsWith(sep) ? root : root + sep;
    return real.startsWith(prefix) && this.#isVisible(real.slice(prefix.length).split(sep));
  }
}

async function realPathOf(path: string, handle: FileHandle | null): Promise<string | null> {
  if (handle !== null && process.platform === 'linux') {
    try {
      return await readlink(`/proc/self/fd/${handle.fd}`);
    } catch {
      // Without /proc it is asked as elsewhere.
    }
  }
  try {
    const real = await realpath(path);
    if (handle === null) return real;
    const [found, opened] = await Promise.all([stat(real, { bigint: true }), handle.stat({ bigint: true })]);
    return found.ino === opened.ino && found.dev === opened.dev ? real : null;
  } catch {
    return null;
  }
}
