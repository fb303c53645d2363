import assert from 'node:assert/strict';
import type { ServeOptions } from '../../packages/host/src/index.ts';
import { DatabaseServer } from './database-server.ts';
import { processesNamed } from './process-tree.ts';
import { RestartableHost } from './restartable-host.ts';
import { StoreTap } from './store-tap.ts';
import { continuationsOf, type Shown } from './visitor.ts';

/** Sums numbers in a local, and lists them in what all pages of a visit share, if it is checkpointed. What it holds is too long for a URL. */
const visit = (persistence: string): string => `
  import { html, sendFinish, sendSuspend } from '@custodian/worker';
  export const ${persistence} = true;
  export default async function start() {
    const notes = [];
    const ballast = Array.from({ length: 600 }, () => Math.random());
    for (let sum = 0; ; ) {
      const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">on</a> sum \${sum}, notes \${notes.join('+')}.\`);
      if (bindings.get('end')) return sendFinish('the end of ' + sum + ' ' + (ballast.length === 600));
      sum += Number(bindings.get('n'));
      notes.push(bindings.get('id'));
    }
  }`;

export type Victim = 'host' | 'cell' | 'store';
export type Persistence = 'checkpoint' | 'stateless';
export type Database = 'redis' | 'postgres';
type Unit = NonNullable<ServeOptions['unit']>;

const ANSWER_MAX_MS = 25_000;
const TRIES = 6;

/** A page that a visitor has seen, and what the host has thereby promised. */
interface Seen {
  page: Shown;
  sum: number;
}

/** Visits of a host whose processes are killed, and a model of what their visitors were shown. */
export class KilledVisits implements AsyncDisposable {
  readonly #store: DatabaseServer;
  readonly #tap: StoreTap;
  readonly #host: RestartableHost;
  /** What has to be done before anything is tried again. */
  #recovery: Promise<void> = Promise.resolve();

  private constructor(store: DatabaseServer, tap: StoreTap, host: RestartableHost) {
    this.#store = store;
    this.#tap = tap;
    this.#host = host;
  }

  static async start(
    persistence: Persistence,
    { unit = 'connection', database = 'redis' }: { unit?: Unit; database?: Database } = {},
  ): Promise<KilledVisits> {
    const server = await DatabaseServer[database]();
    const tap = await StoreTap.start(Number(new URL(server.url).port));
    const store = new URL(server.url);
    store.port = String(tap.port);
    const host = await RestartableHost.start(
      { visit: visit(persistence) },
      { store: store.href, unit },
      { visit: { isEager: true } },
    );
    return new KilledVisits(server, tap, host);
  }

  /** `kill -9`, and in a moment it is there again. */
  async kill(victim: Victim): Promise<void> {
    if (victim === 'cell') {
      for (const { pid } of processesNamed(this.#host.stateDir)) killNow(pid);
      return;
    }
    if (victim === 'host') {
      const killed = this.#host.kill();
      this.#recovery = killed.then(() => this.#host.start());
      return killed;
    }
    const killed = this.#store.kill();
    this.#recovery = killed.then(() => this.#store.start());
    return killed;
  }

  /** Of how many pieces the talk with the store is in a visit that nobody disturbs. */
  async countPieces(): Promise<number> {
    let pieces = 0;
    await this.#visitWith(() => Promise.resolve(void pieces++));
    return pieces;
  }

  /** A whole visit, whose victim is killed before the n-th piece of talk with the store goes on. @returns was there one? */
  async killAtPiece(victim: Victim, n: number): Promise<boolean> {
    let pieces = 0;
    await this.#visitWith(async () => {
      if (++pieces === n) await this.kill(victim);
    });
    return pieces >= n;
  }

  /** How long a visit takes to which nothing happens. */
  async undisturbedMs(): Promise<number> {
    // The first one has a thread to start.
    await this.#visit();
    const begun = performance.now();
    await this.#visit();
    return performance.now() - begun;
  }

  /** A whole visit, whose victim is killed so long after it began. @returns was it still under way? */
  async killAfter(victim: Victim, ms: number): Promise<boolean> {
    let isKilled = false;
    const timer = setTimeout(() => {
      isKilled = true;
      void this.kill(victim);
    }, ms);
    await this.#visit();
    clearTimeout(timer);
    return isKilled;
  }

  async #visitWith(onPiece: () => Promise<void>): Promise<void> {
    this.#tap.onEvent = onPiece;
    await this.#visit();
    this.#tap.onEvent = null;
  }

  async #visit(): Promise<void> {
    const tried: string[] = [];
    const shown: string[] = [];
    const first = await this.#answered({ page: null, sum: 0 }, '', tried, shown);
    let last = first;
    for (const n of [1, 10, 100]) last = await this.#answered(last, String(n), tried, shown);
    // Back, to the first page: its locals are of then, the list is of now.
    await this.#answered(first, '7', tried, shown);
    await this.#ended(last);
  }

  /** Answers a page as often as it takes, and holds what comes against what was shown before. */
  async #answered(
    from: Seen | { page: null; sum: number },
    n: string,
    tried: string[],
    shown: string[],
  ): Promise<Seen> {
    const id = `${n}-${tried.length}`;
    for (let tries = 0; tries < TRIES; tries++) {
      const own = `${id}-${tries}`;
      if (from.page !== null) tried.push(own);
      const page = await this.#ask(from.page, { n, id: own });
      if (page === null) continue;
      assert([200, 500, 503].includes(page.status), `${page.status}: ${page.text}`);
      if (page.status !== 200) continue;
      const [, sum, list] = /sum (\d+), notes ([^.]*)\./.exec(page.text) ?? [];
      assert.equal(Number(sum), from.sum + Number(n), page.text);
      const notes = list === '' ? [] : list!.split('+');
      if (from.page !== null) {
        shown.push(own);
        assert.equal(notes.at(-1), own);
      }
      this.#expectNotes(notes, tried, shown, page);
      return { page, sum: Number(sum) };
    }
    throw new Error(`a page could not be answered in ${TRIES} tries`);
  }

  /** All that was shown is there, in its order, and nothing that was never sent. A stateless page has its own list. */
  #expectNotes(notes: string[], tried: string[], shown: string[], page: Shown): void {
    if (page.text.includes(';c=')) return;
    const known = tried.filter((each) => notes.includes(each));
    assert.deepEqual(notes, known);
    for (const each of shown) assert(notes.includes(each), `${each} was shown before, and is not in ${page.text}`);
  }

  async #ended({ page, sum }: Seen): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const end = await this.#ask(page, { end: '1' });
      if (end === null || end.status === 500 || end.status === 503) continue;
      // Its thread may have died when the visit had ended, and before it could say so.
      if (end.status === 410 && tries > 0) return;
      assert.equal(end.text, `the end of ${sum} true`);
      return;
    }
    throw new Error(`a visit could not be ended in ${TRIES} tries`);
  }

  /** null: nobody has answered. */
  async #ask(page: Shown | null, fields: Record<string, string>): Promise<Shown | null> {
    await this.#recovery;
    // By GET: what is safe to repeat the host repeats by itself, but for an answer to a page.
    const url = page === null ? '/visit' : `${continuationsOf(page)[0]}?${new URLSearchParams(fields).toString()}`;
    try {
      return await this.#host.visitor.get(url, { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') throw new Error('a request was not answered', { cause: error });
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#recovery;
    await this.#host[Symbol.asyncDispose]();
    await this.#tap[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
