import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import type { WireClient } from '../support/wire-client.ts';

/** A thread is gone 200 ms after its exit at the latest, and a new one starts for those who are sent to it. */
const ANSWER_MAX_MS = 1000;

/**
 * Counts what it does for the requests of one case: frames in (pieces of a request's body) and out (pieces of a response's) and, at
 * the n-th, ends its thread or its process. Which thread is told so, and which gets the requests, may be two when an older one
 * has become ready in between: the first must not die of a later case.
 */
const COUNTER = `
  let armedFor = '', left = 0, way = 'exit';
  function step(query) {
    if (query.get('case') !== armedFor || --left !== 0) return;
    if (way === 'exit') process.exit(1);
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  }
  export default async function counter(request) {
    const { query } = request;
    if (query.get('arm') !== undefined) {
      armedFor = query.get('case');
      left = Number(query.get('arm'));
      way = query.get('way');
      return 'armed';
    }
    step(query);
    let bytes = 0;
    for await (const piece of request.body ?? []) { bytes += piece.length; step(query); }
    if (query.get('stream') === undefined) return String(bytes);
    return { body: (async function* () {
      for (let i = 0; i < 6; i++) { step(query); yield Buffer.alloc(20_000, 97); await new Promise((resolve) => setTimeout(resolve, 2)); }
    })() };
  }`;

/** How an exchange ended for its client: with a whole answer of that status, or cut. */
async function endOf(client: WireClient): Promise<number | 'cut'> {
  return client.response().then(
    ({ status }) => status,
    () => 'cut',
  );
}

describe.each(['exit', 'kill'])('a cell with several connections, whose end is %s', (way) => {
  let started: StartedHost;
  let cases = 0;
  beforeAll(async () => {
    started = await StartedHost.withReserves(
      { counter: COUNTER },
      // All of them share one thread: its end is everybody's.
      { unit: 'servlet', profile: 'trusted', limits: { bodyMaxBytes: 1e7 } },
    );
    await started.warm('/counter');
    await started.host.ready();
  });
  afterAll(() => started[Symbol.asyncDispose]());

  // 1 request, up to 8 pieces up, 3 streams of 6 pieces: some 25 frames.
  it.each(Array.from({ length: 26 }, (_, index) => index + 1))(
    'everybody gets an answer or an end after frame %i',
    async (n) => {
      const id = ++cases;
      const clients = await Promise.all(Array.from({ length: 4 }, () => started.connect()));
      const [up, ...down] = clients as [WireClient, ...WireClient[]];
      const armed = await started.connect();
      expect((await armed.get(`/counter?case=${id}&arm=${n}&way=${way}`)).status).toBe(200);
      armed.destroy();
      const ends = clients.map(endOf);
      for (const client of down) client.write(`GET /counter?stream&case=${id} HTTP/1.1\r\nHost: a\r\n\r\n`);
      up.write(`POST /counter?case=${id} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const before = started.host.ledger.obituaries.length;
      for (let piece = 0; piece < 8 && (await up.send(`2710\r\n${'a'.repeat(10_000)}\r\n`)); piece++) await sleep(3);
      up.write('0\r\n\r\n');
      const begun = performance.now();
      const found = await Promise.all(ends);
      expect(performance.now() - begun).toBeLessThan(ANSWER_MAX_MS);
      for (const end of found) expect(['cut', 200, 500, 503]).toContain(end);
      await eventually(
        () => started.host.ledger.obituaries.slice(before),
        (obituaries) => obituaries.length <= 1,
        { what: 'one death at most' },
      );
      for (const client of clients) client.destroy();
      // The next one is answered, by whichever thread, and what was held is back.
      expect((await (await started.connect()).get('/counter')).status).toBe(200);
      await eventually(
        () => started.host.custodian.describe().filter((line) => line.includes('lease')),
        (leases) => leases.length <= 2 * 3,
        { what: 'that few leases are open' },
      );
    },
  );

  it('nothing is left of all that', async () => {
    await eventually(
      () => started.host.servlets.map(({ threads, queued }) => ({ threads, queued })),
      ([counter]) => (counter?.threads ?? 9) <= 2 && counter?.queued === 0,
    );
    const deaths = started.host.ledger.obituaries.map(({ cause }) => cause);
    expect(deaths.length).toBeGreaterThan(15);
    expect(new Set(deaths)).toEqual(new Set([way === 'exit' ? 'crash' : 'abort']));
  });
});

describe('a cell that is killed from outside', () => {
  it.each([1, 5, 20, 60, 150])('answers or ends everybody, after %i ms of traffic', async (ms) => {
    await using started = await StartedHost.withReserves(
      { busy: `export default (request) => new Promise((resolve) => setTimeout(resolve, 5, String(process.pid)));` },
      { limits: { threadsMaxCount: 4 } },
    );
    const pid = Number(await (await fetch(`${started.url}/busy`)).text());
    const clients = await Promise.all(Array.from({ length: 6 }, () => started.connect()));
    let isOver = false;
    const statuses: (number | 'cut')[] = [];
    const traffic = clients.map(async (client) => {
      while (!isOver && !client.isEnded) {
        client.write('GET /busy HTTP/1.1\r\nHost: a\r\n\r\n');
        const begun = performance.now();
        statuses.push(await endOf(client));
        expect(performance.now() - begun).toBeLessThan(ANSWER_MAX_MS);
      }
    });
    await sleep(ms);
    process.kill(pid, 'SIGKILL');
    await sleep(600);
    isOver = true;
    await Promise.all(traffic);
    for (const status of statuses) expect(['cut', 200, 500, 503]).toContain(status);
    expect((await (await started.connect()).get('/busy')).body.toString()).not.toBe(String(pid));
  });
});
