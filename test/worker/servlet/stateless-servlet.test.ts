import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileBoxService } from '../../../packages/host/src/file-box/file-box-service.ts';
import { ServiceError } from '../../../packages/host/src/service/service.ts';
import { MemoryStore } from '../../../packages/host/src/store/memory-store.ts';
import { StoreUnavailableError } from '../../../packages/host/src/store/store.ts';
import { StoreService } from '../../../packages/host/src/store/store-service.ts';
import { readPayload, withPayload } from '../../../packages/protocol/src/index.ts';
import type { SealKey } from '../../../packages/worker/src/stuffer/seal.ts';
import { useKeys } from '../../../packages/worker/src/stuffer/seal-stuffer.ts';
import { connectAsks } from '../../support/thread-asks.ts';
import { newKey, StatelessProgram, urlOf } from './stateless-program.ts';

/** A store that can be switched off, and whose answers may find too many others on their way. */
class FragileStore extends MemoryStore {
  isDown = false;
  isBusy = false;
  override put(...entry: Parameters<MemoryStore['put']>): Promise<string> {
    return this.isDown
      ? Promise.reject(new StoreUnavailableError('keep a page', new Error('down')))
      : super.put(...entry);
  }
  override get(...key: Parameters<MemoryStore['get']>): Promise<Uint8Array | null> {
    if (this.isBusy) return Promise.reject(new ServiceError('ASK_BUSY', 'too many answers are on their way'));
    return this.isDown
      ? Promise.reject(new StoreUnavailableError('find a page', new Error('down')))
      : super.get(...key);
  }
}

const IMPORTS = (names: string): string => `import { html, ${names} } from '@custodian/worker';\n`;
const ASK = `
async function ask(label) {
  const reply = await sendSuspend((url) => html\`<a href="\${url}">\${label}</a>\`);
  return reply.bindings.get('n');
}`;
const SUM = `${IMPORTS('sendSuspend')}${ASK}
export default async function sum() {
  const m = Number(await ask('First'));
  const n = Number(await ask('Second'));
  return String(m + n);
}`;

let root: string;
const store = new FragileStore();
let faults: unknown[];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'custodian-stateless-'));
  faults = connectAsks('test', [new StoreService(store, () => {}), new FileBoxService(join(root, 'boxes'))]);
});
afterAll(() => rmSync(root, { recursive: true }));

