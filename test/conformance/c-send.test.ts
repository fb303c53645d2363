import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HeldAs, StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

const servlet = (body: string, names: string): string => `import { html, ${names} } from '@custodian/worker';\n${body}`;
const ASK = `
  async function ask(label, method = 'get') {
    const reply = await sendSuspend((url) => html\`<form action="\${url}" method="\${method}">\${label}</form>\`);
    return Number(reply.bindings.get('number'));
  }`;

const SERVLETS: Record<string, string> = {
  add: servlet(
    `${ASK}
    export default async function start(request) {
      const method = request.query.get('method') ?? 'get';
      const x = await ask('First', method);
      const y = await ask('Second', method);
      return html\`The answer is \${x + y}\`;
    }`,
    'sendSuspend',
  ),
  counter: servlet(
    `async function count(i) {
      return sendSuspendDispatch((embedUrl) => html\`<b>\${i}</b>
        <a href="\${embedUrl(() => count(i + 1))}">+</a> <a href="\${embedUrl(() => count(i - 1))}">-</a>\`);
    }
    export default () => count(0);`,
    'sendSuspendDispatch',
  ),
  value: servlet(
    `export default async function start() {
      const n = await sendSuspendDispatch((embedUrl) => html\`<a href="\${embedUrl((request) => Number(request.query.get('n')))}">\`);
      return html\`n + 1 is \${n + 1}\`;
    }`,
    'sendSuspendDispatch',
  ),
  forward: servlet(
    `const expired = () => 'Expired';
    export default () => onExpired(expired, async () => {
      await sendSuspend((url) => html\`<a href="\${url}">k0</a>\`);
      await sendForward((url) => html\`<a href="\${url}">k1</a>\`);
      return sendFinish('Done.');
    });`,
    'onExpired, sendFinish, sendForward, sendSuspend',
  ),
  back: servlet(
    `let effects = 0, finals = 0;
    export default async function start(request) {
      if (request.query.has('count')) return html\`\${effects} \${finals}\`;
      try { await sendBack('back'); } catch { effects++; } finally { finals++; }
      effects++;
    }`,
    'sendBack',
  ),
  redirect: servlet(
    `let n = 0;
    export default async function start() {
      await sendSuspend((url) => html\`<a href="\${url}">go</a>\`);
      n += 1;
      const shown = n;
      const request = await redirectGet({ 'X-Own': 'yes' });
      return html\`n=\${shown} by \${request.method}\`;
    }`,
    'redirectGet, sendSuspend',
  ),
  items: servlet(
    `${ASK}
    export default async function start() {
      const answers = [];
      let all = [];
      for (const item of [1, 2, 3]) all = [...all, await ask('Item ' + item)];
      return html\`(\${all.join(' ')})\`;
    }`,
    'sendSuspend',
  ),
  deep: servlet(
    `async function down(depth) {
      if (depth === 0) {
        const reply = await sendSuspend((url) => html\`<a href="\${url}">\`);
        return Number(reply.query.get('n'));
      }
      // The way down takes JavaScript's own stack, unless it waits now and then.
      if (depth % 1000 === 0) await null;
      return (await down(depth - 1)) + 1;
    }
    export default async (request) => html\`\${await down(Number(request.query.get('depth')))}\`;`,
    'sendSuspend',
  ),
  caught: servlet(
    `export default async function start() {
      let times = 0;
      try {
        times++;
        const reply = await sendSuspend((url) => html\`<a href="\${url}">\`);
        throw new Error('after the answer ' + reply.query.get('n'));
      } catch (error) { return html\`caught \${error.message}, tried \${times}\`; }
    }`,
    'sendSuspend',
  ),
  toBrowser: servlet(
    `export default () => withErrorsToBrowser(sendBack, async () => {
      const reply = await sendSuspend((url) => html\`<a href="\${url}">\`);
      throw new Error('<' + reply.query.get('n') + '>');
    });`,
    'sendBack, sendSuspend, withErrorsToBrowser',
  ),
  module: servlet(
    `let hits = 0;
    export default async function start() {
      hits++;
      const reply = await sendSuspend((url) => html\`\${hits} <a href="\${url}">\`);
      if (reply.query.has('end')) process.exit(1);
      return html\`\${++hits}\`;
    }`,
    'sendSuspend',
  ),
  locals: servlet(
    `let shared = 0;
    const box = { n: 0 };
    export default async function start() {
      let n = 0;
      await sendSuspend((url) => html\`<a href="\${url}">\`);
      n += 1; shared += 1; box.n += 1;
      return html\`\${n} \${shared} \${box.n}\`;
    }`,
    'sendSuspend',
  ),
};

const HELD: HeldAs = { deep: { limits: { heapMb: 256 } }, module: { unit: 'servlet' } };

