import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { DatabaseServer, postgresMissing, redisMissing } from '../support/database-server.ts';
import { eventually } from '../support/eventually.ts';
import { RestartableHost } from '../support/restartable-host.ts';
import { startTrusted, StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

/** Three pages; from `length` on, each holds so much that cannot be compressed. */
const FLOW = `
  import { html, sendSuspend } from '@custodian/worker';
  export const stateless = true;
  async function ask(label) {
    const reply = await sendSuspend((url) => html\`<form action="\${url}">\${label}</form>\`);
    return Number(reply.bindings.get('n'));
  }
  function noise(length) {
    let text = '';
    for (let at = 1; text.length < length; at = (at * 48271) % 2147483647) text += at.toString(36);
    return text;
  }
  export default async function flow(request) {
    const text = noise(Number(request.query.get('length') ?? 0));
    const a = await ask('one');
    const b = await ask('two');
    const c = await ask('three');
    return [a, b, c, text.length, process.pid].join();
  }`;
const LARGE = '/flow?length=20000';

/** The flow's end, its length of noise and process left out. */
const sumOf = (page: Shown): string => page.text.split(',').slice(0, 3).join();

describe('a stateless servlet', () => {
  test('kill -9 of the host after each page loses nobody’s place, with what was in its store', async () => {
    await using host = await RestartableHost.start({ flow: FLOW });
    let small = await host.visitor.get('/flow');
    let large = await host.visitor.get(LARGE);
    for (const n of [1, 2]) {
      expect(continuationsOf(large)[0]).toMatch(/;c=1[\w-]{43}$/);
      await host.restart();
      small = await host.visitor.follow(small, { n: String(n) });
      large = await host.visitor.follow(large, { n: String(n) });
    }
    await host.restart();
    expect(sumOf(await host.visitor.follow(small, { n: '3' }))).toBe('1,2,3');
    expect(sumOf(await host.visitor.follow(large, { n: '3' }))).toBe('1,2,3');
  }, 120_000);

  test('a cell that is killed between two pages is not missed, and threads of the next one answer old pages', async () => {
    await using started = await StartedHost.start({ flow: FLOW }, { store: 'memory' });
    const visitor = new Visitor(started.url);
    let page = await visitor.get('/flow');
    const pids = new Set<number>();
    for (const n of [1, 2]) {
      page = await visitor.follow(page, { n: String(n) });
      const last = (await visitor.follow(await visitor.follow(await visitor.get('/flow'), { n: '0' }), {
        n: '0',
      })) as Shown;
      const pid = Number((await visitor.follow(last, { n: '0' })).text.split(',')[4]);
      pids.add(pid);
      await started.host.killCell(pid);
    }
    expect(sumOf(await visitor.follow(page, { n: '3' }))).toBe('1,2,3');
    expect(pids.size).toBe(2);
  });

  test('nothing is kept in the thread: it may be closed between pages', async () => {
    await using started = await StartedHost.start(
      { flow: FLOW },
      { store: 'memory', limits: { cellIdleTimeoutMs: 200 } },
    );
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/flow');
    expect(started.host.servlets[0]!.continuations).toBe(0);
    await eventually(
      () => started.host.servlets[0]!.threads,
      (threads) => threads === 0,
    );
    expect((await visitor.follow(page, { n: '1' })).text).toContain('two');
  });

  test('a link of another servlet with the same program, and of another host’s keys, is refused', async () => {
    await using started = await StartedHost.start({ flow: FLOW, other: FLOW }, { store: 'memory' });
    const visitor = new Visitor(started.url);
    const [url] = continuationsOf(await visitor.get('/flow'));
    const elsewhere = await visitor.get(url!.replace('/flow;', '/other;'));
    expect(elsewhere.status).toBe(410);
    const stateDir = mkdtempSync(join(tmpdir(), 'custodian-state-'));
    {
      await using stranger = await serve({ servlets: started.directory.file('flow'), store: 'memory', stateDir });
      expect((await new Visitor(stranger.url).get(url!)).status).toBe(410);
    }
    rmSync(stateDir, { recursive: true });
    expect((await visitor.get(`${url}?n=1`)).text).toContain('two');
  });

  test('a ring in the state directory that can’t be used is an error of the start, not of the first page', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'custodian-ring-'));
    writeFileSync(join(stateDir, 'keys'), '1:too-short', { mode: 0o600 });
    await expect(serve({ servlets: [], stateDir })).rejects.toMatchObject({
      code: 'CUSTODIAN_CONFIG',
      message: expect.stringContaining('entry 1 is not ID:KEY') as string,
    });
    rmSync(stateDir, { recursive: true });
  });

  test('a page that refers to a value in a thread is answered by that thread as long as it lives', async () => {
    await using started = await StartedHost.start(
      {
        ref: `
          import { html, sendSuspend, serverRef } from '@custodian/worker';
          export const stateless = true;
          const threadId = Math.random();
          export default async function start() {
            const ref = serverRef({ promise: Promise.resolve(threadId) });
            await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
            try { return String((await ref.get().promise) === threadId); } catch (error) { return error.code; }
          }`,
      },
      { store: 'memory', unit: 'connection', limits: { threadsMaxCount: 4 } },
      { ref: { spareThreads: 3 } },
    );
    const visitor = new Visitor(started.url);
    const pages = await Promise.all(Array.from({ length: 8 }, () => visitor.get('/ref')));
    const answers = await Promise.all(pages.map((page) => visitor.follow(page)));
    expect(answers.map(({ text }) => text)).toEqual(Array(8).fill('true'));
    // Threads tell how much they hold a few times a second.
    await eventually(
      () => started.host.servlets[0]!.continuations,
      (count) => count === 8,
    );
  });

  test('lifetimeMs is how long a page can be answered, whether its state is in the URL or in the store', async () => {
    // Its thread's clock can be put forward; the host's can't, and so a page that the store keeps lives for two seconds.
    const servlet = (lifetimeMs: number): string => `
      const now = Date.now;
      let aheadMs = 0;
      Date.now = () => now() + aheadMs;
      ${FLOW.replace(
        'flow(request) {',
        `$&
        const ahead = request.query.get('ahead');
        if (ahead !== undefined) return 'ahead ' + (aheadMs = Number(ahead));`,
      )}
      export const lifetimeMs = ${lifetimeMs};`;
    await using started = await startTrusted(
      { hour: servlet(3_600_000), brief: servlet(2000) },
      { store: 'memory', limits: { threadsMaxCount: 1 } },
    );
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/hour');
    const statusAhead = async (ms: number): Promise<number> => {
      expect((await visitor.get(`/hour?ahead=${ms}`)).text).toBe(`ahead ${ms}`);
      return (await visitor.follow(page, { n: '1' })).status;
    };
    expect(await statusAhead(3_590_000)).toBe(200);
    // A 64th of it later, and two minutes, since it counts in minutes.
    expect(await statusAhead(3_600_000 * (1 + 1 / 64) + 120_000)).toBe(410);
    expect(await statusAhead(0)).toBe(200);
    const kept = await visitor.get('/brief?length=20000');
    const keptAt = performance.now();
    expect((await visitor.follow(kept, { n: '1' })).status).toBe(200);
    await sleep(2100 - (performance.now() - keptAt));
    expect((await visitor.follow(kept, { n: '1' })).status).toBe(410);
  });
});

