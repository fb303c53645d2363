import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  available,
  type ContinuationStore,
  costOf,
  isKey,
  keyFor,
  StoreConflictError,
  type StoreEntry,
} from './store.ts';
import type { SqliteAnswer, SqliteQuestion } from './sqlite-thread.ts';

// `.ts` in a checkout, `.js` in a package: as this file is.
const THREAD = new URL(`sqlite-thread${extname(import.meta.url)}`, import.meta.url);

interface Waiting {
  question: SqliteQuestion;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * Keeps entries in one SQLite file: the embedded default. The database is in a thread of its own, since a commit waits
 * for the disk and the acceptor must not; whatever is asked while it commits goes into its next transaction together.
 */
export class SqliteStore implements ContinuationStore {
  readonly label: string;
  readonly #file: string;
  #thread: Worker | null = null;
  #asked: Waiting[] = [];
  #underWay: Waiting[] = [];
  #isClosed = false;

  /** @param file made when something is asked first, for its owner only */
  constructor(file: string) {
    this.#file = file;
    this.label = `SQLite store ${file}`;
  }

  put(entry: StoreEntry): Promise<string> {
    return available('keep a continuation', async () => {
      const { servlet, bytes, replaces, expiresAt, quotaBytes } = entry;
      const cost = costOf(entry);
      const key = keyFor(entry);
      const isReplaced = entry.name !== undefined;
      const question = { type: 'put', servlet, key, bytes, cost, expiresAt, quotaBytes, isReplaced, replaces } as const;
      if ((await this.#ask(question)) === 'conflict') throw new StoreConflictError(servlet);
      return key;
    });
  }

  get(servlet: string, key: string): Promise<Uint8Array | null> {
    if (!isKey(key)) return Promise.resolve(null);
    return available('find a continuation', async () => {
      return (await this.#ask({ type: 'get', servlet, key })) as Uint8Array | null;
    });
  }

  tag(servlet: string, key: string): Promise<string> {
    return available('find a continuation', async () => (await this.#ask({ type: 'tag', servlet, key })) as string);
  }

  usage(servlet: string): Promise<number> {
    return available('measure a store', async () => (await this.#ask({ type: 'usage', servlet })) as number);
  }

  sweep(): Promise<number> {
    return available('sweep a store', async () => (await this.#ask({ type: 'sweep' })) as number);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const thread = this.#thread;
    this.#fail(thread, new Error('it is closed'));
    if (thread === null) return;
    const gone = once(thread, 'exit');
    thread.postMessage('close');
    await gone;
  }

  #ask(question: SqliteQuestion): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error('it is closed'));
    return new Promise((resolve, reject) => {
      this.#asked.push({ question, resolve, reject });
      if (this.#asked.length === 1 && this.#underWay.length === 0) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    if (this.#asked.length === 0 || this.#underWay.length > 0) return;
    this.#underWay = this.#asked;
    this.#asked = [];
    this.#thread ??= this.#start();
    this.#thread.postMessage(this.#underWay.map(({ question }) => question));
  }

  #start(): Worker {
    const thread = new Worker(THREAD, { workerData: this.#file });
    thread.unref();
    thread.on('message', (answers: SqliteAnswer[]) => {
      const answered = this.#underWay;
      this.#underWay = [];
      for (const [index, { resolve, reject }] of answered.entries()) {
        const answer = answers[index];
        if (answer?.type === 'value') resolve(answer.value);
        else reject(new Error(answer?.message ?? 'it was not answered'));
      }
      this.#send();
    });
    // Its file is no database, or can't be opened: the next question finds out whether that has passed.
    thread.on('error', (error) => this.#fail(thread, error as Error));
    thread.on('exit', () => this.#fail(thread, new Error('its thread has ended')));
    return thread;
  }

  #fail(thread: Worker | null, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    for (const { reject } of [...this.#underWay.splice(0), ...this.#asked.splice(0)]) reject(error);
  }
}
