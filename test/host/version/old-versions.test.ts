import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { childProcesses } from '../../support/process-tree.ts';
import { RestartableHost } from '../../support/restartable-host.ts';
import { startTrusted, StartedHost } from '../../support/started-host.ts';
import { type Shown, Visitor } from '../../support/visitor.ts';

const logs = mkdtempSync(join(tmpdir(), 'custodian-old-versions-'));
afterAll(() => rmSync(logs, { recursive: true }));

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

const LAZILY = `
    const [one, two] = [await ask('one'), await ask('two')];
    const { combine } = await import('./combine.mjs');
    return 'first ' + combine(one, two);`;

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

  test('says so to visitor and operator where the old code needs a module that was not kept with it, and answers in it else', async () => {
    const logDestination = join(logs, `${persistence}.log`);
    const lazy = first(persistence)
      .replace("import { combine } from './combine.mjs';", '')
      .replace(/return 'first '.*/, LAZILY);
    await using started = await StartedHost.start(
      { flow: lazy, combine: COMBINE },
      { store: 'memory', unit: 'instance', log: 'events', logDestination, isDevelopment: false },
      { flow: { spareThreads: 0, limits: { oldVersionMs: 3_600_000 } } },
    );
    const visitor = new Visitor(started.url);
    const one = await visitor.get('/flow');
    writeFileSync(started.directory.file('flow'), second(persistence));
    started.host.reload('flow');
    if (persistence === 'checkpoint') await started.host.killCell(Number(/pid (\d+)/.exec(one.text)![1]));
    const two = await answer(visitor, one, 3);
    expect(two.text).toContain('two first');
    const refused = await answer(visitor, two, 4);
    expect(refused.status).toBe(410);
    expect(refused.text).toContain('This page is of an older version');
    expect(refused.text).toContain('SERVLET_OLD_MODULE');
    expect(refused.text).not.toContain('combine');
    await eventually(
      () => readFileSync(logDestination, 'utf8'),
      (text) => /Cannot import .*combine\.mjs: .* import it at the top/.test(text),
    );
    expect((await answer(visitor, one, 3)).text).toContain('two first');
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

test('templates and other files that old code reads are what they are now', async () => {
  const flow = (persistence: Persistence): string => `
    import { readFileSync } from 'node:fs';
    import { html, sendSuspend, template } from '@custodian/worker';
    export const ${persistence} = true;
    const page = template('page.html');
    export default async function start() {
      await sendSuspend((url) => html\`<a href="\${url}">first, pid \${process.pid}</a>\`);
      return page({ data: 'old code: ' + readFileSync(new URL('data.json', import.meta.url), 'utf8') });
    }`;
  for (const persistence of ['stateless', 'checkpoint'] as const) {
    await using started = await StartedHost.start(
      { flow: flow(persistence) },
      { store: 'memory', unit: 'instance' },
      { flow: { limits: { oldVersionMs: 3_600_000 } } },
    );
    const { path } = started.directory;
    writeFileSync(join(path, 'page.html'), '<p>template of then, ${data}</p>');
    writeFileSync(join(path, 'data.json'), '"data of then"');
    const visitor = new Visitor(started.url);
    const one = await visitor.get('/flow');
    writeFileSync(started.directory.file('flow'), second(persistence));
    writeFileSync(join(path, 'page.html'), '<p>template of now, ${data}</p>');
    writeFileSync(join(path, 'data.json'), '"data of now"');
    started.host.reload('flow');
    if (persistence === 'checkpoint') await started.host.killCell(Number(/pid (\d+)/.exec(one.text)![1]));
    const end = await answer(visitor, one, 3);
    expect(end.isSentOn).toBe(true);
    expect(end.text).toBe('<p>template of now, old code: &quot;data of now&quot;</p>');
  }
}, 60_000);

test('an old version has two threads at once, however many come for it, and all of them are answered', async () => {
  const notes = join(logs, 'at-work');
  // So many as are at work at once note it, and a third would have the time to come.
  const slow = `
    import { appendFileSync, readFileSync } from 'node:fs';
    import { html, sendSuspend } from '@custodian/worker';
    export const stateless = true;
    const FILE = ${JSON.stringify(notes)};
    const atWork = () => readFileSync(FILE, 'latin1').split('').reduce((sum, sign) => sum + (sign === '+' ? 1 : -1), 0);
    export default async function start() {
      await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
      appendFileSync(FILE, '+');
      let most = 0;
      for (const until = Date.now() + 800; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 20)))
        most = Math.max(most, atWork());
      appendFileSync(FILE, '-');
      return 'first, at work at once: ' + most;
    }`;
  await using started = await startTrusted(
    { flow: slow },
    { store: 'memory', unit: 'instance', limits: { threadsMaxCount: 8 } },
    { flow: { limits: { oldVersionMs: 3_600_000 } } },
  );
  const visitor = new Visitor(started.url);
  const pages = await Promise.all(Array.from({ length: 6 }, () => visitor.get('/flow')));
  writeFileSync(started.directory.file('flow'), second('stateless'));
  started.host.reload('flow');
  const ends = await Promise.all(pages.map((page) => answer(visitor, page, 3)));
  const most = ends.map(({ text }) => Number(/^first, at work at once: (\d)$/.exec(text)?.[1] ?? NaN));
  expect(Math.max(...most)).toBe(2);
}, 60_000);

test('an old version is kept when somebody else has ended its thread before that could answer', async () => {
  const slow = `await new Promise((resolve) => setTimeout(resolve, 1500));\n${first('stateless')}`;
  await using started = await StartedHost.start(
    { flow: slow, combine: COMBINE },
    { store: 'memory', unit: 'instance' },
    { flow: { spareThreads: 0, limits: { oldVersionMs: 3_600_000 } } },
  );
  const visitor = new Visitor(started.url);
  const one = await visitor.get('/flow');
  const killAll = async (): Promise<void> => {
    for (const { pid } of childProcesses(process.pid)) await started.host.killCell(pid).catch(() => {});
  };
  writeFileSync(started.directory.file('flow'), second('stateless'));
  started.host.reload('flow');
  await killAll();
  const two = await answer(visitor, one, 3);
  await killAll();
  // Its address goes to a thread of that version alone.
  const answering = answer(visitor, two, 4);
  await eventually(
    () => started.host.servlets.find(({ name }) => name === 'flow')!.threads,
    (count) => count === 1,
  );
  await killAll();
  await answering;
  expect((await answer(visitor, two, 4)).text).toBe('first 7');
}, 60_000);
