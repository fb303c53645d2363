import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { childProcesses } from '../support/process-tree.ts';
import type { StartedHost } from '../support/started-host.ts';
import { Random } from '../support/random.ts';
import { BAD_WAYS } from './servlets.ts';

/** Nobody waits longer than this for an answer, whatever goes on: the longest wait that a limit allows, and some more. */
const ANSWER_MAX_MS = 25_000;
/** How often, and how long, a visitor tries again whose page must be there. */
const TRIES_MAX_COUNT = 40;
const TRY_PAUSE_MS = 250;

interface Answered {
  status: number;
  text: string;
}

/** What a visitor may be told besides the right answer: it failed, it is busy, it took too long. */
const FAILURES = [500, 503, 504];

/**
 * Everything at once against one host: flows, kills, attacks, broken and slow clients. Each actor knows what it must be
 * answered; what else it gets it puts down.
 */
export class Chaos {
  /** What must not have been. */
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #started: StartedHost;
  readonly #random: Random;
  /** Entries whose `written` has arrived. */
  readonly #written: string[] = [];
  /** When a cell was first seen, by its pid. */
  readonly #seenAt = new Map<number, number>();
  #isOver = false;

  constructor(started: StartedHost, seed: number) {
    this.#started = started;
    this.#random = new Random(seed);
  }

