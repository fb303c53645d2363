import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DatabaseServer, postgresMissing } from '../../support/database-server.ts';
import { eventually } from '../../support/eventually.ts';
import { processesNamed } from '../../support/process-tree.ts';
import { RestartableHost } from '../../support/restartable-host.ts';
import { StartedHost } from '../../support/started-host.ts';
import { type Shown, Visitor } from '../../support/visitor.ts';

/** A list that all pages share, and beside it something that stays in the thread. A manager that counts time. */
const order = (timeoutMs: number): string => `
  import { createTimeoutManager, html, sendFinish, sendSuspend, serverRef } from '@custodian/worker';
  export const checkpoint = true;
  export const manager = createTimeoutManager({ instanceTimeoutMs: ${timeoutMs}, continuationTimeoutMs: ${timeoutMs} });
  const told = (ref) => { try { return ref.get() instanceof Promise ? 'here' : 'wrong'; } catch ({ code }) { return code; } };
  export default async function start() {
    const cart = [];
    const open = serverRef(new Promise(() => {}));
    for (let i = 0; i < 3; i++) {
      const { bindings } = await sendSuspend((url) =>
        html\`<a href="\${url}">cart \${cart.join('+')}, handle \${told(open)}</a> pid \${process.pid}\`);
      cart.push(bindings.get('n'));
    }
    return sendFinish('cart ' + cart.join('+') + ', handle ' + told(open));
  }`;

const HOUR_MS = 3_600_000;
const pidOf = ({ text }: Shown): number => Number(/pid (\d+)/.exec(text)?.[1]);
const saidBy = ({ text }: Shown): string => /cart [\d+]*, handle \w+/.exec(text)?.[0] ?? text;

const missing = postgresMissing();
if (missing !== null) console.warn(`test/host/checkpoint: PostgreSQL is skipped: ${missing}`);

describe.each([
  { store: 'directory', profile: 'guest' as const },
  { store: 'PostgreSQL', profile: 'guest' as const },
  // Where no jail can be had, as a guest.
  { store: 'sqlite', profile: 'jail' as const },
])('a visit in the store $store, with a timeout manager, of the profile $profile,', ({ store, profile }) => {
  test.skipIf(store === 'PostgreSQL' && missing !== null)(
    'goes on when its cell and its host are killed, without what stays in a thread',
    async () => {
      await using database = store === 'PostgreSQL' ? await DatabaseServer.postgres() : null;
      const options = { store: database?.url ?? store, profile, weakerProfile: 'guest' as const };
      await using host = await RestartableHost.start({ order: order(HOUR_MS) }, options, { order: { isEager: true } });
      const one = await host.visitor.get('/order');
      const two = await host.visitor.follow(one, { n: '1' });
      expect(saidBy(two)).toBe('cart 1, handle here');
      for (const { pid } of processesNamed(host.stateDir)) process.kill(pid, 'SIGKILL');
      // What is sent before the host has seen it dies with the cell.
      const three = await eventually(
        () => host.visitor.follow(two, { n: '2' }),
        ({ status }) => status === 200,
      );
      expect(saidBy(three)).toBe('cart 1+2, handle SERVLET_NO_SERVER_REF');
      await host.restart();
      expect(saidBy(await host.visitor.follow(three, { n: '3' }))).toBe('cart 1+2+3, handle SERVLET_NO_SERVER_REF');
      await host.restart();
      for (const page of [one, two, three]) expect((await host.visitor.follow(page, { n: '4' })).status).toBe(410);
    },
    120_000,
  );
});

test('a visit that rests in the store for longer than its manager lets it has expired, one that does not has not', async () => {
  await using started = await StartedHost.start(
    { brief: order(100), long: order(HOUR_MS) },
    { store: 'memory' },
    { brief: { isEager: true }, long: { isEager: true } },
  );
  await started.host.ready();
  const visitor = new Visitor(started.url);
  for (const [name, status] of [
    ['brief', 410],
    ['long', 200],
  ] as const) {
    const page = await visitor.get(`/${name}`);
    await started.host.killCell(pidOf(page));
    await sleep(100);
    expect((await visitor.follow(page, { n: '1' })).status).toBe(status);
  }
}, 60_000);

/** Counts in what its pages share, by a timer of its own. */
const TICKING = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    const shared = { ticks: 0 };
    setInterval(() => shared.ticks++, 5);
    for (;;) await sendSuspend((url) => html\`<a href="\${url}">\${shared.ticks} ticks</a> pid \${process.pid}\`);
  }`;

test('what runs on after its answer, such as a timer, is lost with its thread; what it had done when an answer was saved is not', async () => {
  await using started = await StartedHost.start({ ticking: TICKING }, { store: 'memory' });
  const visitor = new Visitor(started.url);
  const ticksOf = ({ text }: Shown): number => Number(/(\d+) ticks/.exec(text)?.[1]);
  let page = await visitor.get('/ticking');
  // In a thread that lives, it goes on.
  page = await eventually(
    () => visitor.follow(page),
    (shown) => ticksOf(shown) > 3,
  );
  await started.host.killCell(pidOf(page));
  const revived = await visitor.follow(page);
  expect(pidOf(revived)).not.toBe(pidOf(page));
  // It may have ticked once more between the page and the checkpoint of it.
  expect(ticksOf(revived) - ticksOf(page)).toBeOneOf([0, 1]);
  await sleep(100);
  expect(ticksOf(await visitor.follow(revived))).toBe(ticksOf(revived));
}, 60_000);

const RESTING = `
  import { html, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    for (let n = 0; ; n++) await sendSuspend((url) => html\`<a href="\${url}">page \${n}</a> pid \${process.pid}\`);
  }`;

test('lifetimeMs is how long a visit can rest in the store; in the thread where it began its manager says that', async () => {
  const lifetimeMs = 1000;
  await using started = await StartedHost.start(
    { brief: `${RESTING}\nexport const lifetimeMs = ${lifetimeMs};`, daylong: RESTING },
    { store: 'memory' },
  );
  const visitor = new Visitor(started.url);
  const [brief, daylong] = [await visitor.get('/brief'), await visitor.get('/daylong')];
  await sleep(lifetimeMs + 1);
  expect((await visitor.follow(brief)).text).toContain('page 1');
  await started.host.killCell(pidOf(brief));
  await sleep(lifetimeMs + 1);
  expect((await visitor.follow(brief)).status).toBe(410);
  await started.host.killCell(pidOf(daylong));
  expect((await visitor.follow(daylong)).text).toContain('page 1');
}, 60_000);