describe('StatelessServlet', () => {
  test('any thread goes on from a page, as often as it is answered', async () => {
    const here = await StatelessProgram.load(SUM);
    const there = await here.elsewhere();
    const first = await here.text('/sum');
    const second = await there.follow(first, '?n=3');
    expect(await here.follow(second, '?n=4')).toBe('7');
    expect(await there.follow(second, '?n=5')).toBe('8');
    expect(await there.follow(await here.follow(first, '?n=10'), '?n=1')).toBe('11');
  });

  test('the URL of the first page of sum2 has at most 160 characters, with its origin', async () => {
    const first = await (await StatelessProgram.load(SUM)).text('/sum2');
    expect(`http://127.0.0.1:8080${urlOf(first)}`.length).toBeLessThanOrEqual(160);
  });

  test('the URL goes on from where the visitor is, other parameters and no query', async () => {
    const program = await StatelessProgram.load(SUM);
    const first = await program.text('/shop;x=1/sum;y=2?n=0');
    expect(urlOf(first)).toMatch(/^\/shop;x=1\/sum;y=2;c=0[\w-]+$/);
    const second = await program.follow(first, '?n=1');
    expect(urlOf(second)).toMatch(/^\/shop;x=1\/sum;y=2;c=0[\w-]+$/);
    expect(urlOf(second).match(/;c=/g)).toHaveLength(1);
  });

  test('a page with a link to go on is not kept by caches, and its address is not told', async () => {
    const { headerLines } = await (await StatelessProgram.load(SUM)).ask('/sum');
    expect(headerLines).toContain('Cache-Control: no-store');
    expect(headerLines).toContain('Referrer-Policy: same-origin');
  });

  test('a parameter that holds nothing, or what can’t be a payload, is a fresh start', async () => {
    const program = await StatelessProgram.load(SUM);
    for (const junk of ['/sum;c', '/sum;c=', '/sum;c="', '/sum;c=%zz', '/sum;cc=0A'])
      expect(await program.text(junk), junk).toContain('First');
  });

  describe('refuses, with one answer that is the same to the byte, a token', () => {
    const key = newKey(1);
    const older = newKey(2);
    const bound = (user: string): { headers: string[] } => ({ headers: ['Cookie', `user=${user}`] });
    const BOUND = `${SUM}
      export const bindTo = (request) => request.header('cookie') ?? null;`;
    let program: StatelessProgram;
    let url: string;
    let payload: string;
    let refusal: string;
    const madeBy = async (name: string, keys: SealKey[], user = 'ada'): Promise<string> => {
      const made = urlOf(await (await StatelessProgram.load(BOUND, { name, keys })).text('/sum', bound(user)));
      useKeys([key], 'test');
      return readPayload(made)!;
    };
    const sealedOf = (text: string): Buffer => Buffer.from(text.slice(1), 'base64url');
    const textOf = (sealed: Uint8Array): string => `0${Buffer.from(sealed).toString('base64url')}`;
    beforeAll(async () => {
      program = await StatelessProgram.load(BOUND, { keys: [key] });
      url = urlOf(await program.text('/sum', bound('ada')));
      payload = readPayload(url)!;
      refusal = await program.text('/sum;c=0', bound('ada'));
    });

    const cases: Record<string, () => string[] | Promise<string[]>> = {
      'of another servlet': async () => [await madeBy('other', [key])],
      'of another user': async () => [await madeBy('test', [key], 'bob'), await madeBy('test', [key], '')],
      'of another key': async () => [await madeBy('test', [newKey(3)]), await madeBy('test', [newKey(1)])],
      'of an older key, which is no longer on the ring': async () => [await madeBy('test', [older])],
      'of a future version': () =>
        [2, 3, 255].map((version) => textOf([version, ...sealedOf(payload).subarray(1)] as never)),
      'that is cut off': () => Array.from({ length: payload.length - 1 }, (_, end) => payload.slice(0, end + 1)),
      'that is there twice, or goes on': () => [
        payload + payload,
        payload + payload.slice(1),
        textOf(Buffer.concat([sealedOf(payload), sealedOf(payload)])),
        `${payload}A`,
        `0${payload}`,
      ],
      'of which a bit is another': () => {
        const sealed = sealedOf(payload);
        return Array.from({ length: sealed.length * 8 }, (_, bit) => {
          const changed = Uint8Array.from(sealed);
          changed[bit >> 3]! ^= 1 << (bit & 7);
          return textOf(changed);
        });
      },
      'that is written in another way': () => [
        `0${payload.slice(1)}=`,
        `0${payload.slice(1)}==`,
        `0${Buffer.from(payload.slice(1), 'base64url').toString('base64')}+`,
        `0${payload.slice(1).replace(/^./, ' $&')}`,
      ],
      'that says it is in the store': () => [`1${payload.slice(1)}`, `1${'A'.repeat(43)}`, '1', '11'],
      'of nothing that was ever made': () => [
        '2abc',
        '0'.repeat(5000),
        textOf(randomBytes(200)),
        textOf([1, 1, ...randomBytes(80)] as never),
        randomBytes(200).toString('latin1'),
        '\0',
        '{"__proto__":1}',
      ],
    };
    test.each(Object.keys(cases))('%s', async (name) => {
      for (const wrong of await cases[name]!()) {
        const { status, body } = await program.ask(withPayload('/sum', wrong), bound('ada'));
        expect(status, wrong).toBe(410);
        expect(body, wrong).toBe(refusal);
      }
      // And after all that, the right one goes on.
      expect(await program.text(`${url}?n=1`, bound('ada'))).toContain('Second');
    });

    test('that is empty: with 410, which says that the page has expired, and where to start again', () => {
      expect(refusal).toMatch(/This page has expired[^]*href="\/sum"/);
    });

    test('never one that is asked for twice, at once and again', async () => {
      const asked = [1, 2, 3].map((n) => program.text(`${url}?n=${n}`, bound('ada')));
      for (const page of await Promise.all(asked)) expect(page).toContain('Second');
      expect(await program.text(`${url}?n=1`, bound('ada'))).toBe(await asked[0]);
    });
  });

  test('keys are rotated without losing a page', async () => {
    const [older, newer] = [newKey(1), newKey(2)];
    const first = await (await StatelessProgram.load(SUM, { keys: [older] })).text('/sum');
    useKeys([newer, older], 'test');
    const program = await StatelessProgram.load(SUM, { keys: [newer, older] });
    const second = await program.follow(first, '?n=1');
    expect(second).toContain('Second');
    const later = await StatelessProgram.load(SUM, { keys: [newer] });
    expect(await later.follow(second, '?n=1')).toBe('2');
    expect((await later.ask(urlOf(first))).status).toBe(410);
  });

  test('bindTo: a page is for who has the same cookie, and for nobody else', async () => {
    const program = await StatelessProgram.load(`${SUM}
      export const bindTo = (request) => request.header('cookie') ?? null;`);
    const page = await program.text('/sum', { headers: ['Cookie', 'id=ada'] });
    expect(await program.follow(page, '?n=1', 0, { headers: ['cookie', 'id=ada'] })).toContain('Second');
    for (const headers of [['Cookie', 'id=bob'], []])
      expect((await program.ask(urlOf(page), { headers })).status).toBe(410);
  });

  test('a large state is in the store, once however often its page is made, and waits for nothing else', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend')}
      export default async function big(request) {
        const query = request.query;
        const text = Array.from({ length: 3000 }, (_, n) => (n * n * 7919) % 10007).join(query.get('mark') ?? '-');
        await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
        return String(text.length);
      }`);
    const before = await store.usage('test');
    const pages = await Promise.all(Array.from({ length: 3 }, () => program.text('/big')));
    expect(new Set(pages.map((page) => urlOf(page))).size).toBe(1);
    expect(urlOf(pages[0]!)).toMatch(/^\/big;c=1[\w-]{43}$/);
    const once = (await store.usage('test')) - before;
    await program.text('/big?mark=_');
    expect((await store.usage('test')) - before).toBeLessThan(once * 2.1);
    expect(Number(await (await program.elsewhere()).follow(pages[0]!))).toBeGreaterThan(10_000);
  });

  test('while the store is down: 503 with Retry-After for who needs it, and afterwards everything goes on', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend')}${ASK}
      export default async function big(request) {
        const query = request.query;
        const text = Array.from({ length: Number(query.get('length')) }, (_, n) => (n * n * 7919) % 10007).join();
        await ask('one');
        await ask('two');
        return String(text.length);
      }`);
    const small = await program.text('/big?length=5');
    const large = await program.text('/big?length=5000');
    store.isDown = true;
    const unavailable = [await program.ask('/big?length=5000'), await program.ask(urlOf(large))];
    for (const { status, headerLines, body } of unavailable) {
      expect(status).toBe(503);
      expect(headerLines).toContain('Retry-After: 5');
      expect(body as string).toContain('STORE_UNAVAILABLE');
    }
    expect(await program.follow(small)).toContain('two');
    store.isDown = false;
    expect(await program.follow(await program.follow(large))).toMatch(/^\d{5}$/);
    expect(faults.splice(0)).toHaveLength(2);
    store.isBusy = true;
    const busy = await program.ask(urlOf(large)).finally(() => (store.isBusy = false));
    expect(busy.status).toBe(503);
    expect(busy.headerLines).toContain('Retry-After: 5');
    expect(busy.body as string).toContain('ASK_BUSY');
  });

  test('what can’t be saved is an error at the suspension, which names the variable; it can be caught there', async () => {
    const body = (rest: string): string => `${IMPORTS('sendSuspend')}
      export default async function page() {
        const cart = { items: [Promise.resolve()] };
        ${rest}
        return String(cart.items.length);
      }`;
    const program = await StatelessProgram.load(body('await sendSuspend((url) => html`${url}`);'));
    await expect(program.ask('/page')).rejects.toMatchObject({
      code: 'SERVLET_UNSERIALIZABLE',
      message: expect.stringContaining('cart.items[0]') as string,
    });
    const catching = await StatelessProgram.load(
      body('try { await sendSuspend((url) => html`${url}`); } catch (error) { return error.variable; }'),
    );
    expect(await catching.text('/page')).toBe('cart');
  });
});

