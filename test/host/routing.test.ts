import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

/** A sum of three numbers, whose answers can be made slow, busy or fatal. */
const SUM = `
  import { createTimeoutManager, html, sendFinish, sendSuspend } from '@custodian/worker';
  export const manager = createTimeoutManager({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 2500 });
  export const startUrl = '/sum?from=the-start';
  let answered = 0, fatalAt = Infinity;
  async function misbehave({ bindings, query }) {
    if (++answered >= fatalAt) process.exit(1);
    if (bindings.has('die')) process.exit(1);
    if (bindings.has('sleep')) await new Promise((resolve) => setTimeout(resolve, Number(bindings.get('sleep'))));
    if (bindings.has('spin')) for (const until = Date.now() + Number(bindings.get('spin')); Date.now() < until;);
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

const placeOf = (page: Shown): string => /;k=([^.]+\.[^.]+)/.exec(continuationsOf(page)[0] ?? '')?.[1] ?? page.text;
const textOf = (page: Shown): string => /<p>(.*?)<\/p>/.exec(page.text)?.[1] ?? page.text;

describe.each(['connection', 'instance'] as const)("routing with unit '%s'", (unit) => {
  test('a continuation waits for its own thread while that is busy or stalled, and fresh visitors do not', async () => {
    await using started = await StartedHost.start({ sum: SUM }, { unit });
    const visitor = new Visitor(started.url);
    await started.warm('/sum', '/sum');
    const first = await visitor.get('/sum');
    for (const [how, ms] of [
      ['sleep', '500'],
      ['spin', '300'],
    ] as const) {
      const begun = performance.now();
      const busy = visitor.follow(first, { n: '1', [how]: ms });
      await sleep(60);
      const [waited, posted, fresh] = await Promise.all([
        visitor.follow(first, { n: '2' }).then((page) => [textOf(page), placeOf(page), performance.now() - begun]),
        visitor.post(first, { n: '3' }).then((page) => [textOf(page), placeOf(page)]),
        visitor.get('/sum').then((page) => [textOf(page), placeOf(page), performance.now() - begun]),
      ]);
      const [freshText, freshPlace, freshMs] = fresh as [string, string, number];
      expect([waited[0], waited[1]]).toEqual(['so far 2', placeOf(first)]);
      expect(posted).toEqual(['so far 3', placeOf(first)]);
      expect(waited[2]).toBeGreaterThanOrEqual(Number(ms) - 20);
      expect([freshText, freshPlace === placeOf(first)]).toEqual(['so far 0', false]);
      expect(freshMs).toBeLessThan(Number(ms));
      expect(textOf(await busy)).toBe('so far 1');
    }
  });

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
    await using started = await StartedHost.start({ sum: SUM }, { unit });
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const fatal = visitor.follow(first, { sleep: '200', greedy: 'yes' });
    await sleep(50);
    const waiting = await Promise.all([visitor.follow(first, { n: '1' }), visitor.post(first, { n: '2' })]);
    expect(waiting.map(({ status }) => status)).toEqual([410, 410]);
    expect((await fatal).status).toBe(503);
  });

  test('a thread stays while it holds continuations, and goes when its manager has let go of the last one', async () => {
    await using started = await StartedHost.start(
      { sum: SUM },
      { unit, limits: { cellIdleTimeoutMs: 500 } },
      { sum: { spareThreads: 0 } },
    );
    const visitor = new Visitor(started.url);
    const first = await visitor.get('/sum');
    const status = (): { threads: number; continuations: number; continuationBytes: number } =>
      started.host.servlets[0]!;
    expect(status()).toMatchObject({ threads: 1, continuations: 1 });
    expect(status().continuationBytes).toBeGreaterThan(100);
    await sleep(1900);
    expect(textOf(await visitor.follow(first, { n: '7' }))).toBe('so far 7');
    await eventually(
      () => [status().threads, status().continuations],
      ([threads, continuations]) => threads === 0 && continuations === 0,
      { ms: 8000 },
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

  test('a place that nobody knows is answered as expired, by the servlet', async () => {
    await using started = await StartedHost.start({ sum: SUM });
    const unknown = await new Visitor(started.url).get(`/sum;k=r0.999-9.1.1.${'A'.repeat(22)}`);
    expect([unknown.status, unknown.text.includes('This page has expired')]).toEqual([410, true]);
  });
});
