import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Directories that are known to be there, and to outlast a crash. */
const made = new Set<string>();

/**
 * Puts bytes into a file for its owner, in place of what it held: written beside it, synced, renamed, and its directory
 * synced. So it is there whole, or as it was, when the machine fails too.
 * @param partials a directory of the same file system, for what is not whole yet
 * @param modifiedAt ms since 1970; default: now
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  { partials, modifiedAt = Date.now() }: { partials: string; modifiedAt?: number },
): Promise<void> {
  const partial = join(partials, randomUUID());
  await makeDurably(partials);
  await makeDurably(dirname(path));
  try {
    {
      await using file = await open(partial, 'wx', 0o600);
      await file.writeFile(bytes);
      await file.utimes(Date.now() / 1000, modifiedAt / 1000);
      await file.sync();
    }
    await rename(partial, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    made.clear();
    await rm(partial, { force: true });
    throw error;
  }
}

/** Makes a directory for its owner, and all above it that are missing. */
async function makeDurably(directory: string): Promise<void> {
  if (made.has(directory)) return;
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first !== undefined) {
    // Each that is new stands in one above it.
    for (let each = directory; each.length >= first.length; each = dirname(each)) await syncDirectory(dirname(each));
  }
  made.add(directory);
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows has no such thing, and needs none.
  if (process.platform === 'win32') return;
  await using handle = await open(directory, 'r');
  await handle.sync();
}

/** Left behind by a process that died while it wrote. */
const PARTIAL_MAX_AGE_MS = 60_000;

/** Removes what {@link writeDurably} was at when its process died. */
export async function sweepPartials(partials: string): Promise<void> {
  for (const name of (await readdir(partials).catch(ignoreMissing)) ?? []) {
    const file = await stat(join(partials, name)).catch(ignoreMissing);
    if (file !== undefined && Date.now() - file.ctimeMs > PARTIAL_MAX_AGE_MS)
      await rm(join(partials, name), { force: true });
  }
}

/** For what may not be there: nothing, instead of an error. */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