describe('sendSuspendDispatch() of a stateless servlet', () => {
  test('embedded functions and what they captured are in the URL, each with its own continuation', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspendDispatch')}
      export default function count() { return show(0); }
      async function show(n) {
        return sendSuspendDispatch((embedUrl) => html\`\${n}
          <a href="\${embedUrl(() => show(n + 1))}">+</a> <a href="\${embedUrl(async () => show(n - 1))}">-</a>\`);
      }`);
    const there = await program.elsewhere();
    let page = await program.text('/count');
    for (const [index, shown] of [
      [0, '1'],
      [0, '2'],
      [1, '1'],
    ] as const) {
      page = await there.follow(page, '', index);
      expect(page.trim().split(/\s/)[0]).toBe(shown);
      expect(urlOf(page).length).toBeLessThan(200);
    }
  });

  test('what an embedded function returns is what the call returns', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspendDispatch')}
      export default async function choose() {
        const chosen = await sendSuspendDispatch((embedUrl) =>
          html\`\${['a', 'b'].map((each) => html\`<a href="\${embedUrl(({ query }) => each + query.get('n'))}">\${each}</a> \`)}\`);
        return 'chose ' + chosen;
      }`);
    const page = await program.text('/choose');
    expect(await program.follow(page, '?n=1', 0)).toBe('chose a1');
    expect(await program.follow(page, '?n=2', 1)).toBe('chose b2');
  });
});

