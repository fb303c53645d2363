import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

/** What an author's code does that should make a page. */
const MISBEHAVE = `
  function misbehave(how) {
    if (how === 'hang') return new Promise(() => {});
    if (how === 'loop') for (;;);
    if (how === 'grow') for (const held = [];;) held.push(new Array(1e5).fill(held.length));
    if (how === 'throw') throw new Error('it went wrong');
    if (how === 'reject') return Promise.reject(new Error('it went wrong'));
    return 'fine';
  }`;
const servlet = (names: string, body: string): string =>
  `import { html, ${names} } from '@custodian/worker';\n${MISBEHAVE}\n${body}`;
const SERVLETS = {
  maker: servlet(
    'sendSuspend',
    `export default async function start() {
      const reply = await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
      await sendSuspend((url) => misbehave(reply.query.get('how')));
      return 'not reached';
    }`,
  ),
  catches: servlet(
    'sendSuspend',
    `export default async function start() {
      const reply = await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
      try { await sendSuspend((url) => misbehave(reply.query.get('how'))); }
      catch (error) { return html\`caught: \${error.message}\`; }
    }`,
  ),
  handler: servlet(
    'onExpired, sendForward, sendSuspend',
    `export default () => onExpired((late) => misbehave(late.query.get('how')), async () => {
      await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
      await sendForward((url) => html\`<a href="\${url}">second</a>\`);
      return 'went on';
    });`,
  ),
  managers: servlet(
    'createLruManager, sendFinish, sendSuspend',
    `export const manager = createLruManager({ onExpired: (late) => misbehave(late.query.get('how')) });
    export default async () => {
      await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
      await sendFinish('finished');
    };`,
  ),
  endless: servlet(
    'sendSuspendDispatch',
    `export default () => sendSuspendDispatch((embedUrl) => { for (let n = 0; ; n++) embedUrl(() => n); });`,
  ),
  redirects: servlet('redirectGet', `export default async () => { for (;;) await redirectGet(); };`),
  bounded: servlet(
    'createThresholdLruManager, redirectGet',
    `export const manager = createThresholdLruManager({ maxBytes: 100_000 });
    export default async () => { for (let kept = 'x'.repeat(1000);; kept += 'y') await redirectGet({ 'X-Kept': String(kept.length) }); };`,
  ),
  neighbour: servlet(
    'sendSuspend',
    `export default async () => {
      const reply = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
      return html\`got \${reply.query.get('n')}\`;
    };`,
  ),
};

/** What never comes back holds its test up for as long as it may: these may so for less long. */
const HANGING = { maker: SERVLETS.maker, handler: SERVLETS.handler, managers: SERVLETS.managers };
const HANG_MAX_MS = 1500;
const nameFor = (how: string, name: keyof typeof HANGING): string => (how === 'hang' ? `${name}-hanging` : name);

