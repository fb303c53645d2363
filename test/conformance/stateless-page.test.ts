import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type HeldAs, StartedHost } from '../support/started-host.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

/** What docs/stateless.md says, where no other test shows it. */
const [SUM = ''] = Array.from(
  readFileSync(new URL('../../docs/stateless.md', import.meta.url), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g),
  ([, code]) => code as string,
);

const LIBRARY = `import { clearContinuations, continuationUrl, createCookie, fileBox, html, native, redirectGet, redirectTo, sendSuspend,
  sendSuspendHidden } from '@custodian/worker';\n`;
const ASK = `
  async function ask(label) {
    const reply = await sendSuspend((url) => html\`\${label} <a href="\${url}">on</a> pid \${process.pid}.\`);
    return reply.bindings.get('n') ?? '';
  }`;
const stateless = (body: string, more = ''): string =>
  `${LIBRARY}export const stateless = true;\n${more}\nexport default async function start(request) { ${body} }${ASK}`;
const checkpointed = (body: string, more = ''): string =>
  `${LIBRARY}export const checkpoint = true;\n${more}\nexport default async function start(request) { ${body} }${ASK}`;

const STATELESS: Readonly<Record<string, string>> = {
  sum: stripTypeScriptTypes(
    `${LIBRARY}${SUM}${ASK}\nconst askNumber = async (label: string): Promise<number> => Number(await ask(label));`,
  ),
  object: stateless(`const cart = []; for (;;) cart.push(await ask('cart ' + cart.join('+')));`),
  module: stateless(`for (;;) { await ask('answered ' + answered); answered++; }`, `let answered = 0;`),
  identity: stateless(
    `const mine = { n: 1 }; kept = mine; await ask('on'); return [kept === mine, JSON.stringify(kept) === JSON.stringify(mine)].join();`,
    `let kept = null;`,
  ),
  hidden: stateless(`
    const x = request.query.get('x');
    await sendSuspendHidden((url, field) => html\`<form action="\${url}" method="post">\${field}</form>\`);
    return 'x is ' + x;`),
  plain: stateless(`const x = request.query.get('x'); await ask('on'); return 'x is ' + x;`),
  address: stateless(`return sendSuspend((url) => html\`\${url} \${JSON.stringify(continuationUrl(url))}\`);`),
  together: stateless(
    `await ask('on');
     await here.update((n) => n + 1);
     for (let i = 0; i < 400; i++) { if ((await here.get()) === 2) return 'together'; await new Promise((go) => setTimeout(go, 20)); }
     return 'alone';`,
    `const here = fileBox('here', 0);`,
  ),
  promise: stateless(`const cart = { items: [Promise.resolve()] }; await ask('on'); return cart.items.length;`),
  target: stateless(
    `return target();`,
    `async function target() { await ask('on'); return new.target === undefined; }`,
  ),
  evaluated: stateless(`return evaluated();`, `async function evaluated() { await ask('on'); return eval('1'); }`),
  natives: stateless(`
    await ask('outer');
    await native(async () => { await ask('first'); clearContinuations(); await ask('second'); });
    return 'done';`),
  bound: stateless(
    `const set = { 'Set-Cookie': createCookie('id', request.query.get('id') ?? 'none').header };
     if (request.query.has('on')) return 'went on as ' + (await redirectGet(set)).cookies.get('id');
     if (request.cookies.get('id') === undefined) return redirectTo('/bound', 'see-other', { headers: set });
     return 'got ' + (await ask('on'));`,
    `export const bindTo = (request) => request.cookies.get('id') ?? null;`,
  ),
  boxes: stateless(
    `for (const [name, box] of Object.entries(boxes)) try { await box.set('x'.repeat(600_000)); } catch ({ code }) { return name + ' ' + code; }
     return 'all';`,
    `const boxes = { one: fileBox('one'), two: fileBox('two') };`,
  ),
  long: `export const lifetimeMs = 400 * 86_400_000;\n${stateless(`return ask('on');`)}`,
  longer: `export const lifetimeMs = 400 * 86_400_000 + 1;\n${stateless(`return ask('on');`)}`,
  operators: `${LIBRARY}export default async function start() { return 'got ' + (await ask('on')); }${ASK}`,
};

const VISITS: Readonly<Record<string, string>> = {
  throwing: checkpointed(`
    const cart = [];
    for (;;) {
      const n = await ask('cart ' + cart.join('+'));
      cart.push(n);
      if (n === 'boom') throw new Error('as asked');
    }`),
  shared: checkpointed(`const mine = all; for (;;) mine.push(await ask('list ' + mine.join('+')));`, `const all = [];`),
  resting: checkpointed(`for (let i = 0; ; i++) await ask('rest ' + i);`),
  edited: checkpointed(`for (let i = 0; ; i++) await ask('old ' + i);`),
  large: checkpointed(`
    const bytes = new Uint8Array(Number(request.query.get('length')));
    await ask('on');
    return String(bytes.length);`),
  visits: `${LIBRARY}export default async function start() { return 'got ' + (await ask('on')); }${ASK}`,
  unable: checkpointed(
    `return ask('on');`,
    `export const manager = { store() {}, createInstance: () => 1, lookup() {}, peek() {}, clear() {}, hasInstance: () => true };`,
  ),
};