describe('C. send/suspend and its family', () => {
  let started: StartedHost;
  let visitor: Visitor;
  beforeAll(async () => {
    const inOneCell = Object.keys(SERVLETS).map((name) => [name, { cell: 'one', ...HELD[name] }] as const);
    started = await StartedHost.start(SERVLETS, {}, Object.fromEntries(inOneCell));
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  test.each(['get', 'post'])('C025 two numbers are added, by %s', async (method) => {
    const [x, y] = [Math.floor(Math.random() * 500), Math.floor(Math.random() * 500)];
    const send = (page: Shown, number: number): Promise<Shown> =>
      method === 'get'
        ? visitor.follow(page, { number: String(number) })
        : visitor.post(page, { number: String(number) });
    const second = await send(await visitor.get(`/add?method=${method}`), x);
    expect((await send(second, y)).text, `${x} + ${y}`).toBe(`The answer is ${x + y}`);
  });

  test('C026 Refresh gives the same answer each time', async () => {
    const second = await visitor.follow(await visitor.get('/add'), { number: '3' });
    for (let times = 0; times < 3; times++)
      expect((await visitor.follow(second, { number: '4' })).text).toBe('The answer is 7');
  });

  test('C027 Back: both branches live', async () => {
    const first = await visitor.get('/add');
    const second = await visitor.follow(first, { number: '3' });
    const again = await visitor.follow(first, { number: '100' });
    expect((await visitor.follow(again, { number: '1' })).text).toBe('The answer is 101');
    expect((await visitor.follow(second, { number: '1' })).text).toBe('The answer is 4');
  });

  test('C029 the counter counts from the page that was left', async () => {
    const shown = (page: Shown): string => /<b>(.*?)<\/b>/.exec(page.text)![1]!;
    const zero = await visitor.get('/counter');
    const one = await visitor.follow(zero, {}, 0);
    const two = await visitor.follow(one, {}, 0);
    const minus = await visitor.follow(zero, {}, 1);
    const replayed = await visitor.follow(zero, {}, 0);
    expect([zero, one, two, minus, replayed].map(shown)).toEqual(['0', '1', '2', '-1', '1']);
  });

  test('C031 what an embedded function returns is what the call returns', async () => {
    expect((await visitor.follow(await visitor.get('/value'), { n: '41' })).text).toBe('n + 1 is 42');
  });

  test('C032 sendForward expires the past, sendFinish everything', async () => {
    const k0 = await visitor.get('/forward');
    const k1 = await visitor.follow(k0);
    expect(k1.text).toContain('k1');
    expect((await visitor.follow(k0)).text).toBe('Expired');
    expect((await visitor.follow(k1)).text).toBe('Done.');
    expect((await visitor.follow(k1)).text).toBe('Expired');
  });

  test('C034 what stands behind sendBack does not run; finally does, once', async () => {
    expect((await visitor.get('/back')).text).toBe('back');
    expect((await visitor.get('/back?count')).text).toBe('0 1');
  });

  test('C035 redirectGet is a 303 to a continuation, and the effect before it happens once', async () => {
    const redirect = await visitor.follow(await visitor.get('/redirect'));
    expect([redirect.status, redirect.text, redirect.headers.get('x-own')]).toEqual([303, '', 'yes']);
    const location = redirect.headers.get('location')!;
    for (let times = 0; times < 2; times++) expect((await visitor.get(location)).text).toBe('n=1 by GET');
  });

  test('C037 a loop over a list asks for each item; going back changes the later part only', async () => {
    const first = await visitor.get('/items');
    const second = await visitor.follow(first, { number: '1' });
    const third = await visitor.follow(second, { number: '2' });
    expect((await visitor.follow(third, { number: '3' })).text).toBe('(1 2 3)');
    expect((await visitor.follow(third, { number: '30' })).text).toBe('(1 2 30)');
    const other = await visitor.follow(second, { number: '20' });
    expect((await visitor.follow(other, { number: '3' })).text).toBe('(1 20 3)');
  });

  test.each([500, 100_000])('C038 a recursion suspends at depth %i, and goes on twice', async (depth) => {
    const page = await visitor.get(`/deep?depth=${depth}`);
    for (const n of [1, 5]) expect((await visitor.follow(page, { n: String(n) })).text).toBe(String(depth + n));
  });

  test('C039 an error after a resumption is caught where the suspension was tried, each time', async () => {
    const page = await visitor.get('/caught');
    for (const n of ['1', '2', '3'])
      expect((await visitor.follow(page, { n })).text).toBe(`caught after the answer ${n}, tried 1`);
  });

  test('withErrorsToBrowser shows an error after a resumption, escaped, each time', async () => {
    const page = await visitor.get('/toBrowser');
    for (const n of ['1', '2']) {
      const shown = await visitor.follow(page, { n });
      expect(shown.status).toBe(500);
      expect(shown.text).toContain(`&lt;${n}&gt;`);
    }
  });

  test('C042 locals belong to the page; module variables and objects are shared', async () => {
    const page = await visitor.get('/locals');
    expect((await visitor.follow(page)).text).toBe('1 1 1');
    expect((await visitor.follow(page)).text).toBe('1 2 2');
  });

  test('C042 what a module’s variables hold is all visitors’, and ends with the thread', async () => {
    const first = await visitor.get('/module');
    const second = await visitor.get('/module');
    expect([first, second].map(({ text }) => text.split(' ')[0])).toEqual(['1', '2']);
    expect((await visitor.follow(first)).text).toBe('3');
    expect((await visitor.follow(second, { end: '' })).status).toBe(500);
    expect((await visitor.get('/module')).text).toMatch(/^1 /);
  });

  test('C045 HEAD runs the servlet: the headers of GET, no body, and an instance is used up', async () => {
    const instance = (page: Shown): number => Number(/;k=[^.]+\.[^.]+\.(\d+)/.exec(continuationsOf(page)[0]!)![1]);
    const before = await visitor.get('/add');
    const head = await visitor.get('/add', { method: 'HEAD' });
    const after = await visitor.get('/add');
    expect([head.status, head.text, head.headers.get('cache-control')]).toEqual([200, '', 'no-store']);
    expect(head.headers.get('content-type')).toBe(before.headers.get('content-type'));
    expect(instance(after) - instance(before)).toBe(2);
  });
});
