import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

/** A sum of three numbers, whose answers can be made slow, busy or fatal. */
const sumWith = (continuationTimeoutMs: number): string => `
  import { existsSync, writeFileSync } from 'node:fs';
  import { createTimeoutManager, html, sendFinish, sendSuspend } from '@custodian/worker';
  export const manager = createTimeoutManager({ instanceTimeoutMs: 60_000, continuationTimeoutMs: ${continuationTimeoutMs} });
  export const startUrl = '/sum?from=the-start';
  let answered = 0, fatalAt = Infinity;
  async function misbehave({ bindings, query }) {
    if (++answered >= fatalAt) process.exit(1);
    if (bindings.has('die')) process.exit(1);
    if (bindings.has('sleep')) await new Promise((resolve) => setTimeout(resolve, Number(bindings.get('sleep'))));
    if (bindings.has('hold')) {
      writeFileSync(bindings.get('hold') + '-begun', '');
      while (!existsSync(bindings.get('hold'))) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (bindings.has('spin')) {
      writeFileSync(bindings.get('spin') + '-begun', '');
      while (!existsSync(bindings.get('spin')));
    }
    if (bindings.has('greedy')) for (const held = [];;) held.push(new Array(1e5).fill(held.length));
    if (query.has('arm')) fatalAt = answered + Number(query.get('arm'));
  }
  async function ask(sum) {
    const request = await sendSuspend((url) => html\`<p>so far \${sum}</p><a href="\${url}">on</a>\`);
    await misbehave(request);
    return Number(request.bindings.get('n'));
  }
  export default async function start(request) {
    await misbehave(request);
    let sum = 0;
    for (let i = 0; i < 3; i++) sum += await ask(sum);
    return sendFinish(html\`<p>sum \${sum}</p>\`);
  }`;
const SUM = sumWith(60_000);

const placeOf = (page: Shown): string => /;k=([^.]+\.[^.]+)/.exec(continuationsOf(page)[0] ?? '')?.[1] ?? page.text;
const textOf = (page: Shown): string => /<p>(.*?)<\/p>/.exec(page.text)?.[1] ?? page.text;

