/** A thread that has an SQLite database open, and commits what it is sent together in one transaction. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { ENTRY_TAG_BYTES } from '@custodian/protocol';
import { tagOf } from './store.ts';

export type SqliteQuestion =
  | {
      type: 'put';
      servlet: string;
      key: string;
      bytes: Uint8Array;
      cost: number;
      expiresAt: number;
      quotaBytes: number;
      /** What is there under the key is something else. */
      isReplaced: boolean;
      /** Absent: whatever is there. */
      replaces: readonly string[] | undefined;
    }
  | { type: 'get' | 'tag'; servlet: string; key: string }
  | { type: 'usage'; servlet: string }
  | { type: 'sweep' };

export type SqliteAnswer = { type: 'value'; value: unknown } | { type: 'error'; message: string };

const SCHEMA = `
  PRAGMA busy_timeout = 5000;
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY,
    servlet TEXT NOT NULL,
    key TEXT NOT NULL,
    cost INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (servlet, key)
  );
  CREATE INDEX IF NOT EXISTS kept_order ON kept (servlet, number, cost);
  CREATE INDEX IF NOT EXISTS kept_expiry ON kept (expires);
  CREATE TABLE IF NOT EXISTS used (servlet TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
  CREATE TRIGGER IF NOT EXISTS kept_in AFTER INSERT ON kept BEGIN
    INSERT INTO used VALUES (new.servlet, new.cost) ON CONFLICT DO UPDATE SET bytes = bytes + new.cost;
  END;
  CREATE TRIGGER IF NOT EXISTS kept_out AFTER DELETE ON kept BEGIN
    UPDATE used SET bytes = bytes - old.cost WHERE servlet = old.servlet;
  END;
  CREATE TRIGGER IF NOT EXISTS kept_change AFTER UPDATE OF cost ON kept BEGIN
    UPDATE used SET bytes = bytes + new.cost - old.cost WHERE servlet = new.servlet;
  END;
`;
/** Pages of expired entries that are given back to the disk at a sweep. */
const FREED_PAGES = 1000;

const file = workerData as string;
// SQLite gives its other files the rights of this one.
closeSync(openSync(file, 'a', 0o600));
const database = new DatabaseSync(file);
database.exec(SCHEMA);
// Kept again, an entry moves to the end of the order: its number is the largest.
const insert = database.prepare(`
  INSERT INTO kept (servlet, key, cost, expires, bytes) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (servlet, key) DO UPDATE
    SET number = (SELECT max(number) + 1 FROM kept), expires = max(expires, excluded.expires)`);
const replace = database.prepare(`
  INSERT INTO kept (servlet, key, cost, expires, bytes) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (servlet, key) DO UPDATE
    SET number = (SELECT max(number) + 1 FROM kept), expires = excluded.expires, cost = excluded.cost, bytes = excluded.bytes`);
const used = database.prepare('SELECT bytes FROM used WHERE servlet = ?');
const oldest = database.prepare('SELECT number, cost FROM kept WHERE servlet = ? ORDER BY number LIMIT 100');
const remove = database.prepare('DELETE FROM kept WHERE number = ?');
const find = database.prepare('SELECT bytes FROM kept WHERE servlet = ? AND key = ? AND expires > ?');
const findTag = database.prepare(
  `SELECT substr(bytes, 1, ${ENTRY_TAG_BYTES}) AS tag FROM kept WHERE servlet = ? AND key = ? AND expires > ?`,
);
const expire = database.prepare('DELETE FROM kept WHERE expires <= ?');

function usedBytes(servlet: string): number {
  return (used.get(servlet)?.['bytes'] as number | undefined) ?? 0;
}

function answer(question: SqliteQuestion): unknown {
  switch (question.type) {
    case 'put': {
      const { servlet, key, cost, expiresAt, bytes, quotaBytes, isReplaced, replaces } = question;
      if (replaces !== undefined && !replaces.includes(foundTag(servlet, key))) return 'conflict';
      (isReplaced ? replace : insert).run(servlet, key, cost, Math.ceil(expiresAt), bytes);
      makeRoom(servlet, quotaBytes);
      return null;
    }
    case 'get':
      return (find.get(question.servlet, question.key, Date.now())?.['bytes'] as Uint8Array | undefined) ?? null;
    case 'tag':
      return foundTag(question.servlet, question.key);
    case 'usage':
      return usedBytes(question.servlet);
    case 'sweep':
      return Number(expire.run(Date.now()).changes);
  }
}

function foundTag(servlet: string, key: string): string {
  return tagOf(findTag.get(servlet, key, Date.now())?.['tag'] as Uint8Array | undefined);
}

function makeRoom(servlet: string, quotaBytes: number): void {
  let excess = usedBytes(servlet) - quotaBytes;
  while (excess > 0) {
    for (const { number, cost } of oldest.all(servlet) as { number: number; cost: number }[]) {
      remove.run(number);
      excess -= cost;
      if (excess <= 0) return;
    }
  }
}

/** All of them in one transaction: one wait for the disk. */
function answerAll(questions: readonly SqliteQuestion[]): SqliteAnswer[] {
  try {
    if (questions.every(({ type }) => type !== 'put' && type !== 'sweep'))
      return questions.map((question) => ({ type: 'value', value: answer(question) }));
    database.exec('BEGIN IMMEDIATE');
    const answers = questions.map((question): SqliteAnswer => ({ type: 'value', value: answer(question) }));
    database.exec('COMMIT');
    if (questions.some(({ type }) => type === 'sweep')) database.exec(`PRAGMA incremental_vacuum(${FREED_PAGES})`);
    return answers;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    // Of what was to be done together, nothing is.
    return questions.map(() => ({ type: 'error', message: (error as Error).message }));
  }
}

function memoryOf(given: SqliteAnswer): ArrayBuffer[] {
  return given.type === 'value' && given.value instanceof Uint8Array ? [given.value.buffer as ArrayBuffer] : [];
}

parentPort?.on('message', (questions: SqliteQuestion[] | 'close') => {
  if (questions !== 'close') {
    const answers = answerAll(questions);
    // Entries are MBs: the acceptor gets them without a copy.
    parentPort?.postMessage(answers, answers.flatMap(memoryOf));
    return;
  }
  database.close();
  parentPort?.close();
});
