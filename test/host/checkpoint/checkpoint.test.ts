import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RestartableHost } from '../../support/restartable-host.ts';
import { StartedHost } from '../../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../../support/visitor.ts';

/** A cart that all pages of a visit share, and a sum in locals. What an answer says about dying it does. */
const SHOP = `
  import { html, sendFinish, sendSuspend, webCell } from '@custodian/worker';
  export const checkpoint = true;
  const note = webCell('none');
  const die = {
    exit: () => process.exit(1),
    heap: () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); },
    cpu: () => { for (;;); },
    throw: () => { throw new Error('as asked'); },
  };
  async function ask(cart, sum) {
    const reply = await sendSuspend((url) =>
      html\`<form action="\${url}">sum \${sum}, cart \${cart.join('+')}, note \${note.get()}, pid \${process.pid}</form>\`);
    const { bindings } = reply;
    const n = Number(bindings.get('n'));
    if (bindings.get('die')) die[bindings.get('die')]();
    cart.push(n);
    note.shadow('after ' + n);
    return n;
  }
  export default async function shop() {
    const cart = [];
    let sum = 0;
    for (let i = 0; i < 3; i++) sum += await ask(cart, sum);
    return sendFinish(html\`sum \${sum}, cart \${cart.join('+')}, note \${note.get()}\`);
  }`;

const said = ({ text }: Shown): string => /sum \d+, cart [\d+]*, note [^,<]*/.exec(text)?.[0] ?? text.slice(0, 400);
const pidOf = ({ text }: Shown): number => Number(/pid (\d+)/.exec(text)?.[1]);

describe.each(['instance', 'connection', 'servlet'] as const)('a checkpointed servlet with unit %s', (unit) => {
  test('goes on from every page after its process was killed, Back included, with the heap as it was last', async () => {
    await using started = await StartedHost.start({ shop: SHOP }, { unit, store: 'memory' });
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/shop');
    let page = first;
    for (const n of [1, 2]) {
      await started.host.killCell(pidOf(page));
      page = await visitor.follow(page, { n: String(n) });
    }
    expect(said(page)).toBe('sum 3, cart 1+2, note after 2');
    // The first page again: its locals and its cells are its own, the cart is the visit's.
    await started.host.killCell(pidOf(page));
    const again = await visitor.follow(first, { n: '10' });
    expect(said(again)).toBe('sum 10, cart 1+2+10, note after 10');
    await started.host.killCell(pidOf(again));
    expect(said(await visitor.follow(page, { n: '4' }))).toBe('sum 7, cart 1+2+10+4, note after 4');
  });
});

/** The first answer leaves what can't be saved in a local of the second page; the second one lets go of it. */
const SOCKETS = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  const show = (text) => (url) => html\`<a href="\${url}">\${text}</a> pid \${process.pid}\`;
  async function withSocket(order) {
    const open = { sockets: [Promise.resolve(1)] };
    await sendSuspend(show('two'));
    return open.sockets.length + order.length;
  }
  export default async function start() {
    const order = ['tea'];
    await sendSuspend(show('one'));
    const count = await withSocket(order);
    await sendSuspend(show('three ' + count));
    return 'the end of ' + order;
  }`;

/** The second page puts what can't be saved where the first one has it too. */
const POISONED = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  const show = (text) => (url) => html\`<a href="\${url}">\${text}</a> pid \${process.pid}\`;
  export default async function start() {
    const visit = { open: null };
    await sendSuspend(show('one'));
    visit.open = Promise.resolve(1);
    await sendSuspend(show('two'));
    visit.open = null;
    await sendSuspend(show('three'));
    return 'the end ' + visit.open;
  }`;