describe('pages whose making goes wrong', { timeout: 60_000 }, () => {
  let host: StartedHost;
  let visitor: Visitor;
  let neighbours: Shown;
  beforeAll(async () => {
    // A thread of its own for each visit: what dies with it is that visit's. The others keep theirs to the end.
    const limits = { wallMs: 4_000, cpuMs: 500, threadsMaxCount: 30 };
    const generous = { limits: { wallMs: 30_000, cpuMs: 30_000 } };
    const hanging = Object.entries(HANGING).map(([name, code]) => [`${name}-hanging`, code] as const);
    const soonOver = Object.fromEntries(hanging.map(([name]) => [name, { limits: { wallMs: HANG_MAX_MS } }]));
    host = await StartedHost.start(
      { ...SERVLETS, ...Object.fromEntries(hanging) },
      { unit: 'instance', limits },
      { neighbour: generous, redirects: generous, bounded: generous, ...soonOver },
    );
    visitor = new Visitor(host.url);
    neighbours = await visitor.get('/neighbour');
  });
  afterAll(() => host[Symbol.asyncDispose]());

  const codeOf = (page: Shown): string => /<code>([A-Z_]+)<\/code>/.exec(page.text)?.[1] ?? page.text;
  /** Whoever shares the servlet, and whoever has another one, goes on as if nothing had happened. */
  async function expectNoHarm(other: Shown): Promise<void> {
    expect((await visitor.follow(neighbours, { n: '1' })).text).toBe('got 1');
    const again = await visitor.follow(other, { how: 'fine' });
    expect(again.status, again.text).toBe(200);
  }
  const walls: [how: string, code: string, said: RegExp][] = [
    ['hang', 'LIMIT_WALL', /program was stopped: time, 1500 ms/],
    ['loop', 'LIMIT_CPU', /program was stopped: CPU time, 500 ms/],
    ['grow', 'LIMIT_HEAP', /program was stopped: memory, 50 MB/],
  ];

  for (const [how, code, said] of walls)
    test(`sendSuspend() whose page maker does not end (${how}) ends its own thread, with ${code}`, async () => {
      const maker = `/${nameFor(how, 'maker')}`;
      const [mine, other] = [await visitor.get(maker), await visitor.get(maker)];
      expect(codeOf(await visitor.follow(mine, { how }))).toBe(code);
      // The visit's thread is gone, and its other pages say why.
      const gone = await visitor.follow(mine, { how: 'fine' });
      expect(gone.status).toBe(410);
      expect(gone.text).toMatch(said);
      await expectNoHarm(other);
    });

  test.each(['throw', 'reject'])(
    'sendSuspend() whose page maker fails (%s) fails there, and may be caught there',
    async (how) => {
      const failed = await visitor.follow(await visitor.get('/maker'), { how });
      expect([failed.status, codeOf(failed)]).toEqual([500, 'SERVLET_ERROR']);
      expect((await visitor.follow(await visitor.get('/catches'), { how })).text).toBe('caught: it went wrong');
    },
  );

  for (const [how, code, said] of walls) {
    test(`onExpired() whose handler does not end (${how}) ends its own thread, with ${code}`, async () => {
      const handler = `/${nameFor(how, 'handler')}`;
      const [mine, other] = [await visitor.get(handler), await visitor.get(handler)];
      const second = await visitor.follow(mine);
      expect(second.text).toContain('second');
      expect(codeOf(await visitor.follow(mine, { how }))).toBe(code);
      expect((await visitor.follow(second)).text).toMatch(said);
      await expectNoHarm(other);
    });

    test(`a manager's handler that does not end (${how}) is stopped like any request, with ${code}`, async () => {
      const [mine, other] = [await visitor.get(`/${nameFor(how, 'managers')}`), await visitor.get('/maker')];
      expect((await visitor.follow(mine)).text).toBe('finished');
      expect(codeOf(await visitor.follow(mine, { how }))).toBe(code);
      await expectNoHarm(other);
    });
  }

  test('an expiration handler that fails is an error of the request that came late', async () => {
    const mine = await visitor.get('/managers');
    await visitor.follow(mine);
    for (const how of ['throw', 'reject', 'throw']) {
      const late = await visitor.follow(mine, { how });
      expect([late.status, codeOf(late)]).toEqual([500, 'SERVLET_ERROR']);
    }
    expect((await visitor.follow(mine, { how: 'fine' })).text).toBe('fine');
  });

  test('a page that embeds functions for ever is stopped, by memory or time', async () => {
    const other = await visitor.get('/maker');
    expect(codeOf(await visitor.get('/endless'))).toMatch(/^LIMIT_(CPU|HEAP|WALL)$/);
    await expectNoHarm(other);
  });

  test('a servlet that suspends for ever, at each visit, is held within what its manager may keep', async () => {
    let page = await visitor.get('/bounded');
    const first = page;
    let kept = 0;
    for (let times = 0; times < 400; times++) {
      expect(page.status).toBe(303);
      kept = Number(page.headers.get('x-kept'));
      page = await visitor.get(page.headers.get('location')!);
    }
    expect(kept).toBe(1399);
    const { continuations, continuationBytes } = host.host.servlets.find(({ name }) => name === 'bounded')!;
    expect(continuationBytes).toBeLessThanOrEqual(200_000);
    expect(continuations).toBeLessThan(200);
    expect((await visitor.get(first.headers.get('location')!)).status).toBe(410);
    expect((await visitor.follow(neighbours, { n: '1' })).text).toBe('got 1');
  });

  test('a page that a servlet redirects to without end keeps its neighbours alive', async () => {
    let page = await visitor.get('/redirects');
    for (let times = 0; times < 200; times++) page = await visitor.get(page.headers.get('location')!);
    expect(page.status).toBe(303);
    expect((await visitor.follow(neighbours, { n: '1' })).text).toBe('got 1');
    expect(continuationsOf(await visitor.get('/neighbour'))).toHaveLength(1);
  });
});
