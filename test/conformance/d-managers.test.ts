import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

const FLOW = `
  const link = (url) => html\`<a href="\${url}">on</a>\`;
  async function flow(request) {
    if (request.query.has('rest')) adjustTimeout(Number(request.query.get('rest')));
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
  import { adjustTimeout, ${/create\w+/.exec(manager)![0]}, html, onExpired, sendSuspend } from '@custodian/worker';
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

/** How soon each kind of manager has a page expire that nobody visits: within a second. */
const SOON = {
  timeout: 'createTimeoutManager({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 300, ...options })',
  instance: 'createTimeoutManager({ instanceTimeoutMs: 300, continuationTimeoutMs: 60_000, ...options })',
  lru: 'createLruManager({ collectIntervalMs: 100, lives: 2, ...options })',
  short: 'createLruManager({ checkIntervalMs: 100, lives: 2, isShort: () => true, ...options })',
  threshold: 'createThresholdLruManager({ maxBytes: 1, checkIntervalMs: 100, lives: 2, ...options })',
  none: 'createNoneManager(options)',
};
const expiring = (manager: string, options: string): string => `
  import { ${/create\w+/.exec(manager)![0]}, currentRequest, html, onExpired, sendSuspend } from '@custodian/worker';
  export const startUrl = '/afresh?from=the-start';
  const answer = (who, status) => (request) =>
    ({ status, body: [who, request.method, request.query.get('n'), currentRequest() === request].join(' ') });
  const options = ${options};
  export const manager = ${manager};
  async function page() {
    const reply = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    return html\`went on with \${reply.query.get('n')}\`;
  }
  export default (request) => (request.query.has('own') ? onExpired(answer('own', 299), page) : page());`;

describe('an expired page', () => {
  let started: StartedHost;
  let visitor: Visitor;
  beforeAll(async () => {
    const servlets: Record<string, string> = { afresh: `export default (request) => 'afresh ' + request.url;` };
    for (const [kind, manager] of Object.entries(SOON)) {
      servlets[kind] = expiring(manager, `{ onExpired: answer('manager', 298) }`);
      servlets[`${kind}-plain`] = expiring(manager, '{}');
    }
    const inOneCell = Object.fromEntries(Object.keys(servlets).map((name) => [name, { cell: 'managers' }]));
    started = await StartedHost.start(servlets, { limits: { threadsMaxCount: 1 } }, inOneCell);
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  test.concurrent.each(Object.keys(SOON))(
    'of %s is answered by its own handler, else by the manager’s, else by a page that leads to the start',
    async (kind) => {
      const [own, managers, plain] = (await Promise.all(
        [`/${kind}?own`, `/${kind}`, `/${kind}-plain`].map((path) => visitor.get(path)),
      )) as [Shown, Shown, Shown];
      // What is visited is kept, so nobody can look whether it has expired.
      await sleep(1500);
      const answer = async (page: Shown): Promise<[number, string]> => {
        const { status, text } = await visitor.follow(page, { n: '7' });
        return [status, text];
      };
      // Who keeps nothing keeps no handlers either.
      expect(await answer(own)).toEqual(kind === 'none' ? [298, 'manager GET 7 true'] : [299, 'own GET 7 true']);
      expect(await answer(managers)).toEqual([298, 'manager GET 7 true']);
      expect((await visitor.post(managers, { n: '7' })).text).toBe('manager POST  true');
      const gone = await visitor.follow(plain, { n: '7' });
      expect([gone.status, gone.headers.get('cache-control')]).toEqual([410, 'no-store']);
      expect(gone.text).toContain('This page has expired');
      const start = /<a href="([^"]*)">Start again<\/a>/.exec(gone.text)![1]!;
      expect((await visitor.get(start)).text).toBe('afresh /afresh?from=the-start');
    },
  );
});

describe('how long pages live', () => {
  let started: StartedHost;
  let visitor: Visitor;
  const manager = "onExpired: () => ({ status: 299, body: 'manager' })";
  beforeAll(async () => {
    started = await StartedHost.start(
      {
        adjusting: withManager(
          `createTimeoutManager({ instanceTimeoutMs: 800, continuationTimeoutMs: 60_000, ${manager} })`,
        ),
        lives: withManager(`createLruManager({ collectIntervalMs: 60_000, ${manager} })`),
        burst: `
          import { createThresholdLruManager, html, sendSuspend } from '@custodian/worker';
          export const manager = createThresholdLruManager({ maxBytes: 2 ** 20, ${manager} });
          export default async function start() {
            const held = Array.from({ length: 2000 }, (_, index) => ({ index, name: 'item ' + index }));
            await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
            return html\`\${held.length}\`;
          }`,
        again: `
          import { createTimeoutManager, html, sendFinish, sendSuspend } from '@custodian/worker';
          export const manager = createTimeoutManager({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 60_000, onExpired: again });
          async function again(request) {
            const reply = await sendSuspend((url) => html\`expired \${request.query.get('n')} <a href="\${url}">on</a>\`);
            return html\`again \${reply.query.get('n')}\`;
          }
          export default async function start() {
            await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
            return sendFinish('done');
          }`,
        leaving: SERVLETS['finishing']!,
      },
      { limits: { threadsMaxCount: 1 } },
      { leaving: { unit: 'instance', spareThreads: 0 } },
    );
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  test.concurrent('adjustTimeout() gives one visit more time, from each of its pages on; other visits have the manager’s', async () => {
    const [long, short] = await Promise.all([visitor.get('/adjusting?rest=60000'), visitor.get('/adjusting')]);
    await sleep(1500);
    const second = await visitor.follow(long, { n: '3' });
    expect((await visitor.follow(short, { n: '3' })).text).toBe('manager');
    await sleep(1500);
    expect((await visitor.follow(second, { n: '4' })).text).toBe('sum 7');
  });

  test.concurrent('adjustTimeout() gives one visit less time; a manager that counts lives does not heed it', async () => {
    const [short, heedless] = await Promise.all([visitor.get('/adjusting?rest=100'), visitor.get('/lives?rest=100')]);
    await sleep(400);
    expect((await visitor.follow(short, { n: '3' })).text).toBe('manager');
    expect((await visitor.follow(heedless, { n: '3' })).status).toBe(200);
  });

  test.concurrent('pages far over what all may weigh push out the least recently visited, at once', async () => {
    const pages: Shown[] = [];
    for (let times = 0; times < 12; times++) {
      pages.push(await visitor.get('/burst'));
      // The first of them stays in use.
      expect((await visitor.follow(pages[0]!)).text).toBe('2000');
    }
    expect((await visitor.follow(pages.at(-1)!)).text).toBe('2000');
    expect((await visitor.follow(pages[1]!)).text).toBe('manager');
  });

  test.concurrent('a manager’s handler may suspend', async () => {
    const page = await visitor.get('/again');
    expect((await visitor.follow(page)).text).toBe('done');
    const expired = await visitor.follow(page, { n: '1' });
    expect(expired.text).toContain('expired 1');
    for (const n of ['2', '3']) expect((await visitor.follow(expired, { n })).text).toBe(`again ${n}`);
  });

  test.concurrent('with a thread for each visit, its own handler ends with its last page, and the manager’s answers from then on', async () => {
    const page = await visitor.get('/leaving?own');
    expect((await visitor.follow(page)).text).toBe('done');
    const late = await eventually(
      () => visitor.follow(page),
      ({ text }) => text !== 'own',
    );
    expect([late.status, late.text]).toEqual([299, 'manager']);
  });
});

/** A light page, and as many MB besides as its thread is told to hold. */
const NEAR = `
  import { createThresholdLruManager, html, sendSuspend } from '@custodian/worker';
  export const manager = createThresholdLruManager({ checkIntervalMs: 200, collectIntervalMs: 60_000, lives: 2 });
  let held = [];
  export default async function start({ query }) {
    if (query.has('hold')) return 'holds ' + (held = Array.from({ length: Number(query.get('hold')) }, () => Buffer.alloc(2 ** 20, 1))).length;
    await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
    return 'answered';
  }`;

test('C054 a threshold manager whose thread is near its memory cap lets light pages go, and keeps them when it is not', async () => {
  await using started = await StartedHost.start(
    { near: NEAR, far: NEAR },
    { limits: { threadsMaxCount: 1, heapMb: 100 } },
  );
  const visitor = new Visitor(started.url);
  const pages = { near: await visitor.get('/near'), far: await visitor.get('/far') };
  expect((await visitor.get('/near?hold=80')).text).toBe('holds 80');
  expect((await visitor.get('/far?hold=20')).text).toBe('holds 20');
  await eventually(
    () => started.host.servlets.find(({ name }) => name === 'near')!.continuations,
    (count) => count === 0,
  );
  expect((await visitor.follow(pages.near)).status).toBe(410);
  expect((await visitor.follow(pages.far)).text).toBe('answered');
  expect(started.host.ledger.obituaries).toEqual([]);
});