describe('sendSuspendHidden()', () => {
  const HIDDEN = `${IMPORTS('sendSuspendHidden')}
    export default async function hidden(request) {
        const query = request.query;
      const text = 'x'.repeat(Number(query.get('length') ?? 0)) + Array.from({ length: Number(query.get('numbers') ?? 0) }, (_, n) => (n * n * 7919) % 10007);
      const reply = await sendSuspendHidden((url, field) => html\`<form action="\${url}" method="post">\${field}</form>\`);
      return text.length + ' ' + reply.bindings.get('n') + ' ' + reply.bindings.get('kont')?.length;
    }`;
  const fieldOf = (page: string): string => /value="([^"]+)"/.exec(page)![1]!;

  test('a field may be longer than a URL; what is too long for it too is in the store', async () => {
    const program = await StatelessProgram.load(HIDDEN);
    for (const [query, pattern] of [
      ['', /^0[\w-]{60,140}$/],
      ['?numbers=3000', /^0[\w-]{5000,65535}$/],
      ['?numbers=60000', /^1[\w-]{43}$/],
    ] as const) {
      const page = await program.text(`/hidden${query}`);
      expect(page).toContain('action="/hidden"');
      expect(fieldOf(page)).toMatch(pattern);
      expect(await program.text('/hidden', { form: { kont: fieldOf(page), n: '5' } })).toMatch(/^\d+ 5 /);
    }
  });

  test('a field that was changed is refused like a URL', async () => {
    const program = await StatelessProgram.load(HIDDEN);
    const field = fieldOf(await program.text('/hidden'));
    const { status } = await program.ask('/hidden', { form: { kont: `${field.slice(0, -1)}!`, n: '5' } });
    expect(status).toBe(410);
    expect(await program.text('/hidden', { form: { kont: '' } })).toContain('<form');
  });
});