describe.each(['connection', 'instance'] as const)("routing with unit '%s'", (unit) => {
  test.each(['hold', 'spin'])(
    'a continuation waits for its own thread while that is busy (%s), and fresh visitors do not',
    async (how) => {
      const limits = { wallMs: 25_000, cpuMs: 25_000, queueTimeoutMs: 25_000 };
      await using started = await StartedHost.start({ sum: SUM }, { unit, limits, profile: 'trusted' });
      const visitor = new Visitor(started.url);
      const first = await visitor.get('/sum');
      const go = started.directory.file('go');
      const ended: string[] = [];
      const seen = async (name: string, asked: Promise<Shown>): Promise<[string, string]> => {
        const page = await asked;
        ended.push(name);
        return [textOf(page), placeOf(page)];
      };
      const busy = seen('busy', visitor.follow(first, { n: '1', [how]: go }));
      // The servlet is at it when it says so.
      await eventually(() => existsSync(`${go}-begun`), Boolean);
      const waiting = [
        seen('waited', visitor.follow(first, { n: '2' })),
        seen('waited', visitor.post(first, { n: '3' })),
      ];
      const [freshText, freshPlace] = await seen('fresh', visitor.get('/sum'));
      expect([freshText, freshPlace === placeOf(first), ended]).toEqual(['so far 0', false, ['fresh']]);
      started.directory.write('go', '');
      expect(await Promise.all([busy, ...waiting])).toEqual(
        ['so far 1', 'so far 2', 'so far 3'].map((text) => [text, placeOf(first)]),
      );
      expect(ended.slice(0, 2)).toEqual(['fresh', 'busy']);
    },
  );

  test('the continuations of a thread that was killed are answered by a page that says why', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { unit });
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const second = await visitor.follow(first, { n: '1' });
    const guilty = await visitor.follow(second, { greedy: 'yes' });
    expect([guilty.status, guilty.text.includes('LIMIT_HEAP')]).toEqual([503, true]);
    for (const page of [first, second]) {
      const gone = await visitor.follow(page, { n: '5' });
      expect([gone.status, textOf(gone)]).toEqual([410, 'This page&#39;s program was stopped: memory, 50 MB.']);
      expect(gone.text).toContain('<a href="/sum?from=the-start">Start again</a>');
      expect((await visitor.post(page, { n: '5' })).status).toBe(410);
    }
    expect(textOf(await visitor.get('/sum'))).toBe('so far 0');
  });

  test('those who wait for a thread when it dies are told as well, at once', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { unit, profile: 'trusted' });
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const go = started.directory.file('go');
    const fatal = visitor.follow(first, { hold: go, greedy: 'yes' });
    await eventually(() => existsSync(`${go}-begun`), Boolean);
    const waiting = Promise.all([visitor.follow(first, { n: '1' }), visitor.post(first, { n: '2' })]);
    // Who is not there by then is told the same.
    await sleep(50);
    started.directory.write('go', '');
    expect((await waiting).map(({ status }) => status)).toEqual([410, 410]);
    expect((await fatal).status).toBe(503);
  });

  test('a thread stays while it holds continuations, and goes when its manager has let go of the last one', async () => {
    await using started = await StartedHost.start(
      { sum: sumWith(3000) },
      { unit, limits: { cellIdleTimeoutMs: 200 } },
      { sum: { spareThreads: 0 } },
    );
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const status = (): { threads: number; continuations: number; continuationBytes: number } =>
      started.host.servlets[0]!;
    expect(status().continuations).toBe(1);
    expect(status().continuationBytes).toBeGreaterThan(100);
    await sleep(700);
    expect(textOf(await visitor.follow(first, { n: '7' }))).toBe('so far 7');
    await eventually(
      () => [status().threads, status().continuations],
      ([threads, continuations]) => threads === 0 && continuations === 0,
      { ms: 15_000 },
    );
    expect((await visitor.follow(first, { n: '7' })).status).toBe(410);
  });

  test('only so many wait for one thread', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { unit, limits: { queueMaxCount: 2 } });
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const busy = visitor.follow(first, { n: '1', sleep: '400' });
    await sleep(50);
    const pages = await Promise.all(['1', '2', '3', '4'].map((n) => visitor.follow(first, { n })));
    expect(pages.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 503, 503]);
    expect((await busy).status).toBe(200);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('a death at answer %i of several flows never gives a wrong page', async (n) => {
    await using started = await StartedHost.start({ sum: SUM }, { unit, limits: { threadsMaxCount: 3 } });
    const armed = new Visitor(started.url);
    const first = await armed.get(`/sum?arm=${n}`);
    const flow = async (numbers: readonly number[], from: Shown | null): Promise<string[]> => {
      const visitor = new Visitor(started.url);
      const seen: string[] = [];
      let page = from ?? (await visitor.get('/sum'));
      let sum = 0;
      for (const number of numbers) {
        if (page.status !== 200) break;
        sum += number;
        page = await visitor.follow(page, { n: String(number) });
        const isRight = textOf(page) === `so far ${sum}` || textOf(page) === `sum ${sum}`;
        seen.push(page.status === 200 ? (isRight ? 'right' : `wrong: ${textOf(page)}`) : String(page.status));
      }
      return seen;
    };
    const flows = await Promise.all([
      flow([1, 10, 100], first),
      ...Array.from({ length: 3 }, (_, index) => flow([index + 2, (index + 2) * 10, (index + 2) * 100], null)),
    ]);
    for (const answer of flows.flat()) expect(['right', '410', '500', '503']).toContain(answer);
    expect(textOf(await new Visitor(started.url).get('/sum'))).toBe('so far 0');
  });
});

