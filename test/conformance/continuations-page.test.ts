import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../packages/host/src/option-tables.ts';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

/** The samples of docs/continuations.md, in their order: what stands there runs. */
const SAMPLES = Array.from(
  readFileSync(new URL('../../docs/continuations.md', import.meta.url), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g),
  ([, code]) => code as string,
);
const [SUM, SHARED, LATE, TRANSFORM, NATIVE, SHADOW, MANAGER] = SAMPLES as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

const LIBRARY = `import { createTimeoutManager, html, native, sendSuspend, sendSuspendDispatch, webCell } from '@custodian/worker';\n`;
const ASK = `
  async function ask(label: string): Promise<string> {
    const reply = await sendSuspend((url) => html\`\${label} <a href="\${url}">on</a>\`);
    return reply.bindings.get('n') ?? '';
  }`;
const start = (body: string): string => `${LIBRARY}export default async function start() { ${body} }${ASK}`;

const SERVLETS = {
  sum: LIBRARY + SUM,
  shared: start(`${SHARED} return html\`total \${total}\`;`),
  copied: `export const stateless = true;\n${start(`${SHARED} return html\`total \${total}\`;`)}`,
  read: `${LIBRARY}export default async function start() {
    let total = 0;
    for (;;) {
      const next = await sendSuspendDispatch((embed) => html\`total \${total} <a href="\${embed(() => total + 1)}">one</a> <a href="\${embed(() => total + 10)}">ten</a>\`);
      total = next;
    }
  }`,
  late: start(LATE),
  native: start(`const load = async (): Promise<string> => 'loaded'; ${NATIVE} return html\`\${a} and \${b}\`;`),
  shadow: start(`${SHADOW} await ask('page ' + page.get()); return html\`page \${page.get()}\`;`),
  manager: `${LIBRARY}${MANAGER}export default async function start() { await ask('first'); return html\`done\`; }${ASK}`,
};

describe('the samples of docs/continuations.md', () => {
  let started: StartedHost;
  let visitor: Visitor;
  let directory: string;
  beforeAll(async () => {
    const servlets = Object.entries(SERVLETS).map(([name, code]) => [name, stripTypeScriptTypes(code)]);
    directory = mkdtempSync(join(tmpdir(), 'custodian-samples-'));
    started = await StartedHost.start(Object.fromEntries(servlets) as Record<string, string>, {
      log: 'events',
      logDestination: join(directory, 'log'),
      stateDir: join(directory, 'state'),
    });
    visitor = new Visitor(started.url);
  });
  afterAll(async () => {
    await started[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test('there are seven of them', () => expect(SAMPLES).toHaveLength(7));

  test('the sum: Back and another number make another sum', async () => {
    const first = await visitor.get('/sum');
    const second = await visitor.post(first, { number: '3' });
    expect((await visitor.post(second, { number: '4' })).text).toContain('The sum is 7');
    const again = await visitor.post(first, { number: '30' });
    expect((await visitor.post(again, { number: '4' })).text).toContain('The sum is 34');
    expect((await visitor.post(second, { number: '5' })).text).toContain('The sum is 8');
  });

  test('a reassigned local that a closure uses is shared: the second answer is added twice', async () => {
    const second = await visitor.follow(await visitor.get('/shared'), { n: '3' });
    expect((await visitor.follow(second, { n: '4' })).text).toContain('total 7');
    expect((await visitor.follow(second, { n: '4' })).text).toContain('total 11');
  });

  test('the same in a stateless servlet: each page has a copy, and nobody is warned', async () => {
    const second = await visitor.follow(await visitor.get('/copied'), { n: '3' });
    for (let times = 0; times < 2; times++)
      expect((await visitor.follow(second, { n: '4' })).text).toContain('total 7');
    const log = await eventually(
      () => readFileSync(join(directory, 'log'), 'utf8'),
      (text) => text.includes('SERVLET_SHARED_LOCAL'),
    );
    expect(log).toContain('shared.mjs');
    expect(log).not.toContain('copied.mjs');
  });

  test('a reassigned local that only the page and its embedded functions read is the page’s own, and nobody is warned', async () => {
    const first = await visitor.get('/read');
    const eleven = await visitor.follow(await visitor.follow(first, {}, 0), {}, 1);
    expect(eleven.text).toContain('total 11');
    expect((await visitor.follow(first, {}, 1)).text).toContain('total 10');
    expect((await visitor.follow(eleven, {}, 0)).text).toContain('total 12');
    expect((await visitor.follow(first, {}, 0)).text).toContain('total 1 ');
    expect(readFileSync(join(directory, 'log'), 'utf8')).not.toContain('read.mjs');
  });

  test('a const that is assigned after the closure was made is shared, and reported: the first window says hello to the second', async () => {
    const first = await visitor.get('/late');
    const one = await visitor.follow(first, { n: 'ONE' });
    const two = await visitor.follow(first, { n: 'TWO' });
    for (const page of [one, two]) expect((await visitor.follow(page)).text).toContain('hello TWO');
    const log = await eventually(
      () => readFileSync(join(directory, 'log'), 'utf8'),
      (text) => text.includes('late.mjs'),
    );
    expect(log).toMatch(/SERVLET_SHARED_LOCAL[^\n]*'name' is shared[^\n]*gets its value after that/);
  });

  test('what must run untransformed suspends in native(), once', async () => {
    const page = await visitor.get('/native');
    expect((await visitor.follow(page, { n: 'asked' })).text).toContain('loaded and asked');
    expect((await visitor.follow(page, { n: 'asked' })).status).toBe(500);
  });

  test('a cell is shadowed for the page and those after it', async () => {
    const page = await visitor.get('/shadow');
    expect(page.text).toContain('page 2');
    expect((await visitor.follow(page)).text).toContain('page 2');
  });

  test('a manager is what a servlet exports', async () => {
    const page = await visitor.get('/manager');
    expect(continuationsOf(page)).toHaveLength(1);
    expect((await visitor.follow(page)).text).toContain('done');
  });

  test('a package is compiled where the operator names it', () => {
    const options = /serve\((.*)\);/.exec(TRANSFORM)?.[1] as string;
    // As it stands there, read as the JSON that it nearly is.
    const json = options.replace(/(\w+):/g, '"$1":').replaceAll("'", '"');
    expect(checkConfig(JSON.parse(json), '')).toEqual([]);
  });
});