describe('the rest of the family', () => {
  test('redirectGet() is a 303 to a page that can be asked for again', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('redirectGet')}
      export default async function pay() { let paid = 0; paid += 1; await redirectGet(); return 'paid ' + paid; }`);
    const { status, headerLines } = await program.ask('/pay');
    const [, location] = /Location: (\S+)/.exec(headerLines)!;
    expect([status, location]).toEqual([303, expect.stringMatching(/^\/pay;c=0/)]);
    for (let round = 0; round < 2; round++) expect(await program.text(location!)).toBe('paid 1');
  });

  test('sendFinish() and sendForward() answer; pages that were shown before go on all the same', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, sendForward, sendFinish')}${ASK}
      export default async function flow() {
        await ask('one');
        await sendForward((url) => html\`<a href="\${url}">two</a>\`);
        return sendFinish('done');
      }`);
    const one = await program.text('/flow');
    const two = await program.follow(one);
    expect(await program.follow(two)).toBe('done');
    expect(await program.follow(one)).toContain('two');
    expect(await program.follow(two)).toBe('done');
  });

  test('web cells and web parameters travel with the page', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, webCell, webParameter')}${ASK}
      const count = webCell(0);
      const name = webParameter('nobody');
      export default async function start() { return name.run('ada', () => show()); }
      async function show() {
        for (;;) {
          const n = await ask(name() + ' ' + count.get());
          count.shadow(count.get() + Number(n));
        }
      }`);
    const there = await program.elsewhere();
    const zero = await program.text('/cells');
    const one = await there.follow(zero, '?n=1');
    const five = await there.follow(zero, '?n=5');
    expect([zero, one, five].map((page) => />(.*)</.exec(page)![1])).toEqual(['ada 0', 'ada 1', 'ada 5']);
    expect(await program.follow(one, '?n=10')).toContain('ada 11');
    expect(await program.follow(five, '?n=10')).toContain('ada 15');
  });

  test('a request that is kept over a suspension is there, without the state that it brought', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend')}
      export default async function flow(request) {
        let url = request.url;
        for (let n = 0; n < 3; n++) {
          const reply = await sendSuspend((to) => html\`<a href="\${to}">\${n}</a>\`);
          url += ' ' + request.header('x-a') + ' ' + request.bindings.get('q');
          request = reply;
        }
        return url;
      }`);
    let page = await program.text('/flow?q=0', { headers: ['X-A', 'a'] });
    for (const q of [1, 2]) page = await program.follow(page, `?q=${q}`, 0, { headers: ['X-A', 'b'] });
    expect(urlOf(page).length).toBeLessThan(400);
    expect(await program.follow(page, '?q=3')).toBe('/flow?q=0 a 0 b 1 b 2');
  });

  test('withErrorsToBrowser() catches after a page was answered elsewhere', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, sendBack, withErrorsToBrowser')}${ASK}
      export default function start() { return withErrorsToBrowser(sendBack, async () => { await ask('on'); throw new Error('it broke'); }); }`);
    const page = await program.text('/guarded');
    expect(await (await program.elsewhere()).follow(page)).toContain('it broke');
  });

  test('sequential() asks for one item after another, and goes back to any', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, sequential')}${ASK}
      export default async function start() {
        return (await sequential(['a', 'b', 'c'], async (each, index) => index + each + (await ask(each)))).join();
      }`);
    const there = await program.elsewhere();
    const a = await program.text('/items');
    const b = await there.follow(a, '?n=1');
    const c = await there.follow(b, '?n=2');
    expect(await there.follow(c, '?n=3')).toBe('0a1,1b2,2c3');
    expect(await program.follow(await program.follow(b, '?n=20'), '?n=3')).toBe('0a1,1b20,2c3');
    expect(await program.follow(c, '?n=4')).toBe('0a1,1b2,2c4');
  });

  test('softState() is saved as how it is computed, and computed once in each thread', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, softState')}${ASK}
      let computed = 0;
      export default async function start({ query }) {
        const size = Number(query.get('size'));
        const table = softState(() => { computed++; return Array.from({ length: size }, (_, n) => n); });
        await table.get();
        await table.get();
        for (;;) { await ask('computed ' + computed); const { length } = await table.get(); await ask(length + ' ' + computed); }
      }`);
    const there = await program.elsewhere();
    const page = await program.text('/soft?size=5000');
    expect(page).toContain('computed 1');
    expect(urlOf(page).length).toBeLessThan(250);
    expect(await there.follow(page)).toContain('5000 1');
  });

  test('captureContinuation() gives the rest of the run as a value, which a page can hold and any thread resume', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, captureContinuation')}${ASK}
      export default async function start() {
        let again = null;
        const value = await captureContinuation((k) => { again = k; return { k, n: 0 }; });
        const n = Number(await ask('n is ' + value.n));
        if (n > 0) return value.k.resume({ k: value.k, n: value.n + n });
        return 'end ' + value.n;
      }`);
    const there = await program.elsewhere();
    const zero = await program.text('/k');
    const two = await there.follow(zero, '?n=2');
    expect(two).toContain('n is 2');
    const five = await there.follow(two, '?n=3');
    expect(five).toContain('n is 5');
    expect(await program.follow(five, '?n=0')).toBe('end 5');
    expect(await program.follow(two, '?n=0')).toBe('end 2');
  });

  test('captureContinuation(): a run can hold itself in a variable that was there before, and be resumed from pages', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, captureContinuation')}${ASK}
      export default async function start() {
        let again;
        const held = {};
        const n = await captureContinuation((k) => { again = k; held.k = k; return 0; });
        const more = Number(await ask('n is ' + n));
        if (more > 0) return (more > 9 ? held.k : again).resume(n + more);
        return 'end ' + n + (again === held.k);
      }`);
    const there = await program.elsewhere();
    const zero = await program.text('/k');
    const two = await there.follow(zero, '?n=2');
    expect(two).toContain('n is 2');
    const twelve = await program.follow(two, '?n=10');
    expect(twelve).toContain('n is 12');
    expect(await there.follow(twelve, '?n=0')).toBe('end 12true');
    expect(await there.follow(two, '?n=0')).toBe('end 2true');
  });

  test('serverRef() keeps a value in its thread; its page is for that thread, and elsewhere it is gone', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, serverRef')}${ASK}
      export default async function start() {
        const ref = serverRef({ promise: Promise.resolve('kept'), run: () => 5 });
        await ask('on');
        try { const value = ref.get(); return (await value.promise) + value.run(); } catch (error) { return error.code; }
      }`);
    const page = await program.text('/ref');
    expect(urlOf(page)).toMatch(/;c=0[\w-]+;at=r0\.1-1$/);
    expect(await program.follow(page)).toBe('kept5');
    expect(await (await program.elsewhere()).follow(page)).toBe('SERVLET_NO_SERVER_REF');
  });

  test('native() waits in its thread, as in a stateful servlet, and can be answered once', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, native')}${ASK}
      export default async function start() {
        const [n] = await native(() => Promise.all([ask('inside')]));
        return 'got ' + n + ' and ' + (await ask('after'));
      }`);
    const page = await program.text('/native');
    expect(urlOf(page)).toContain(';k=r0.1-1.');
    expect((await (await program.elsewhere()).ask(urlOf(page))).status).toBe(410);
    const after = await program.follow(page, '?n=1');
    await expect(program.ask(urlOf(page))).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
    expect(after).toContain('after');
  });
});

describe('what of the library can stand in a saved page', () => {
  test('web cells and web parameters inside objects and arrays, by where the module made them', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, webCell, webParameter')}${ASK}
      const cells = { count: webCell(0), all: [webCell('x')] }, tones = { tone: webParameter('plain') };
      export default async function start() {
        const { count } = cells, held = { count, tone: tones.tone, of: tones };
        count.shadow(count.get() + 1);
        return tones.tone.run('loud', async () => {
          await ask(held.tone());
          held.count.shadow(held.count.get() + 1);
          return [count.get(), held.count === cells.count, held.tone(), held.tone === tones.tone].join();
        });
      }`);
    const page = await program.text('/flow');
    expect(page).toContain('loud');
    expect(await (await program.elsewhere()).follow(page)).toBe('2,true,loud,true');
  });

  test('a web cell that a function makes is refused, by its name', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, webCell')}${ASK}
      export default async function start() { const local = webCell(0); await ask('x'); return local.get(); }`);
    await expect(program.ask('/flow')).rejects.toMatchObject({
      code: 'SERVLET_UNSERIALIZABLE',
      message: expect.stringMatching(/servlet\.ts:\d+:\d+\): "local" is an instance of /) as string,
    });
  });

  test('pages: html, raw markup and X-expressions, as what they are', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, raw')}${ASK}
      export default async function start({ query }) {
        const head = html\`<b>\${query.get('q')}</b>\`, rule = raw('<hr>'), list = ['ul', ['li', { class: 'one' }, 'x < y']];
        await ask('x');
        return html\`\${head}\${rule}\${head instanceof Object}\${JSON.stringify(list)}\`;
      }`);
    const page = await program.text('/flow?q=a%3Cb');
    expect(await (await program.elsewhere()).follow(page)).toMatch(/^<b>a&lt;b<\/b><hr>true\[&quot;ul&quot;/);
  });

  test('an expiration handler and what it has captured; the page goes on elsewhere under it', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, onExpired')}${ASK}
      export default function start({ query }) {
        const name = query.get('name');
        return onExpired(() => 'gone, ' + name, async () => { await ask('one'); await ask('two'); return 'done, ' + name; });
      }`);
    const there = await program.elsewhere();
    const two = await there.follow(await program.text('/flow?name=ada'));
    expect(two).toContain('two');
    expect(await program.follow(two)).toBe('done, ada');
  });

  test('a value in a page of withErrorsToBrowser() that can’t be saved is named, with the way to it and the line', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, sendBack, withErrorsToBrowser')}${ASK}
      export default async function start() {
        const cart = { items: [{ price: 1, lock: new WeakMap() }] };
        const page = withErrorsToBrowser(sendBack, async () => { await ask('x'); return cart.items.length; });
        return String(await page);
      }`);
    const page = await program.text('/flow');
    expect(page).toMatch(/cart[^]*items\[0\]\.lock[^]*WeakMap/);
  });

  test('code that can not be saved is refused with what it is and its line, and not as code of a library', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, currentRequest')}${ASK}
      export default async function start() {
        class Counter { static count = 3; }
        const items = [currentRequest().bindings.has('made') ? new Counter() : Counter];
        await ask('x');
        return String(items);
      }`);
    await expect(program.ask('/flow?made')).rejects.toMatchObject({
      message: expect.stringContaining(
        '"items[0]" is an instance of Counter, which is a class with static fields',
      ) as string,
    });
    await expect(program.ask('/flow')).rejects.toMatchObject({
      code: 'SERVLET_UNSERIALIZABLE',
      message: expect.stringMatching(
        /"items\[0\]" is a class with static fields that is declared inside a function: declare it at the top level \(.*:\d+:\d+\)$/,
      ) as string,
    });
  });

  test('a captured continuation with a native part in it is refused', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, captureContinuation, native')}${ASK}
      export default async function start() {
        const k = await native(() => captureContinuation((captured) => captured));
        await ask('x');
        return String(k);
      }`);
    await expect(program.ask('/flow')).rejects.toMatchObject({
      code: 'SERVLET_UNSERIALIZABLE',
      message: expect.stringContaining('"k" has a native part in it') as string,
    });
  });
});

