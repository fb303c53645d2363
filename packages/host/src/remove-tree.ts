import { chmod, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Codes of what a servlet can put in the way of whoever removes its files. */
const IN_THE_WAY = new Set(['ENAMETOOLONG', 'EACCES', 'EPERM', 'ENOTEMPTY']);

/** Removes a directory with all that is in it: also when it is deeper than a path can be long, or may not be read as it is. */
export async function removeTree(root: string): Promise<void> {
  try {
    await rm(root, { recursive: true, force: true });
  } catch (error) {
    if (!IN_THE_WAY.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await flatten(root);
    await rm(root, { recursive: true, force: true });
  }
}

/** Moves every directory below up to the root, where its path is short, and opens it to its owner. */
async function flatten(root: string): Promise<void> {
  const prefix = `flat-${process.pid}-${Date.now()}-`;
  let count = 0;
  await chmod(root, 0o700);
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const found = join(directory, entry.name);
      const short = join(root, `${prefix}${count++}`);
      await chmod(found, 0o700);
      await rename(found, short);
      directories.push(short);
    }
  }
}
