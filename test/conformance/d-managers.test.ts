import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

const FLOW = `
  const link = (url) => html\`<a href="\${url}">on</a>\`;
  async function flow(request) {
    if (request.query.has('own')) return onExpired(() => ({ status: 410, body: 'own' }), () => pages());
    return pages();
  }
  async function pages() {
    const m = await sendSuspend(link);
    const n = await sendSuspend(link);
    return html\`sum \${Number(m.query.get('n')) + Number(n.query.get('n'))}\`;
  }
  export default flow;`;
const withManager = (manager: string): string => `
  import { ${/create\w+/.exec(manager)![0]}, html, onExpired, sendFinish, sendSuspend } from '@custodian/worker';
  const onExpiredOfAll = () => ({ status: 299, body: 'manager' });
  export const manager = ${manager};
  ${FLOW}`;

const SERVLETS: Record<string, string> = {
  finishing: `
    import { createTimeoutManager, html, onExpired, sendFinish, sendSuspend } from '@custodian/worker';
    export const manager = createTimeoutManager({
      instanceTimeoutMs: 60_000, continuationTimeoutMs: 60_000, onExpired: () => ({ status: 299, body: 'manager' }),
    });
    async function pages() {
      await sendSuspend((url) => html\`<a href="\${url}">\`);
      return sendFinish('done');
    }
    export default (request) =>
      request.query.has('own') ? onExpired(() => ({ status: 410, body: 'own' }), pages) : pages();`,
  standard: `
    import { html, sendFinish, sendSuspend } from '@custodian/worker';
    export const startUrl = '/standard?from=the-start';
    export default async function start() {
      await sendSuspend((url) => html\`<a href="\${url}">\`);
      return sendFinish('done');
    }`,
  timeout: withManager(
    'createTimeoutManager({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 2000, onExpired: onExpiredOfAll })',
  ),
  session: withManager(
    'createTimeoutManager({ instanceTimeoutMs: 1000, continuationTimeoutMs: 60_000, onExpired: onExpiredOfAll })',
  ),
  lru: withManager(
    'createLruManager({ checkIntervalMs: 1000, collectIntervalMs: 1000, lives: 3, onExpired: onExpiredOfAll })',
  ),
  threshold: withManager(
    'createThresholdLruManager({ maxBytes: 2 ** 20, checkIntervalMs: 100, collectIntervalMs: 60_000, lives: 3, onExpired: onExpiredOfAll })',
  ),
  short: withManager(
    'createThresholdLruManager({ maxBytes: 1, checkIntervalMs: 200, collectIntervalMs: 60_000, lives: 3, onExpired: onExpiredOfAll })',
  ),
  none: withManager('createNoneManager({ onExpired: onExpiredOfAll })'),
};

describe('D. expiration and managers', () => {
  let started: StartedHost;
  let visitor: Visitor;
  beforeAll(async () => {
    // One thread for each: a page of this test must not miss the thread's clock that it is measured by.
    started = await StartedHost.start(SERVLETS, { limits: { threadsMaxCount: 1 } });
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  const sumOf = async (start: Shown): Promise<string> =>
    (await visitor.follow(await visitor.follow(start, { n: '3' }), { n: '4' })).text;

  test('C046 a continuation’s own handler goes before the manager’s', async () => {
    for (const [path, answer] of [
      ['/finishing?own', 'own'],
      ['/finishing', 'manager'],
    ] as const) {
      const page = await visitor.get(path);
      expect((await visitor.follow(page)).text).toBe('done');
      expect((await visitor.follow(page)).text).toBe(answer);
    }
  });

  test('C047 the handler’s status is free; the standard page is a 410 that leads to where the servlet says', async () => {
    const own = await visitor.get('/finishing?own');
    await visitor.follow(own);
    expect((await visitor.follow(own)).status).toBe(410);
    const standard = await visitor.get('/standard');
    await visitor.follow(standard);
    const expired = await visitor.follow(standard);
    expect([expired.status, /<title>(.*)<\/title>/.exec(expired.text)![1]]).toEqual([410, 'This page has expired']);
    expect(expired.text).toContain('href="/standard?from=the-start"');
  });

  test.concurrent('C048 timeout: a visit at 1.5 s works, one at 2.5 s comes too late; the own handler answers', async () => {
    const [early, late] = await Promise.all([visitor.get('/timeout?own'), visitor.get('/timeout?own')]);
    await sleep(1500);
    expect((await visitor.follow(early, { n: '1' })).status).toBe(200);
    await sleep(1000);
    expect((await visitor.follow(late, { n: '1' })).text).toBe('own');
  });

  test.concurrent('C050 timeout: a visit starts the time anew, and many at once are one (Racket adds them up)', async () => {
    const page = await visitor.get('/timeout');
    for (let times = 0; times < 4; times++) await visitor.follow(page, { n: '1' });
    await sleep(1500);
    expect((await visitor.follow(page, { n: '1' })).status).toBe(200);
    await sleep(1500);
    expect((await visitor.follow(page, { n: '1' })).status).toBe(200);
    await sleep(2500);
    expect((await visitor.follow(page, { n: '1' })).text).toBe('manager');
  });

  test.concurrent('C052 life points: an untouched page dies between 3 and 4.2 s, one that is visited lives', async () => {
    const [dying, untouched, visited] = await Promise.all([
      visitor.get('/lru'),
      visitor.get('/lru'),
      visitor.get('/lru'),
    ]);
    const begun = performance.now();
    const until = async (ms: number): Promise<void> => {
      while (performance.now() - begun < ms) {
        expect((await visitor.follow(visited, { n: '1' })).status).toBe(200);
        await sleep(250);
      }
    };
    await until(2500);
    expect((await visitor.follow(untouched, { n: '1' })).status).toBe(200);
    await until(4200);
    expect((await visitor.follow(dying, { n: '1' })).text).toBe('manager');
    await until(6500);
  });

  test.concurrent('C054 the threshold: light pages keep their lives, heavy ones lose one at each check', async () => {
    const [light, heavy] = await Promise.all([visitor.get('/threshold'), visitor.get('/short')]);
    await sleep(2000);
    expect((await visitor.follow(light, { n: '1' })).status).toBe(200);
    expect((await visitor.follow(heavy, { n: '1' })).text).toBe('manager');
  });

  test.concurrent('C056 the end of one session harms no other', async () => {
    const first = await visitor.get('/session');
    await sleep(1600);
    expect((await visitor.follow(first, { n: '1' })).text).toBe('manager');
    expect(await sumOf(await visitor.get('/session'))).toBe('sum 7');
  });

  test('the none manager shows pages, none of which can be answered', async () => {
    const page = await visitor.get('/none');
    expect(page.status).toBe(200);
    expect((await visitor.follow(page, { n: '1' })).text).toBe('manager');
  });
});