describe('fileBox()', () => {
  test('holds values of all kinds, for all threads; two changes at once both happen', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('sendSuspend, fileBox')}${ASK}
      export default async function start(request) {
        const query = request.query;
        const box = fileBox('state', { n: 0, seen: new Set(), at: new Date(0) });
        const { n } = await box.update((state) => ({ n: state.n + 1, seen: state.seen.add(query.get('who')), at: state.at }));
        await ask('n is ' + n);
        const { seen, at } = await box.get();
        return [...seen].sort().join() + ' ' + at.getTime();
      }`);
    const pages = await Promise.all(Array.from({ length: 8 }, (_, n) => program.text(`/box?who=v${n}`)));
    const counts = pages.map((page) => Number(/n is (\d)/.exec(page)![1]));
    expect(counts.sort((left, right) => left - right)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await (await program.elsewhere()).follow(pages[0]!)).toBe('v0,v1,v2,v3,v4,v5,v6,v7 0');
  });

  test('without an initial value it is empty until it is set', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('fileBox')}
      const box = fileBox('empty one');
      export default async function start(request) {
        const query = request.query;
        if (query.get('set') !== undefined) await box.set(undefined);
        return (await box.has()) + ' ' + (await box.get().catch((error) => error.code));
      }`);
    expect(await program.text('/box')).toBe('false SERVLET_FILE_BOX_EMPTY');
    expect(await program.text('/box?set=')).toBe('true undefined');
  });

  test('refuses values that can’t be saved or are too large, and names that are none', async () => {
    const program = await StatelessProgram.load(`${IMPORTS('fileBox')}
      export default async function start() {
        const failed = await Promise.allSettled([
          fileBox('bad').set({ promise: Promise.resolve() }),
          fileBox('large').set('x'.repeat(2 ** 20)),
        ]);
        return failed.map(({ reason }) => reason.code).join();
      }`);
    expect(await program.text('/box')).toBe('SERVLET_UNSERIALIZABLE,FILE_BOX_TOO_LARGE');
    const { fileBox } = await import('../../../packages/worker/src/servlet/file-box.ts');
    for (const name of ['', 'x'.repeat(256)]) expect(() => fileBox(name)).toThrow(RangeError);
  });
});