const SHARED = [
  { name: 'Redis', missing: redisMissing(), start: () => DatabaseServer.redis() },
  { name: 'PostgreSQL', missing: postgresMissing(), start: () => DatabaseServer.postgres() },
];

for (const { name, missing, start } of SHARED) {
  if (missing !== null) console.warn(`test/host/stateless.test.ts: ${name} is skipped: ${missing}`);

  describe.skipIf(missing !== null)(`a stateless servlet whose store is ${name}`, () => {
    test('is answered by 503 while that is killed, and goes on when it is back; what needs no store goes on meanwhile', async () => {
      await using server = await start();
      await using started = await StartedHost.start({ flow: FLOW }, { store: server.url });
      const visitor = new Visitor(started.url);
      const small = await visitor.get('/flow');
      const large = await visitor.follow(await visitor.get(LARGE), { n: '1' });
      await server.kill();
      for (const page of [await visitor.follow(large, { n: '2' }), await visitor.get(LARGE)]) {
        expect(page.status).toBe(503);
        expect(page.headers.get('retry-after')).toBe('5');
        expect(page.text).toContain('STORE_UNAVAILABLE');
      }
      expect((await visitor.follow(small, { n: '1' })).text).toContain('two');
      await server.start();
      const third = await eventually(
        () => visitor.follow(large, { n: '2' }),
        ({ status }) => status === 200,
        { ms: 20_000 },
      );
      expect(sumOf(await visitor.follow(third, { n: '3' }))).toBe('1,2,3');
    }, 90_000);

    test('goes on at another host with the same keys and the same store, at each page', async () => {
      await using server = await start();
      const keys = `1:${randomBytes(32).toString('base64url')}`;
      process.env['CUSTODIAN_KEYS'] = keys;
      try {
        await using one = await StartedHost.start({ flow: FLOW }, { store: server.url });
        await using two = await serve({ servlets: one.directory.file('flow'), store: server.url });
        const [here, there] = [new Visitor(one.url), new Visitor(two.url)];
        const first = await here.get(LARGE);
        const second = await there.follow(first, { n: '1' });
        const third = await here.follow(second, { n: '2' });
        expect(sumOf(await there.follow(third, { n: '3' }))).toBe('1,2,3');
        expect(sumOf(await here.follow(third, { n: '4' }))).toBe('1,2,4');
      } finally {
        delete process.env['CUSTODIAN_KEYS'];
      }
    }, 90_000);
  });
}
