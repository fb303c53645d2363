import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { DirectoryStore } from '../../../packages/host/src/store/directory-store.ts';
import { MemoryStore } from '../../../packages/host/src/store/memory-store.ts';
import { openStore } from '../../../packages/host/src/store/open-store.ts';
import { SqliteStore } from '../../../packages/host/src/store/sqlite-store.ts';
import { type ContinuationStore, keyOf } from '../../../packages/host/src/store/store.ts';
import { storeCases } from './store-cases.ts';

const root = mkdtempSync(join(tmpdir(), 'custodian-stores-'));
afterAll(() => rmSync(root, { recursive: true }));

storeCases('MemoryStore', () => new MemoryStore(), { keepsOverClose: false });
storeCases('DirectoryStore', () => new DirectoryStore(join(root, 'a', 'directory')), { keepsOverClose: true });
storeCases('SqliteStore', () => new SqliteStore(join(root, 'kept.sqlite')), { keepsOverClose: true });

const ENTRY = { servlet: 's', bytes: Buffer.from('b'), expiresAt: Date.now() + 1e6, quotaBytes: 1e6 };

describe('DirectoryStore', () => {
  test('leaves no half-written file where entries are, and its files to their owner', async () => {
    const path = join(root, 'private');
    const store = new DirectoryStore(path);
    await store.put(ENTRY);
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    expect(files.map(({ name }) => name).toSorted()).toEqual([
      expect.stringMatching(/^\d+\.lock$/),
      keyOf(ENTRY.bytes),
    ]);
    for (const { parentPath, name } of files) expect(statSync(join(parentPath, name)).mode & 0o777).toBe(0o600);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    writeFileSync(join(path, 'partial', 'torn'), 'x');
    expect(await store.sweep()).toBe(0);
    expect(readdirSync(join(path, 'partial'))).toEqual(['torn']);
  });

  test('a sweep that began before does not take what is kept anew meanwhile', async () => {
    const path = join(root, 'renewed');
    await using one = closing(new DirectoryStore(path));
    await using two = closing(new DirectoryStore(path));
    const entries = Array.from({ length: 60 }, (_, number) => ({ ...ENTRY, bytes: Buffer.from(`entry ${number}`) }));
    await Promise.all(entries.map((entry) => one.store.put({ ...entry, expiresAt: Date.now() - 1 })));
    const sweeping = one.store.sweep();
    const keys = await Promise.all(entries.map((entry) => two.store.put(entry)));
    await sweeping;
    for (const key of keys) expect(await two.store.get(ENTRY.servlet, key)).not.toBeNull();
  });

  test('what another process has kept again is not the oldest any more, and does not live for less when it is kept here', async () => {
    const path = join(root, 'shared');
    await using one = closing(new DirectoryStore(path));
    await using two = closing(new DirectoryStore(path));
    const put = (store: ContinuationStore, text: string, expiresAt = ENTRY.expiresAt): Promise<string> =>
      store.put({ ...ENTRY, bytes: Buffer.from(text), expiresAt, quotaBytes: 3 * 257 });
    const [a, b] = [await put(one.store, 'a'), await put(one.store, 'b')];
    const c = await put(two.store, 'c', Date.now() + 1e7);
    expect(await put(one.store, 'c', Date.now() + 1)).toBe(c);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await one.store.get(ENTRY.servlet, c)).not.toBeNull();
    await put(two.store, 'a');
    await put(one.store, 'd');
    expect(await one.store.get(ENTRY.servlet, a)).not.toBeNull();
    expect(await one.store.get(ENTRY.servlet, b)).toBeNull();
  });
});

describe('SqliteStore', () => {
  test('makes its files for their owner', async () => {
    const file = join(root, 'private.sqlite');
    await using _closing = closing(new SqliteStore(file));
    await _closing.store.put(ENTRY);
    for (const ending of ['', '-wal', '-shm']) expect(statSync(file + ending).mode & 0o077).toBe(0);
  });

  test('a file that is no database is a store that is not available, until it is one', async () => {
    const file = join(root, 'broken.sqlite');
    writeFileSync(file, 'this is text, and more of it than a header has bytes'.repeat(10));
    await using _closing = closing(new SqliteStore(file));
    const { store } = _closing;
    await expect(store.put(ENTRY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    rmSync(file);
    expect(await store.put(ENTRY)).toHaveLength(43);
  });
});

describe('openStore()', () => {
  test.each([
    ['memory', 'memory store'],
    ['sqlite', `SQLite store ${join(root, 'continuations.sqlite')}`],
    ['sqlite:/var/lib/x.sqlite', 'SQLite store /var/lib/x.sqlite'],
    ['directory', `directory store ${join(root, 'continuations')}`],
    ['directory:/var/lib/x', 'directory store /var/lib/x'],
    ['redis://user:secret@cache:6380/2', 'Redis store cache:6380'],
    ['rediss://cache', 'Redis store cache'],
    ['postgres://user:secret@db/shop', 'PostgreSQL store db/shop'],
    ['postgresql://db/shop', 'PostgreSQL store db/shop'],
  ])('%s is a %s', async (name, label) => {
    const store = openStore(name, root);
    expect(store.label).toBe(label);
    await store.close();
  });

  test.each(['', 'mysql://user:secret@db', 'Redis', 'redis:', '/var/lib/x'])(
    '%j is none, and is not told on',
    (name) => {
      expect(() => openStore(name, root)).toThrow(/^(?!.*secret).*a store is memory, sqlite/);
    },
  );
});

function closing(store: ContinuationStore): AsyncDisposable & { store: ContinuationStore } {
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

test('DirectoryStore that may not write is not available', async () => {
  const path = mkdtempSync(join(root, 'readonly-'));
  chmodSync(path, 0o500);
  const file = join(path, 'file');
  // For root nothing is forbidden: what lies in the way of a directory is in everybody's.
  if (process.getuid?.() === 0) {
    chmodSync(path, 0o700);
    writeFileSync(file, '');
  }
  const store = new DirectoryStore(file);
  await expect(store.put(ENTRY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  chmodSync(path, 0o700);
});
