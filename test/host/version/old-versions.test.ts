import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RestartableHost } from '../../support/restartable-host.ts';
import { StartedHost } from '../../support/started-host.ts';
import { type Shown, Visitor } from '../../support/visitor.ts';

type Persistence = 'stateless' | 'checkpoint';

/** Asks for two numbers, and calls itself by the version's name on every page; the first one takes its operator from another module. */
const first = (persistence: Persistence): string => `
  import { html, sendSuspend } from '@custodian/worker';
  import { combine } from './combine.mjs';
  export const ${persistence} = true;
  const ask = async (label) => Number((await sendSuspend((url) => html\`<form action="\${url}">\${label} first, pid \${process.pid}</form>\`)).bindings.get('n'));
  export default async function start() {
    return 'first ' + combine(await ask('one'), await ask('two'));
  }`;
const COMBINE = 'export const combine = (a, b) => a + b;';
const second = (persistence: Persistence): string => `
  import { html, sendSuspend } from '@custodian/worker';
  export const ${persistence} = true;
  const ask = async (label) => Number((await sendSuspend((url) => html\`<form action="\${url}">\${label} second</form>\`)).bindings.get('n'));
  export default async function start() {
    return 'second ' + (await ask('one')) * (await ask('two'));
  }`;

/** Answers a page as a browser does, by POST, and is sent on at most once. */
async function answer(visitor: Visitor, page: Shown, n: number): Promise<Shown & { isSentOn: boolean }> {
  const sent = await visitor.post(page, { n: String(n) });
  if (sent.status !== 307) return { ...sent, isSentOn: false };
  const init = { method: 'POST', body: new URLSearchParams({ n: String(n) }) };
  return { ...(await visitor.get(sent.headers.get('location')!, init)), isSentOn: true };
}

describe.each(['stateless', 'checkpoint'] as const)('a servlet that is %s and keeps its old version', (persistence) => {
  test('lets open pages finish in the code that they began in, Back included, while new visits begin in the new one', async () => {
    await using started = await StartedHost.start(
      { flow: first(persistence), combine: COMBINE },
      { store: 'memory', unit: 'instance' },
      { flow: { spareThreads: 0, limits: { oldVersionMs: 3_600_000 } } },
    );
    const visitor = new Visitor(started.url);
    const one = await visitor.get('/flow');
    const alsoOne = await visitor.get('/flow');
    writeFileSync(started.directory.file('flow'), second(persistence));
    rmSync(started.directory.file('combine'));
    started.host.reload('flow');
    // Else their visits would stay in the threads that have them.
    if (persistence === 'checkpoint') await started.host.killCell(Number(/pid (\d+)/.exec(one.text)![1]));
    const fresh = await visitor.get('/flow');
    expect(fresh.text).toContain('one second');
    const two = await answer(visitor, one, 3);
    expect(two.text).toContain('two first');
    expect(two.isSentOn).toBe(true);
    const end = await answer(visitor, two, 4);
    expect(end).toMatchObject({ text: 'first 7', isSentOn: false });
    // Back, and another visit of then.
    expect((await answer(visitor, await answer(visitor, one, 10), 1)).text).toBe('first 11');
    expect((await answer(visitor, await answer(visitor, alsoOne, 20), 1)).text).toBe('first 21');
    expect((await answer(visitor, await answer(visitor, fresh, 3), 4)).text).toBe('second 12');
    // Who comes to the bare address of an old page begins anew.
    expect((await visitor.get(new URL(two.url).pathname.replace(/;[kc]=[^;]*/, ''))).text).toContain('one second');
  }, 60_000);

  test('still has it after kill -9 and a restart, and no longer than it was to be kept', async () => {
    await using host = await RestartableHost.start(
      { flow: first(persistence), combine: COMBINE },
      {},
      { flow: { spareThreads: 0, limits: { oldVersionMs: 3_600_000 } } },
    );
    const one = await host.visitor.get('/flow');
    await host.kill();
    writeFileSync(host.directory.file('flow'), second(persistence));
    await host.start();
    expect((await host.visitor.get('/flow')).text).toContain('one second');
    const two = await answer(host.visitor, one, 3);
    expect(two.text).toContain('two first');
    await host.restart();
    expect((await answer(host.visitor, two, 4)).text).toBe('first 7');
    host.hold('flow', { limits: { oldVersionMs: 1 } });
    await host.restart();
    await host.visitor.get('/flow');
    for (const page of [one, two]) {
      const refused = await answer(host.visitor, page, 1);
      expect(refused.status).toBe(410);
      expect(refused.text).toContain('SERVLET_PROGRAM_CHANGED');
    }
  }, 120_000);
});