const held: HeldAs = Object.fromEntries([
  ...Object.keys(STATELESS).map((name) => [name, { cell: 'stateless', spareThreads: 0 }]),
  ...Object.keys(VISITS).map((name) => [name, { cell: 'visits', spareThreads: 0 }]),
]) as HeldAs;

const pidOf = ({ text }: Shown): number => Number(/pid (\d+)/.exec(text)?.[1]);
const labelOf = ({ text }: Shown): string => /^(.*?) <a/.exec(text)?.[1] ?? text;

describe('docs/stateless.md', () => {
  let started: StartedHost;
  let visitor: Visitor;
  let directory: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'custodian-stateless-page-'));
    started = await StartedHost.start(
      { ...STATELESS, ...VISITS },
      {
        store: 'memory',
        log: 'events',
        logDestination: join(directory, 'log'),
        stateDir: join(directory, 'state'),
        limits: { wallMs: 60_000 },
      },
      {
        ...held,
        operators: { ...held['operators'], stateless: true },
        visits: { ...held['visits'], checkpoint: true },
        together: { spareThreads: 1, isEager: true },
        boxes: { ...held['boxes'], limits: { fileBoxMb: 1 } },
        resting: { spareThreads: 0, limits: { cellIdleTimeoutMs: 300 } },
        edited: { ...held['edited'], unit: 'instance' },
      },
    );
    visitor = new Visitor(started.url);
  }, 60_000);
  afterAll(async () => {
    await started[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  const kill = (page: Shown): Promise<void> => started.host.killCell(pidOf(page));

  test('its first sample runs', async () => {
    const second = await visitor.follow(await visitor.get('/sum'), { n: '3' });
    expect((await visitor.follow(second, { n: '4' })).text).toBe('<p>The sum is 7.</p>');
  });

  test('an operator may say that a servlet is stateless, or has checkpoints', async () => {
    const page = await visitor.get('/operators');
    expect(continuationsOf(page)[0]).toMatch(/^\/operators;c=0/);
    const visit = await visitor.get('/visits');
    await kill(page);
    await kill(visit);
    for (const each of [page, visit]) expect((await visitor.follow(each, { n: '5' })).text).toBe('got 5');
  });

  test('an object in a local is the page’s: no answer sees what another one did to it', async () => {
    const first = await visitor.get('/object');
    const a = await visitor.follow(first, { n: 'a' });
    expect([a, await visitor.follow(first, { n: 'b' }), await visitor.follow(a, { n: 'c' })].map(labelOf)).toEqual([
      'cart a',
      'cart b',
      'cart a+c',
    ]);
  });

  test('a module’s variable is shared in the thread, lost with it, and not in the page', async () => {
    const page = await visitor.get('/module');
    await visitor.follow(page);
    expect(labelOf(await visitor.follow(page))).toBe('answered 2');
    await kill(page);
    expect(labelOf(await visitor.follow(page))).toBe('answered 1');
  });

  test('identity does not survive a suspension: what is kept elsewhere is equal, and another', async () => {
    expect((await visitor.follow(await visitor.get('/identity'))).text).toBe('false,true');
  });

  test('a state in the URL comes before one in a field', async () => {
    const [url = ''] = continuationsOf(await visitor.get('/plain?x=url'));
    const field = /name="kont" value="([^"]+)"/.exec((await visitor.get('/hidden?x=field')).text)![1]!;
    const post = (path: string): Promise<Shown> =>
      visitor.get(path, { method: 'POST', body: new URLSearchParams({ kont: field }) });
    expect((await post(url)).text).toBe('x is url');
    expect((await post('/hidden')).text).toBe('x is field');
  });

  test('continuationUrl() knows stateful addresses only', async () => {
    expect((await visitor.get('/address')).text).toMatch(/^\/address;c=0[\w-]+ null$/);
  });

  test('two answers of one visitor may run at once', async () => {
    const page = await visitor.get('/together');
    const answers = await Promise.all([visitor.follow(page), visitor.follow(page)]);
    expect(answers.map(({ text }) => text)).toEqual(['together', 'together']);
  });

  test('a page that can’t be saved is a 500, which in development names the variable, the way to the value, and the line', async () => {
    const page = await visitor.get('/promise');
    expect(page.status).toBe(500);
    expect(page.text).toMatch(/Cannot save the page that start waits for \(.*promise\.mjs:\d+:\d+\)/);
    expect(page.text).toMatch(/cart\.items\[0\](?:"|&quot;|&#34;) is a promise/);
  });

  test('a function that suspends and uses new.target can’t be saved, one that calls eval can’t be captured: the errors say so, with the line', async () => {
    const target = await visitor.get('/target');
    expect(target.status).toBe(500);
    expect(target.text).toMatch(/that target waits for \(.*target\.mjs:\d+:\d+\).*uses super or new\.target/s);
    const evaluated = await visitor.get('/evaluated');
    expect(evaluated.status).toBe(500);
    expect(evaluated.text).toMatch(/in an unsafe context.*evaluated\.mjs:\d+:\d+/s);
  });

  test('clearContinuations() expires what native() has kept in the thread, and no other page', async () => {
    const outer = await visitor.get('/natives');
    const first = await visitor.follow(outer);
    const second = await visitor.follow(first);
    expect((await visitor.follow(first)).status).toBe(410);
    expect((await visitor.follow(second)).text).toBe('done');
    expect(labelOf(await visitor.follow(outer))).toBe('first');
    await kill(outer);
    // What waited in the thread is gone with it; the page around it is not.
    expect((await visitor.follow(second)).status).toBe(410);
    expect(labelOf(await visitor.follow(outer))).toBe('first');
  });

  test('bindTo by a cookie: the servlet sets it and begins again, and the pages that follow are for who has it', async () => {
    const set = await visitor.get('/bound?id=ada');
    expect([set.status, set.headers.get('location')]).toEqual([303, '/bound']);
    const [cookie = ''] = set.headers.get('set-cookie')!.split(';');
    const [url = ''] = continuationsOf(await visitor.get('/bound', { headers: { cookie } }));
    expect((await visitor.get(`${url}?n=1`, { headers: { cookie } })).text).toBe('got 1');
    for (const other of ['id=bob', 'x=ada'])
      expect((await visitor.get(`${url}?n=1`, { headers: { cookie: other } })).status).toBe(410);
    // A page that was made before there was a cookie is for who has none.
    const early = (await visitor.get('/bound?id=ada&on=')).headers.get('location')!;
    expect((await visitor.get(early, { headers: { cookie } })).status).toBe(410);
  });

  test('the boxes of a servlet hold fileBoxMb together', async () => {
    expect((await visitor.get('/boxes')).text).toBe('two LIMIT_FILE_BOX');
  });

  test('lifetimeMs is 400 days at the most', async () => {
    expect((await visitor.get('/long')).status).toBe(200);
    const refused = await visitor.get('/longer');
    expect(refused.status).toBe(503);
    expect(refused.text).toContain('lifetimeMs');
  });

  test('an answer of a checkpointed servlet that throws: what it changed before in what the pages share stays changed, and is saved', async () => {
    const page = await visitor.get('/throwing');
    expect((await visitor.follow(page, { n: 'boom' })).status).toBe(500);
    await kill(page);
    expect(labelOf(await visitor.follow(page, { n: 'tea' }))).toBe('cart boom+tea');
  });

  test('an object that several visits share through a variable of a module: after a revival each has its own', async () => {
    const [one, two] = [await visitor.get('/shared'), await visitor.get('/shared')];
    await visitor.follow(one, { n: 'a' });
    expect(labelOf(await visitor.follow(two, { n: 'b' }))).toBe('list a+b');
    await kill(one);
    expect(labelOf(await visitor.follow(one, { n: 'c' }))).toBe('list a+c');
    expect(labelOf(await visitor.follow(two, { n: 'd' }))).toBe('list a+b+d');
  });

  test('a visit that nobody comes for gives its thread up after cellIdleTimeoutMs, and goes on when it is asked for', async () => {
    const page = await visitor.get('/resting');
    await eventually(
      () => started.host.servlets.find(({ name }) => name === 'resting')!.threads,
      (count) => count === 0,
      { ms: 15_000 },
    );
    const next = await visitor.follow(page);
    expect(labelOf(next)).toBe('rest 1');
    expect(pidOf(next)).not.toBe(pidOf(page));
  });

  test('a visit whose thread lives stays with the code that it began in, when that is edited', async () => {
    const page = await visitor.get('/edited');
    writeFileSync(started.directory.file('edited'), VISITS['edited']!.replace('old', 'new'));
    started.host.reload('edited');
    expect(labelOf(await visitor.get('/edited'))).toBe('new 0');
    expect(labelOf(await visitor.follow(page))).toBe('old 1');
  });

  test('an instance of up to 4 MB is saved; of a larger one the log says so, and its page is lost with the thread', async () => {
    const fits = await visitor.get('/large?length=4100000');
    const over = await visitor.get('/large?length=4300000');
    expect((await visitor.follow(over)).text).toBe('4300000');
    await eventually(
      () => readFileSync(join(directory, 'log'), 'utf8'),
      (log) => /A page would not outlive its thread\. .*43\d{5} bytes, and 4194304 are the most/.test(log),
    );
    await kill(fits);
    expect((await visitor.follow(fits)).text).toBe('4100000');
    const lost = await visitor.follow(over);
    expect(lost.status).toBe(410);
    expect(lost.text).toContain('This page could not be kept');
  });

  test('a manager of the author’s own needs "save" and "revive"', async () => {
    const page = await visitor.get('/unable');
    expect(page.status).toBe(503);
    expect(page.text).toMatch(/its manager has no .*save.* and .*revive/);
  });
});
