import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';

/** Where a host keeps what outlives a cell, unless it is told another place. */
export function defaultStateDir(): string {
  return join(tmpdir(), `.custodian-${userInfo().uid}`);
}

/**
 * Makes a directory that nobody else may write to, or finds it so: what lies there is run.
 * @throws ConfigError
 */
export function ownDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  const isOwn = process.platform === 'win32' || (stat.uid === userInfo().uid && (stat.mode & 0o022) === 0);
  if (!stat.isDirectory() || !isOwn) {
    throw new ConfigError(`Cannot keep state in "${path}": others may write there; name another with "stateDir"`);
  }
}
