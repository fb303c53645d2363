import { createHash, webcrypto } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtocolError } from '@custodian/protocol';
import type { Closable } from '../custodian.ts';
import { ignoreMissing, writeDurably } from '../durable-file.ts';
import { FileLocks, LockBusyError, LockHeldError } from '../file-locks.ts';
import { type Answer, type Ask, type Service, ServiceError } from '../service/service.ts';
import { bodyOf, Shares } from '../service/shares.ts';
import { TurnsOfEach } from '../service/turns.ts';

const MB = 1 << 20;
/** One value is held here whole, on its way. */
const VALUE_MAX_BYTES = MB;
const NAME_MAX_CHARS = 255;
/** What a box counts for besides its bytes. */
const BOX_COST_BYTES = 1024;
/** What a servlet may have under way here: its threads need not await what they set. */
const SETS_MAX_COUNT = 1024;
const SETS_MAX_BYTES = 32 * MB;
/** So many of its boxes are read at once: nobody has counted their bytes before they are here. */
const GETS_MAX_COUNT = 4;

/**
 * Keeps the file boxes of servlets, each servlet's apart. `{ get: name }` is answered with `{ version }` and the value's
 * bytes, or `{ version: null }`. `{ set: name, if: version }` with the bytes as a body replaces what has that version
 * (null: nothing; absent: whatever there is), whole and synced, and is answered with the new `{ version }`.
 */
export class FileBoxService implements Service, Closable {
  readonly name = 'file-box';
  readonly label = 'file boxes';
  readonly #root: string;
  /** A servlet's boxes are changed one after another: two hosts may have the same state directory. */
  readonly #locks: FileLocks;
  readonly #usage = new Map<string, Usage>();
  /** From when one begins to when it is safe, or given up. */
  readonly #sets: Shares;
  readonly #gets = new TurnsOfEach(GETS_MAX_COUNT);

  /** @param root made when a box is set first, for its owner only */
  constructor(root: string, { setsMaxCount = SETS_MAX_COUNT }: { setsMaxCount?: number } = {}) {
    this.#root = root;
    this.#sets = new Shares(setsMaxCount, SETS_MAX_BYTES);
    this.#locks = new FileLocks(join(root, 'locks'));
  }

  answer(ask: Ask): Promise<Answer> {
    const { get, set, if: version } = ask.json();
    if (isName(get)) return this.#get(ask, get);
    if (isName(set) && (version === undefined || version === null || typeof version === 'string'))
      return this.#set(ask, set, version);
    throw new ProtocolError('Cannot read an ask for a file box: it is neither get nor set');
  }

  async #get(ask: Ask, name: string): Promise<Answer> {
    return this.#gets.with(
      ask.servlet.name,
      async () => {
        const bytes = await available('read', () => readOrNull(this.#path(ask, name)));
        return bytes === null
          ? { head: { version: null } }
          : { head: { version: await versionOf(bytes) }, body: bytes };
      },
      ask.signal,
    );
  }

  async #set(ask: Ask, name: string, expected: string | null | undefined): Promise<Answer> {
    return this.#sets.with(ask.servlet.name, tooMuch, async (share) => {
      const bytes = await bodyOf(ask, share, { maxBytes: VALUE_MAX_BYTES, tooLarge, tooMuch });
      const set = (): Promise<Answer> => this.#replace(ask, name, bytes, expected);
      return await available('set', () => this.#locks.hold(fileName(ask.servlet.name), set, ask.signal));
    });
  }

  /** While nobody else changes a box of the servlet. */
  async #replace(ask: Ask, name: string, bytes: Uint8Array, expected: string | null | undefined): Promise<Answer> {
    const directory = this.#directory(ask);
    const path = this.#path(ask, name);
    const before = await readOrNull(path);
    if (expected !== undefined && expected !== (before === null ? null : await versionOf(before)))
      throw new ServiceError('FILE_BOX_CONFLICT', 'Cannot set a file box: another value was set meanwhile');
    const cost = bytes.length + BOX_COST_BYTES - (before === null ? 0 : before.length + BOX_COST_BYTES);
    const usage = (await this.#usageOf(directory)) + cost;
    if (cost > 0 && usage > ask.servlet.limits.fileBoxMb * MB)
      throw new ServiceError('LIMIT_FILE_BOX', 'Cannot set a file box: the servlet’s boxes take too much together');
    await writeDurably(path, bytes, { partials: join(this.#root, 'partial') });
    this.#usage.set(directory, { bytes: usage, changedAt: await changedAt(directory) });
    return { head: { version: await versionOf(bytes) } };
  }

  /** Of all boxes of a servlet. Counted again when another process has put one there since. */
  async #usageOf(directory: string): Promise<number> {
    const known = this.#usage.get(directory);
    return known !== undefined && known.changedAt === (await changedAt(directory)) ? known.bytes : countIn(directory);
  }

  #directory({ servlet }: Ask): string {
    return join(this.#root, fileName(servlet.name));
  }

  #path(ask: Ask, name: string): string {
    return join(this.#directory(ask), fileName(name));
  }

  /** When what is being set is. */
  close(): Promise<void> {
    return this.#locks.close();
  }
}

function tooLarge(): ServiceError {
  const message = `Cannot set a file box: the value takes more than ${VALUE_MAX_BYTES} bytes`;
  return new ServiceError('FILE_BOX_TOO_LARGE', message);
}

function tooMuch(): ServiceError {
  return new ServiceError('FILE_BOX_BUSY', 'Cannot set a file box: the servlet sets too much at once');
}

interface Usage {
  bytes: number;
  /** Of their directory: each box that is set changes it. */
  changedAt: bigint | null;
}

/** Whatever goes wrong on the disk has a code; what it is, the operator's log tells. */
async function available<Result>(action: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if (error instanceof LockBusyError) throw tooMuch();
    const reason =
      error instanceof LockHeldError
        ? 'somebody else holds it and does not give it back'
        : 'the disk of the host does not let it';
    throw new ServiceError('FILE_BOX_UNAVAILABLE', `Cannot ${action} a file box: ${reason}`, { cause: error });
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= NAME_MAX_CHARS;
}

/** Any name as a file's: for who looks at the directory, as much of it as is harmless, and its hash. */
function fileName(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${name.replaceAll(/[^\w-]/g, '_').slice(0, 40)}.${hash}`;
}

/** Made beside this thread: a value of a megabyte takes milliseconds, and a servlet may ask for many. */
async function versionOf(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('base64url');
}

async function readOrNull(path: string): Promise<Buffer | null> {
  return (await readFile(path).catch(ignoreMissing)) ?? null;
}

async function changedAt(directory: string): Promise<bigint | null> {
  return (await stat(directory, { bigint: true }).catch(ignoreMissing))?.mtimeNs ?? null;
}

async function countIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of (await readdir(directory).catch(ignoreMissing)) ?? [])
    bytes += (await stat(join(directory, name))).size + BOX_COST_BYTES;
  return bytes;
}
