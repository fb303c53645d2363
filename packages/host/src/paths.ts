import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from './config-error.ts';

/** The path of what an option names by its path or `file:` URL. */
export function pathOf(path: string | URL): string {
  return path instanceof URL || path.startsWith('file:') ? fileURLToPath(path) : resolve(path);
}

/** @throws ConfigError when it is no directory */
export function directoryOf(root: string | URL): string {
  const path = pathOf(root);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new ConfigError(`Cannot serve files from "${path}": it is not a directory`);
  return path;
}