const ONE = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  const run = Math.random();
  export default async function start() {
    for (let i = 0; ; i++) await sendSuspend((url) => html\`<a href="\${url}">\${i} \${run}</a> pid \${process.pid}\`);
  }`;

/** What a page only reads belongs to the page, as in a servlet without checkpoints. */
const LOOP = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    for (let sum = 0; ; ) {
      const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">\${sum}</a>\`);
      sum += Number(bindings.get('n'));
    }
  }`;

describe('a checkpointed servlet', () => {
  let started: StartedHost;
  let visitor: Visitor;
  beforeAll(async () => {
    started = await StartedHost.start(
      { shop: SHOP, sockets: SOCKETS, poisoned: POISONED, one: ONE, few: ONE, edited: ONE, loop: LOOP },
      { unit: 'instance', store: 'memory' },
      { few: { limits: { threadsMaxCount: 2 } }, shop: { limits: { cpuMs: 1500, heapMb: 40 } } },
    );
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  const threadsOf = (name: string): number => started.host.servlets.find((each) => each.name === name)!.threads;
  /** The cell of the page's servlet, with all its threads. */
  async function kill(page: Shown): Promise<void> {
    const pid = pidOf(page);
    await started.host.killCell(pid);
  }

  test.each([
    ['exit', 500],
    ['heap', 503],
    ['cpu', 504],
    ['throw', 500],
  ])('whose thread dies by %s answers the same page again, as if nothing had been', async (die, status) => {
    const page = await visitor.follow(await visitor.get('/shop'), { n: '1' });
    expect((await visitor.follow(page, { n: '2', die })).status).toBe(status);
    expect(said(await visitor.follow(page, { n: '5' }))).toBe('sum 6, cart 1+5, note after 5');
  });

  test('forgets an instance that has finished: none of its pages goes on, in no thread', async () => {
    const first = await visitor.get('/shop');
    let page = first;
    for (const n of [1, 2, 3]) page = await visitor.follow(page, { n: String(n) });
    expect(said(page)).toBe('sum 6, cart 1+2+3, note after 3');
    await kill(first);
    expect((await visitor.follow(first, { n: '1' })).status).toBe(410);
  });

  test('says of a page that could not be saved why, when its thread is gone; those before and after it go on', async () => {
    const one = await visitor.get('/sockets');
    const two = await visitor.follow(one);
    await kill(two);
    const lost = await visitor.follow(two);
    expect(lost.status).toBe(410);
    expect(lost.text).toContain('This page could not be kept');
    expect(lost.text).toMatch(/withSocket.*sockets\.mjs:7.*open\.sockets\[0\].*is a promise/s);
    const again = await visitor.follow(one);
    const three = await visitor.follow(again);
    expect(three.text).toContain('three 2');
    await kill(three);
    expect((await visitor.follow(three)).text).toBe('the end of tea');
    expect((await visitor.follow(again)).text).toContain('could not be kept');
  });

  test('keeps a page as it was saved when what it shares can’t be saved any more, until it can', async () => {
    const one = await visitor.get('/poisoned');
    const two = await visitor.follow(one);
    await kill(two);
    expect((await visitor.follow(two)).text).toContain('visit.open');
    const secondTwo = await visitor.follow(one);
    const three = await visitor.follow(secondTwo);
    await kill(three);
    expect((await visitor.follow(three)).text).toBe('the end null');
    expect((await visitor.follow(one)).text).toContain('two');
  });

  test('makes an instance again once for all who come for it at once', async () => {
    const page = await visitor.get('/one');
    await kill(page);
    const answers = await Promise.all(Array.from({ length: 6 }, () => visitor.follow(page)));
    expect(new Set(answers.map(({ text }) => /\d (0\.\d+)/.exec(text)?.[1])).size).toBe(1);
    expect(new Set(answers.flatMap(continuationsOf)).size).toBe(6);
  });

  test('goes on from each page with the locals of then, also where the page’s own function reads them', async () => {
    const first = await visitor.get('/loop');
    expect((await visitor.follow(await visitor.follow(first, { n: '1' }), { n: '10' })).text).toContain('>11<');
    expect((await visitor.follow(first, { n: '7' })).text).toContain('>7<');
  });

  test('lets resting instances make room for others at once, and come back', async () => {
    const pages: Shown[] = [];
    for (let i = 0; i < 6; i++) pages.push(await visitor.get('/few'));
    expect(threadsOf('few')).toBeLessThanOrEqual(2);
    for (const page of pages) expect((await visitor.follow(page)).text).toContain('>1 ');
    expect(threadsOf('few')).toBeLessThanOrEqual(2);
  });

  test('runs nothing of an instance whose code was edited meanwhile', async () => {
    const page = await visitor.get('/edited');
    writeFileSync(started.directory.file('edited'), ONE.replace('i = 0', 'i = 7'));
    await kill(page);
    const answer = await visitor.follow(page);
    expect(answer.status).toBe(410);
    expect(answer.text).toContain('SERVLET_PROGRAM_CHANGED');
    expect((await visitor.get('/edited')).text).toContain('>7 ');
  });
});

test('kill -9 of the host after each page of a checkpointed servlet loses nobody’s place, in the default store', async () => {
  await using host = await RestartableHost.start({ shop: SHOP }, { unit: 'instance' });
  let page = await host.visitor.get('/shop');
  const first = page;
  for (const n of [1, 2]) {
    await host.restart();
    page = await host.visitor.follow(page, { n: String(n) });
  }
  await host.restart();
  expect(said(await host.visitor.follow(page, { n: '3' }))).toBe('sum 6, cart 1+2+3, note after 3');
  await host.restart();
  expect((await host.visitor.follow(first, { n: '1' })).status).toBe(410);
}, 120_000);
