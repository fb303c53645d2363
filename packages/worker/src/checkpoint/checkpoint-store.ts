import { ask, AskError } from '../asks.ts';

/** A little more than a sealed instance can be. */
const READ_MAX_BYTES = 6 << 20;

/** Keeps it under the instance's name, in the place of what was kept. Resolves when it is safe. */
export async function putCheckpoint(home: string, lifetimeMs: number, bytes: Uint8Array): Promise<void> {
  await ask('checkpoint', { save: home, lifetimeMs }, { body: bytes });
}

export async function removeCheckpoint(home: string): Promise<void> {
  await ask('checkpoint', { forget: home });
}

/** What was kept of an instance that is this thread's already; null: nothing. */
export function readCheckpoint(home: string): Promise<Uint8Array | null> {
  return find({ read: home });
}

/**
 * What was kept of the instance that the running request's URL leads to, which is this thread's from now on; null: nothing.
 * @throws AskError `CHECKPOINT_LOST` when its thread has died before anything was kept
 */
export function takeCheckpoint(): Promise<Uint8Array | null> {
  return find({ revive: true });
}

/** It is not this thread's after all. */
export async function releaseCheckpoint(home: string): Promise<void> {
  await ask('checkpoint', { release: home });
}

async function find(head: unknown): Promise<Uint8Array | null> {
  try {
    return await (await ask('checkpoint', head)).bytes(READ_MAX_BYTES);
  } catch (error) {
    if (error instanceof AskError && error.code === 'CHECKPOINT_MISSING') return null;
    throw error;
  }
}