  async run(ms: number): Promise<void> {
    const timer = setTimeout(() => (this.#isOver = true), ms);
    const actors = [
      ...Array.from({ length: 3 }, () => this.#again((random) => this.#flow(random))),
      ...Array.from({ length: 3 }, () => this.#again((random) => this.#savedFlow(random))),
      ...Array.from({ length: 2 }, () => this.#again((random) => this.#write(random))),
      ...Array.from({ length: 2 }, () => this.#again((random) => this.#attack(random))),
      ...Array.from({ length: 2 }, () => this.#again((random) => this.#brokenClient(random))),
      this.#again((random) => this.#echo(random)),
      this.#again(() => this.#tick()),
      this.#again((random) => this.#kill(random)),
      this.#again((random) => this.#reload(random)),
    ];
    await Promise.all(actors);
    clearTimeout(timer);
    await this.#readBook();
  }

  async #again(act: (random: Random) => Promise<void>): Promise<void> {
    const random = new Random(this.#random.number(2 ** 31));
    while (!this.#isOver) {
      try {
        await act(random);
      } catch (error) {
        this.violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
        return;
      }
    }
  }

  // -- Who must get the right answer ---------------------------------------------------------------------------------

  /** A flow with branches: from any page on, the sum is right, or the page says why it is gone. */
  async #flow(random: Random): Promise<void> {
    const first = await this.#get('/sum');
    if (FAILURES.includes(first.status)) return this.#pause(random);
    let pages = [{ sum: 0, url: this.#linkOn(first) }];
    for (let step = 0; step < 8 && !this.#isOver; step++) {
      const from = random.of(pages);
      const n = random.number(1000);
      const answer = await this.#get(`${from.url}?n=${n}`);
      if (answer.status === 410) {
        this.#count('pages whose thread had died');
        return;
      }
      if (FAILURES.includes(answer.status)) continue;
      this.#mustSay(answer, from.sum + n);
      pages = [...pages.slice(-4), { sum: from.sum + n, url: this.#linkOn(answer) }];
      this.#count('right sums');
      await this.#pause(random);
    }
  }

  /** The same without threads: a page that was sent can be gone on from, whoever dies. */
  async #savedFlow(random: Random): Promise<void> {
    const first = await this.#untilRight('/saved');
    let pages = [{ sum: 0, url: this.#linkOn(first) }];
    for (let step = 0; step < 8 && !this.#isOver; step++) {
      const from = random.of(pages);
      const n = random.number(1000);
      const answer = await this.#untilRight(`${from.url}?n=${n}`);
      this.#mustSay(answer, from.sum + n);
      pages = [...pages.slice(-4), { sum: from.sum + n, url: this.#linkOn(answer) }];
      this.#count('right sums of saved pages');
      await this.#pause(random);
    }
  }

  /** What was acknowledged stays written. It is sent once: who gets no answer does not know. */
  async #write(random: Random): Promise<void> {
    const entry = `${this.counts['entries sent'] ?? 0}-${random.number(1e9)}`;
    this.#count('entries sent');
    const answer = await this.#get(`/book?entry=${entry}`, { method: 'POST' });
    if (answer.status === 200) {
      if (answer.text !== 'written') throw new Error(`the book answered ${answer.text}`);
      this.#written.push(entry);
    } else if (!FAILURES.includes(answer.status)) throw new Error(`the book answered ${answer.status}`);
    await this.#pause(random);
  }

  async #readBook(): Promise<void> {
    const entries = JSON.parse((await this.#untilRight('/book?read')).text) as string[];
    const found = new Set(entries);
    if (found.size !== entries.length) this.violations.push('an entry is in the book twice');
    for (const entry of this.#written) if (!found.has(entry)) this.violations.push(`the entry ${entry} is lost`);
    this.counts['entries acknowledged'] = this.#written.length;
  }

  async #echo(random: Random): Promise<void> {
    const body = Buffer.alloc(1 + random.number(400_000), random.number(256));
    const answer = await this.#get('/echo', { method: 'POST', body });
    if (answer.status === 200) {
      if (answer.text !== body.toString('latin1')) throw new Error('the echo gave back something else');
      this.#count('echoes');
    } else if (answer.status === 0) {
      // Its thread has died when the answer had begun, or the client was still sending when it was refused.
      this.#count('echoes that were cut');
    } else if (!FAILURES.includes(answer.status)) throw new Error(`the echo answered ${answer.status}`);
    await this.#pause(random);
  }

  async #tick(): Promise<void> {
    const { status, text } = await this.#get('/clock');
    if (status === 200 && text === 'tick') this.#count('ticks');
    else if (FAILURES.includes(status)) this.#count('ticks that failed');
    else throw new Error(`the clock answered ${status} ${text.slice(0, 200)}`);
    await sleep(20);
  }

  // -- Who disturbs --------------------------------------------------------------------------------------------------

  async #attack(random: Random): Promise<void> {
    const way = random.of(BAD_WAYS);
    const { status } = await this.#get(`/bad?do=${way}`, {}, way === 'flood' ? 2000 : Infinity);
    if (![200, 0, ...FAILURES].includes(status)) throw new Error(`the attack "${way}" was answered ${status}`);
    this.#count('attacks');
    await this.#pause(random);
  }

  /** Sends what is cut, slow, or no request at all, and may leave without reading. */
  async #brokenClient(random: Random): Promise<void> {
    const socket = connect({ port: this.#started.host.port, host: '127.0.0.1' });
    const ended = once(socket, 'close');
    socket.on('error', () => {});
    if (random.number(10) < 7) socket.resume();
    const pieces = random.of([
      ['GET /clock HTTP/1.1\r\nHost: a\r\n'],
      ['POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n', 'a'.repeat(1000), 'b'.repeat(1000)],
      ['POST /book?entry=never HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', '5\r\nhello\r\n', 'zz\r\n'],
      ['GET /sum HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5)],
      [Buffer.from(Array.from({ length: 300 }, () => random.number(256)))],
      ['GET /bad?do=flood HTTP/1.1\r\nHost: a\r\n\r\n'],
    ]);
    for (const piece of pieces) {
      socket.write(piece);
      await sleep(random.number(120));
    }
    if (random.number(10) < 3) socket.end();
    await sleep(random.number(400));
    socket.destroy();
    await ended;
    this.#count('broken clients');
  }

  /** A machine that is slow to start a cell again would else see no more than starts. */
  async #kill(random: Random): Promise<void> {
    const right = (): number => (this.counts['right sums'] ?? 0) + (this.counts['right sums of saved pages'] ?? 0);
    const wanted = right() + 10;
    for (let waits = 0; waits < 40 && right() < wanted && !this.#isOver; waits++) await sleep(100);
    await sleep(random.number(600));
    const cells = childProcesses(process.pid).filter(({ command }) => command.includes('cell/main'));
    const now = performance.now();
    for (const { pid } of cells) if (!this.#seenAt.has(pid)) this.#seenAt.set(pid, now);
    const settled = cells.filter(({ pid }) => now - (this.#seenAt.get(pid) ?? now) > 1500);
    // Mostly those that are at work: a servlet that is killed at each start is benched, and has nothing more to show.
    const victims = random.number(20) < 17 ? settled : cells;
    if (victims.length === 0) return;
    try {
      process.kill(random.of(victims).pid, 'SIGKILL');
      this.#count('cells killed');
    } catch {
      // It was gone already.
    }
  }

  async #reload(random: Random): Promise<void> {
    await sleep(1500 + random.number(3000));
    this.#started.host.reload(random.of(['sum', 'saved', 'echo', 'clock']));
    this.#count('reloads');
  }

  // ------------------------------------------------------------------------------------------------------------------

  /** Status 0: the connection ended, or the visitor left after `leaveMs`. @throws when nobody answers */
  async #get(path: string, init: RequestInit = {}, leaveMs: number = Infinity): Promise<Answered> {
    const waitMs = Math.min(leaveMs, ANSWER_MAX_MS);
    try {
      const response = await fetch(`${this.#started.url}${path}`, { ...init, signal: AbortSignal.timeout(waitMs) });
      const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
      if (FAILURES.includes(response.status))
        this.#count(`${/^\/\w+/.exec(path)?.[0]} ${response.status} ${/<code>(\w+)/.exec(text)?.[1] ?? ''}`);
      return { status: response.status, text };
    } catch (error) {
      if ((error as Error).name !== 'TimeoutError') return { status: 0, text: '' };
      if (leaveMs === Infinity) throw new Error(`${path} got no answer within ${ANSWER_MAX_MS} ms`, { cause: error });
      return { status: 0, text: '' };
    }
  }

  async #untilRight(path: string): Promise<Answered> {
    let answer: Answered = { status: 0, text: '' };
    for (let left = TRIES_MAX_COUNT; left > 0; left--) {
      answer = await this.#get(path);
      if (answer.status === 200) return answer;
      if (answer.status !== 0 && !FAILURES.includes(answer.status)) break;
      await sleep(TRY_PAUSE_MS);
    }
    throw new Error(`${path} was answered ${answer.status}, and nothing else came of it: ${answer.text.slice(0, 300)}`);
  }

  #mustSay({ status, text }: Answered, sum: number): void {
    if (status === 0) return;
    if (status !== 200 || !text.includes(`<p>so far ${sum}</p>`))
      throw new Error(`the sum is ${sum}; the answer was ${status} ${text.slice(0, 300)}`);
  }

  #linkOn({ text }: Answered): string {
    const url = /<a href="([^"]+)">on</.exec(text)?.[1];
    if (url === undefined) throw new Error(`the page leads nowhere: ${text.slice(0, 300)}`);
    return url;
  }

  #pause(random: Random): Promise<void> {
    return sleep(random.number(60));
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}
