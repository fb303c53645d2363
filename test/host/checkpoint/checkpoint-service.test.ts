import { describe, expect, test } from 'vitest';
import { DatabaseServer, redisMissing } from '../../support/database-server.ts';
import { startTrusted, StartedHost } from '../../support/started-host.ts';
import { Visitor } from '../../support/visitor.ts';

const ASKS = JSON.stringify(new URL('../../../packages/worker/src/asks.ts', import.meta.url).href);
/** A servlet with checkpoints that asks for whatever its query says. */
const ASKER = `
  import { html, sendSuspend } from '@custodian/worker';
  import { ask } from ${ASKS};
  export const checkpoint = true;
  export default async function asker({ query }) {
    if (!query.has('head')) {
      const request = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
      return request.query.has('head') ? tell(request.query.get('head')) : 'done';
    }
    return tell(query.get('head'));
  }
  async function tell(head) {
    const body = head.includes('save') ? Buffer.from('forged by its own thread') : null;
    try { return String((await (await ask('checkpoint', JSON.parse(head), { body })).bytes(1e6)).length); }
    catch (error) { return error.code; }
  }`;

describe('CheckpointService', () => {
  test('a thread gets no instance that nobody has asked it for, and may not touch one that is not its own', async () => {
    await using started = await startTrusted({ asker: ASKER }, { store: 'memory', unit: 'instance' });
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/asker');
    const home = /;k=(.*?\.\d+)\.\d+\./.exec(page.text)![1]!;
    const asked = (head: object): string => `/asker?head=${encodeURIComponent(JSON.stringify(head))}`;
    expect((await visitor.get(asked({ revive: true }))).text).toBe('CHECKPOINT_MISSING');
    for (const head of [
      { read: home },
      { forget: home },
      { save: home, lifetimeMs: 60_000, replaces: [''] },
      { save: home, lifetimeMs: 60_000, replaces: ['short'] },
      { save: 'nothing', lifetimeMs: 60_000, replaces: [''] },
    ]) {
      expect((await visitor.get(asked(head))).status, JSON.stringify(head)).toBe(500);
      expect(started.host.ledger.obituaries.at(-1)?.cause).toBe('protocol');
    }
    // Its thread went down with the others' cell, and what it had saved is untouched.
    expect((await visitor.follow(page)).text).toBe('done');
  });

  test('what a thread has saved under its own name and not sealed is no instance: the page has expired', async () => {
    await using started = await startTrusted({ asker: ASKER }, { store: 'memory', unit: 'instance' });
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/asker');
    const home = /;k=(.*?\.\d+)\.\d+\./.exec(page.text)![1]!;
    expect((await visitor.follow(page, { head: JSON.stringify({ read: home }) })).text).toMatch(/^\d{2,4}$/);
    const other = await visitor.get('/asker');
    const others = /;k=(.*?)\.\d+\.\d+\./.exec(other.text)![1]!;
    // An instance that its own manager knows nothing of.
    const head = JSON.stringify({ save: `${others}.77`, lifetimeMs: 60_000, replaces: [''] });
    expect((await visitor.follow(other, { head })).text).toBe('0');
    expect((await visitor.get(`/asker;k=${others}.77.1.${'x'.repeat(22)}`)).status).toBe(410);
  });
});

const missing = redisMissing();
if (missing !== null) console.warn(`test/host/checkpoint: Redis is skipped: ${missing}`);

const COUNTER = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    for (let i = 0; ; i++) await sendSuspend((url) => html\`<a href="\${url}">\${i}</a> pid \${process.pid}\`);
  }`;

/** Its links are made while the page is sent, when its run is over. */
const LATE = (persistence: string): string => `
  import { sendSuspendDispatch } from '@custodian/worker';
  export const ${persistence} = true;
  export default async function start() {
    const large = Array.from({ length: 3000 }, () => Math.random());
    return sendSuspendDispatch((embed) => ({ body: (async function* () {
      yield 'begun by ' + process.pid + '. ';
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield embed(() => 'answered ' + large.length);
    })() }));
  }`;

test.skipIf(missing !== null).each(['checkpoint', 'stateless'])(
  'a link of a %s servlet that is made while its page is sent goes out when it is safe, or the page is cut before it',
  async (persistence) => {
    await using server = await DatabaseServer.redis();
    await using started = await StartedHost.start(
      { late: LATE(persistence) },
      { store: server.url },
      { late: { isEager: true } },
    );
    await started.host.ready();
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/late');
    expect(page.text).toMatch(/^begun .*;[kc]=/);
    await started.host.killCell(Number(/by (\d+)/.exec(page.text)![1]));
    expect((await visitor.follow(page)).text).toBe('answered 3000');
    await server.kill();
    const response = await fetch(`${started.url}/late`);
    let text = '';
    await expect(async () => {
      for await (const piece of response.body!) text += Buffer.from(piece).toString();
    }).rejects.toThrow('terminated');
    expect(text).toMatch(/^begun by \d+\. $/);
  },
  60_000,
);

test.skipIf(missing !== null)(
  'while its store is killed a checkpointed servlet shows no page that would not be safe, and goes on when it is back',
  async () => {
    await using server = await DatabaseServer.redis();
    await using started = await StartedHost.start({ counter: COUNTER }, { store: server.url });
    const visitor = new Visitor(started.url);
    const page = await visitor.follow(await visitor.get('/counter'));
    await server.kill();
    const refused = await visitor.follow(page);
    expect(refused.status).toBe(503);
    expect(refused.text).toContain('STORE_UNAVAILABLE');
    await server.start();
    await started.host.killCell(Number(/pid (\d+)/.exec(page.text)![1]));
    expect((await visitor.follow(page)).text).toContain('>2<');
  },
  60_000,
);
