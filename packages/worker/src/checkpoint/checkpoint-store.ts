import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import { ask, AskError } from '../asks.ts';
import { crypto } from '../node-crypto.ts';

/** A little more than a sealed instance can be. */
const READ_MAX_BYTES = 6 << 20;

/** An instance as it is kept: what it is known by among its versions, and its sealed bytes. */
export interface Kept {
  tag: string;
  sealed: Uint8Array;
}

/** A tag that no version had before. */
export function createTag(): string {
  return crypto()
    .randomBytes((ENTRY_TAG_BYTES * 3) / 4)
    .toString('base64url');
}

/**
 * Keeps it under the instance's name, in the place of one of those versions; `''` stands for none. Resolves when it is
 * safe. Without bytes it says that the instance is over.
 * @throws AskError `STORE_CONFLICT` when something else is there
 */
export async function putCheckpoint(
  home: string,
  { tag, sealed }: Kept,
  { lifetimeMs, replaces }: { lifetimeMs: number; replaces: readonly string[] },
): Promise<void> {
  await ask('checkpoint', { save: home, lifetimeMs, replaces }, { body: Buffer.concat([Buffer.from(tag), sealed]) });
}

/** What is kept of an instance that is this thread's already; null: nothing. */
export function readCheckpoint(home: string): Promise<Kept | null> {
  return find({ read: home });
}

/** The tag of what is kept of an instance that is this thread's already; `''`: nothing is. */
export async function lookForCheckpoint(home: string): Promise<string> {
  const { tag } = (await ask('checkpoint', { look: home })).json() as { tag: string };
  return tag;
}

/**
 * What was kept of the instance that the running request's URL leads to, which is this thread's from now on; null: nothing.
 * @throws AskError `CHECKPOINT_LOST` when its thread has died before anything was kept
 */
export function takeCheckpoint(): Promise<Kept | null> {
  return find({ revive: true });
}

/** It is not this thread's after all. */
export async function releaseCheckpoint(home: string): Promise<void> {
  await ask('checkpoint', { release: home });
}

async function find(head: unknown): Promise<Kept | null> {
  try {
    const bytes = await (await ask('checkpoint', head)).bytes(READ_MAX_BYTES);
    const tag = Buffer.from(bytes.subarray(0, ENTRY_TAG_BYTES)).toString('latin1');
    return { tag, sealed: bytes.subarray(ENTRY_TAG_BYTES) };
  } catch (error) {
    if (error instanceof AskError && error.code === 'CHECKPOINT_MISSING') return null;
    throw error;
  }
}
