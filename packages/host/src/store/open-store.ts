import { join, resolve } from 'node:path';
import { ConfigError } from '../config-error.ts';
import { DirectoryStore } from './directory-store.ts';
import { MemoryStore } from './memory-store.ts';
import { PostgresStore } from './postgres-store.ts';
import { RedisStore } from './redis-store.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { ContinuationStore } from './store.ts';

const HAS_HOST = /^[a-z]+:\/\/./;

/**
 * The store that an option names: `memory`, `sqlite` or `sqlite:FILE`, `directory` or `directory:PATH`, `redis://…`,
 * `rediss://…`, `postgres://…` or `postgresql://…`. Without a path, it lies in the state directory. Nothing is opened
 * before it is used. @throws ConfigError
 */
export function openStore(name: string, stateDir: string): ContinuationStore {
  const [, kind = '', rest = ''] = /^([a-z]+):?(.*)$/s.exec(name) ?? [];
  switch (kind) {
    case 'memory':
      return new MemoryStore();
    case 'sqlite':
      return new SqliteStore(rest === '' ? join(stateDir, 'continuations.sqlite') : resolve(rest));
    case 'directory':
      return new DirectoryStore(rest === '' ? join(stateDir, 'continuations') : resolve(rest));
    case 'redis':
    case 'rediss':
      if (HAS_HOST.test(name) && URL.canParse(name)) return new RedisStore(name);
      break;
    case 'postgres':
    case 'postgresql':
      if (HAS_HOST.test(name) && URL.canParse(name)) return new PostgresStore(name);
      break;
  }
  // It may have a password in it.
  throw new ConfigError(
    `Cannot keep continuations in "${kind === '' ? name : kind}…": a store is memory, sqlite, directory, redis://… or postgres://…`,
  );
}