describe("routing with unit 'instance'", () => {
  test.each([{ unit: 'instance' as const }, { unit: 'connection' as const, cell: 'instance' as const }])(
    'each visitor has a thread as long as there is something to come back to: %o',
    async (held) => {
      await using started = await StartedHost.start({ sum: SUM }, {}, { sum: { ...held, spareThreads: 0 } });
      const visitor = new Visitor(started.url);
      const [ann, bob] = await Promise.all([visitor.get('/sum'), visitor.get('/sum')]);
      expect(placeOf(ann)).not.toBe(placeOf(bob));
      let page = ann;
      for (const n of ['1', '2']) {
        page = await visitor.follow(page, { n });
        expect(placeOf(page)).toBe(placeOf(ann));
      }
      expect(started.host.servlets[0]!.threads).toBe(2);
      expect(textOf(await visitor.follow(page, { n: '3' }))).toBe('sum 6');
      await eventually(
        () => started.host.servlets[0]!.threads,
        (threads) => threads === 1,
      );
      expect(textOf(await visitor.follow(bob, { n: '4' }))).toBe('so far 4');
    },
  );

  test('who finds all threads with visitors that rest is told at once when to try again, and takes nobody its pages', async () => {
    const held = { unit: 'instance' as const, limits: { threadsMaxCount: 2 } };
    await using started = await StartedHost.start({ sum: SUM }, { profile: 'trusted' }, { sum: held });
    const visitor = new Visitor(started.url);
    const [ann, bob] = [await visitor.get('/sum'), await visitor.get('/sum')];
    const since = performance.now();
    const third = await fetch(`${started.url}/sum`);
    expect([third.status, await third.text()]).toEqual([503, expect.stringContaining('LIMIT_THREADS')]);
    expect(performance.now() - since).toBeLessThan(5000);
    const retryAfterS = Number(third.headers.get('retry-after'));
    expect(retryAfterS).toBeGreaterThan(20);
    expect(retryAfterS).toBeLessThanOrEqual(30);

    // One that is at work may be over in a moment: two wait for it, and the one who gets its place rests.
    const go = started.directory.file('go');
    const page = await visitor.follow(await visitor.follow(ann, { n: '1' }), { n: '2' });
    const last = visitor.follow(page, { n: '3', hold: go });
    await eventually(() => existsSync(`${go}-begun`), Boolean);
    const waiting = [visitor.get('/sum'), visitor.get('/sum')];
    await sleep(200);
    started.directory.write('go', '');
    expect(textOf(await last)).toBe('sum 6');
    const pages = await Promise.all(waiting);
    expect(pages.filter((each) => each.status === 200).map(textOf)).toEqual(['so far 0']);
    expect(pages.filter((each) => each.status === 503 && each.text.includes('LIMIT_THREADS'))).toHaveLength(1);
    expect(textOf(await visitor.follow(bob, { n: '4' }))).toBe('so far 4');
  });

  test.each([
    [
      'visits that end with their first answer',
      "export default async () => { await new Promise((r) => setTimeout(r, 100)); return 'done'; }",
      {},
    ],
    ['visits that are saved', SUM, { checkpoint: true }],
  ])('with an instance each, a burst of more visitors than threads is answered: %s', async (_what, text, options) => {
    const held = { unit: 'instance' as const, limits: { threadsMaxCount: 2 }, ...options };
    await using started = await StartedHost.start({ sum: text }, { profile: 'trusted' }, { sum: held });
    const visitor = new Visitor(started.url);
    const pages = await Promise.all(Array.from({ length: 8 }, () => visitor.get('/sum')));
    expect(pages.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  });

  test('who waits for a visitor at work hears it when that one rests as well', async () => {
    const held = { unit: 'instance' as const, limits: { threadsMaxCount: 1 } };
    await using started = await StartedHost.start({ sum: SUM }, { profile: 'trusted' }, { sum: held });
    const visitor = new Visitor(started.url);
    const go = started.directory.file('go');
    const first = visitor.follow(await visitor.get('/sum'), { n: '1', hold: go });
    await eventually(() => existsSync(`${go}-begun`), Boolean);
    const second = visitor.get('/sum');
    await sleep(100);
    started.directory.write('go', '');
    expect(textOf(await first)).toBe('so far 1');
    const since = performance.now();
    expect((await second).text).toContain('LIMIT_THREADS');
    expect(performance.now() - since).toBeLessThan(5000);
  });
});

describe('routing', () => {
  test('threads that hold continuations take fresh visitors when there can be no others', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { limits: { threadsMaxCount: 1 } });
    const visitor = new Visitor(started.url);
    const pages = await Promise.all(Array.from({ length: 20 }, () => visitor.get('/sum')));
    expect(new Set(pages.map(placeOf)).size).toBe(1);
    const sums = await Promise.all(pages.map((page, index) => visitor.follow(page, { n: String(index) })));
    expect(sums.map(textOf)).toEqual(pages.map((_, index) => `so far ${index}`));
  });

  test('with unit servlet, requests of one instance go one after another, those of others beside them', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { unit: 'servlet' });
    const visitor = new Visitor(started.url);
    const [ann, bob] = [await visitor.get('/sum'), await visitor.get('/sum')];
    const ended: string[] = [];
    await Promise.all([
      visitor.follow(ann, { n: '1', sleep: '300' }).then(() => ended.push('ann 1')),
      sleep(50).then(async () => visitor.follow(ann, { n: '2' }).then(() => ended.push('ann 2'))),
      sleep(50).then(async () => visitor.follow(bob, { n: '3' }).then(() => ended.push('bob'))),
    ]);
    expect(ended).toEqual(['bob', 'ann 1', 'ann 2']);
  });

  test('with unit servlet, a request that never ends keeps the turn of its instance: who waits behind it is answered in time, and never runs', async () => {
    const limits = { wallMs: 1500 };
    await using started = await StartedHost.start({ sum: SUM }, { unit: 'servlet', limits, profile: 'trusted' });
    const visitor = new Visitor(started.url);
    const [ann, bob] = [await visitor.get('/sum'), await visitor.get('/sum')];
    const [go, other] = [started.directory.file('go'), started.directory.file('other')];
    const stuck = visitor.follow(ann, { n: '1', hold: go });
    await eventually(() => existsSync(`${go}-begun`), Boolean);
    const behind = visitor.follow(ann, { n: '2', hold: other });
    expect(textOf(await visitor.follow(bob, { n: '3' }))).toBe('so far 3');
    expect([(await stuck).status, (await behind).status]).toEqual([504, 504]);
    // What the thread has answered after them comes after what it was told of them.
    expect(textOf(await visitor.follow(bob, { n: '3' }))).toBe('so far 3');
    started.directory.write('go', '');
    expect(textOf(await visitor.follow(ann, { n: '4' }))).toBe('so far 4');
    expect(existsSync(`${other}-begun`)).toBe(false);
  });

  test('a place that nobody knows is answered as expired, by the servlet', async () => {
    await using started = await StartedHost.start({ sum: SUM });
    const unknown = await new Visitor(started.url).get(`/sum;k=r0.999-9.1.1.${'A'.repeat(22)}`);
    expect([unknown.status, unknown.text.includes('This page has expired')]).toEqual([410, true]);
  });
});

