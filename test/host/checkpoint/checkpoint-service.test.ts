import { describe, expect, test } from 'vitest';
import { ProtocolError } from '@custodian/protocol';
import { CheckpointService } from '../../../packages/host/src/checkpoint/checkpoint-service.ts';
import { type Service, ServiceError } from '../../../packages/host/src/service/service.ts';
import { MemoryStore } from '../../../packages/host/src/store/memory-store.ts';
import { DatabaseServer, redisMissing } from '../../support/database-server.ts';
import { eventually } from '../../support/eventually.ts';
import { startTrusted, StartedHost } from '../../support/started-host.ts';
import { StoreTap } from '../../support/store-tap.ts';
import { type Shown, Visitor } from '../../support/visitor.ts';

const ASKS = JSON.stringify(new URL('../../../packages/worker/src/asks.ts', import.meta.url).href);
/** A servlet with checkpoints that asks for whatever its query says. */
const ASKER = `
  import { html, sendSuspend } from '@custodian/worker';
  import { ask } from ${ASKS};
  export const checkpoint = true;
  export default async function asker({ query }) {
    if (!query.has('head')) {
      const request = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
      return request.query.has('head') ? tell(request.query) : 'done';
    }
    return tell(query);
  }
  async function tell(query) {
    const head = query.get('head');
    const body = head.includes('save') ? Buffer.from('forged by its own thread') : null;
    try { return String((await (await ask(query.get('service') ?? 'checkpoint', JSON.parse(head), { body })).bytes(1e6)).length); }
    catch (error) { return error.code; }
  }`;

/** A service of the same kind that tells what the real one would end a cell for: each such end costs the start of another. */
function lenient(): Service {
  const service = new CheckpointService(new MemoryStore(), () => {});
  return {
    name: 'lenient',
    answer: async (ask) => {
      try {
        return await service.answer(ask);
      } catch (error) {
        throw error instanceof ProtocolError ? new ServiceError('PROTOCOL', error.message) : error;
      }
    },
  };
}

describe('CheckpointService', () => {
  test('a thread gets no instance that nobody has asked it for, and may not touch one that is not its own', async () => {
    await using started = await startTrusted({ asker: ASKER }, { store: 'memory', unit: 'instance' }, {}, [lenient()]);
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/asker');
    const home = /;k=(.*?\.\d+)\.\d+\./.exec(page.text)![1]!;
    const asked = (head: object, service: string): string =>
      `/asker?service=${service}&head=${encodeURIComponent(JSON.stringify(head))}`;
    expect((await visitor.get(asked({ revive: true }, 'checkpoint'))).text).toBe('CHECKPOINT_MISSING');
    for (const head of [
      { read: home },
      { look: home },
      { release: 7 },
      { forget: home },
      { save: home, lifetimeMs: 60_000, replaces: [''] },
      { save: home, lifetimeMs: 60_000, replaces: ['short'] },
      { save: 'nothing', lifetimeMs: 60_000, replaces: [''] },
    ])
      expect((await visitor.get(asked(head, 'lenient'))).text, JSON.stringify(head)).toBe('PROTOCOL');
    for (const head of [{ read: home }, { save: home, lifetimeMs: 60_000, replaces: [''] }]) {
      expect((await visitor.get(asked(head, 'checkpoint'))).status, JSON.stringify(head)).toBe(500);
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

/** Sets what its pages share, without a page more; so it can be again what it was before. */
const SETTER = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    const shared = { n: '0' };
    const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">set</a>\`);
    if (bindings.has('n')) shared.n = bindings.get('n');
    return 'it is ' + shared.n + ' in ' + process.pid;
  }`;

test.skipIf(missing !== null)(
  'an answer is saved when the instance is again what it was before one of which nobody knows whether it was saved',
  async () => {
    await using server = await DatabaseServer.redis();
    await using tap = await StoreTap.start(Number(new URL(server.url).port));
    const store = `redis://127.0.0.1:${tap.port}`;
    await using started = await StartedHost.start({ setter: SETTER }, { store }, { setter: { isEager: true } });
    await started.host.ready();
    const visitor = new Visitor(started.url);
    const page = await visitor.get('/setter');
    const set = (n: string): Promise<Shown> => visitor.follow(page, { n });
    expect((await set('1')).text).toMatch(/^it is 1 /);
    // The store keeps it, and is killed before it can say so.
    let isPut = false;
    tap.onEvent = async (event, piece) => {
      isPut ||= event === 'asked' && /eval/i.test(piece.toString('latin1'));
      if (!isPut || event !== 'answered') return;
      await server.kill();
      return 'lost';
    };
    expect((await set('2')).status).toBe(503);
    expect(isPut).toBe(true);
    tap.onEvent = null;
    await server.start();
    const answered = await eventually(
      () => set('1'),
      ({ status }) => status === 200,
      { ms: 15_000 },
    );
    expect(answered.text).toMatch(/^it is 1 /);
    await started.host.killCell(Number(/in (\d+)/.exec(answered.text)![1]));
    expect((await visitor.follow(page)).text).toMatch(/^it is 1 /);
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
