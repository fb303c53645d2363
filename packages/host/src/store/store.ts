import { createHash } from 'node:crypto';
import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import type { Closable } from '../custodian.ts';
import { ServiceError } from '../service/service.ts';

/** What is to be kept, for whom, and how long. */
export interface StoreEntry {
  /** The servlet's name: the same on every replica. */
  servlet: string;
  bytes: Uint8Array;
  /** Under which it is kept, in the place of what was kept under it; absent: under a key that is made of its content. */
  name?: string;
  /**
   * Of what has a name: it is kept only in the place of what begins with one of these {@link ENTRY_TAG_BYTES} characters; `''`
   * stands for nothing. So of several who replace the same, none overwrites what it has not seen. Absent: whatever is there.
   */
  replaces?: readonly string[];
  /** ms since 1970. */
  expiresAt: number;
  /** What the servlet may have kept in all. At the quota, what was kept longest ago goes first. */
  quotaBytes: number;
}

/**
 * Keeps what is too long for a URL, under a key that is made of its content. What `put` has resolved for is there
 * after this process is killed; with what else it outlives, each store differs.
 */
export interface ContinuationStore extends Closable {
  /**
   * Keeps an entry; kept again, it lives longer and counts as new. Resolves when it can be told to a visitor.
   * @returns its {@link keyOf}, or its {@link keyOfName}
   * @throws StoreTooLargeError, StoreUnavailableError, StoreConflictError
   */
  put(entry: StoreEntry): Promise<string>;
  /** What was kept; null when it has expired, made room, or never was. @throws StoreUnavailableError */
  get(servlet: string, key: string): Promise<Uint8Array | null>;
  /** With which {@link ENTRY_TAG_BYTES} characters that begins; `''`: there is nothing. @throws StoreUnavailableError */
  tag(servlet: string, key: string): Promise<string>;
  /** Bytes that are kept for a servlet, with {@link ENTRY_COST_BYTES} for each. @throws StoreUnavailableError */
  usage(servlet: string): Promise<number>;
  /** Lets go of what has expired. @returns how many. @throws StoreUnavailableError */
  sweep(): Promise<number>;
  close(): Promise<void>;
}

/** What an entry counts for besides its bytes. */
export const ENTRY_COST_BYTES = 256;

const KEY = /^[\w-]{43}$/;
/** The last of 43 characters has four bits of the hash's 256, so that no hash ends in this. */
const NAME_MARK = '-';

/** An entry's key: SHA-256 of its bytes, base64url. */
export function keyOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}

/** The key of what is kept under a name. No content has such a key. */
export function keyOfName(name: string): string {
  return keyOf(Buffer.from(name)).slice(0, -1) + NAME_MARK;
}

/** Under which key an entry is kept. */
export function keyFor({ name, bytes }: StoreEntry): string {
  return name === undefined ? keyOf(bytes) : keyOfName(name);
}

/** Is it the key of what is kept under a name? */
export function isNamesKey(key: string): boolean {
  return key.endsWith(NAME_MARK);
}

/** Can it be the key of anything? */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** What an entry counts for. @throws StoreTooLargeError when the quota has no room for it at all */
export function costOf({ servlet, bytes, quotaBytes }: StoreEntry): number {
  const cost = bytes.length + ENTRY_COST_BYTES;
  if (cost > quotaBytes) throw new StoreTooLargeError(servlet, bytes.length, quotaBytes);
  return cost;
}

/** An entry alone is larger than the servlet's quota. */
export class StoreTooLargeError extends ServiceError {
  constructor(servlet: string, bytes: number, quotaBytes: number) {
    super('STORE_TOO_LARGE', `Cannot keep ${bytes} bytes for "${servlet}": its quota is ${quotaBytes}`);
  }
}

/** What is kept under the name is not what was to be replaced: somebody else has kept something there. */
export class StoreConflictError extends ServiceError {
  constructor(servlet: string) {
    super('STORE_CONFLICT', `Cannot keep an entry for "${servlet}": somebody else has replaced it meanwhile`);
  }
}

/** With what an entry begins; `''`: there is none. */
export function tagOf(bytes: Uint8Array | undefined | null): string {
  return bytes === undefined || bytes === null
    ? ''
    : Buffer.from(bytes.subarray(0, ENTRY_TAG_BYTES)).toString('latin1');
}

/** The store does not answer, or can't write. What it was asked for may be asked again. */
export class StoreUnavailableError extends ServiceError {
  constructor(action: string, cause: unknown) {
    super('STORE_UNAVAILABLE', `Cannot ${action}: the store of continuations is not available`, { cause });
  }
}

/** What a servlet may keep at once, and find: so many each, and so many bytes of what it keeps. */
export const UNDER_WAY_MAX_COUNT = 1024;
export const UNDER_WAY_MAX_BYTES: number = 64 << 20;

/** A servlet has more under way than it may: the store is slow, or stands still, or too much is asked of it. */
export function tooMuchUnderWay(action: string): StoreUnavailableError {
  return new StoreUnavailableError(action, new Error('the servlet has too much under way there'));
}

/** Runs an action of a store; whatever goes wrong in it is a {@link StoreUnavailableError}. */
export async function available<Result>(action: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw new StoreUnavailableError(action, error);
  }
}