const FETCH = `import { sendSuspend } from '@custodian/worker';
  export default { async fetch(request) {
    if (request.method === 'POST') return new Response(await request.text());
    const reply = await sendSuspend((url) => new Response('<form action="' + url + '" method="post">'));
    const form = await reply.toRequest().formData();
    return Response.json([reply.bindings.get('name'), form.get('name'), await reply.text()]);
  } };`;
const FETCH_STATELESS = `import { html, sendSuspendHidden } from '@custodian/worker';
  export const stateless = true;
  export default { async fetch(request) {
    if (request.method === 'POST') return new Response(await request.text());
    const reply = await sendSuspendHidden((url, field) => html\`<form action="\${url}" method="post">\${field}</form>\`);
    return Response.json([reply.bindings.get('name')]);
  } };`;

test('the page of a fetch function is answered by a form whose fields are there; other forms it reads itself', async () => {
  await using started = await StartedHost.start({ own: FETCH, stateless: FETCH_STATELESS });
  const visitor = new Visitor(started.url);
  const first = await visitor.get('/own');
  for (const name of ['Ada & Bob', 'Cy'])
    expect(JSON.parse((await visitor.post(first, { name })).text)).toEqual([
      name,
      name,
      new URLSearchParams({ name }).toString(),
    ]);
  for (const path of ['/own', '/stateless'])
    expect((await visitor.get(path, { method: 'POST', body: new URLSearchParams({ a: '1' }) })).text).toBe('a=1');
  const kont = /name="kont" value="([^"]+)"/.exec((await visitor.get('/stateless')).text)![1]!;
  const reply = await visitor.get('/stateless', { method: 'POST', body: new URLSearchParams({ name: 'Ada', kont }) });
  expect(JSON.parse(reply.text)).toEqual(['Ada']);
});

test('a suspension while a module is loaded is an error that shows its line: at the start, and in a module that a request imports', async () => {
  const suspend = `import { html, sendSuspend } from '@custodian/worker';\n`;
  const wizard = `${suspend}export const answer = (await sendSuspend((url) => html\`\${url}\`)).query.get('n');`;
  await using started = await StartedHost.start({
    early: `${wizard}\nexport default () => answer;`,
    late: `${suspend}export default async () => (await import('./wizard.mjs')).answer;`,
  });
  started.directory.write('wizard.mjs', wizard);
  const visitor = new Visitor(started.url);
  const early = await visitor.get('/early');
  expect(early.status).toBe(503);
  expect(early.text).toContain('early.mjs:2:30');
  expect(early.text).toContain('SERVLET_LOAD');
  const late = await visitor.get('/late');
  expect(late.status).toBe(500);
  expect(late.text).toMatch(/Cannot capture a continuation in an unsafe context[^]*captured at: [^ ]*wizard\.mjs:2:30/);
});
