import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { checkServlet, type Finding } from '../../../packages/worker/src/continuation/check/check.ts';
import { GLOBAL_CLASSES } from '../../../packages/worker/src/continuation/check/values.ts';
import { encodeGraph } from '../../../packages/worker/src/continuation/serialize/graph.ts';
import { StatelessProgram } from '../../worker/servlet/stateless-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'custodian-check-'));
afterAll(() => rmSync(directory, { recursive: true }));
let count = 0;
function check(files: string | Record<string, string>, options: { isStateless?: boolean } = {}): Finding[] {
  const folder = join(directory, String(++count)),
    all = typeof files === 'string' ? { 'servlet.ts': files } : files,
    [entry] = Object.keys(all);
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return checkServlet(pathToFileURL(join(folder, entry!)).href, options);
}

const HEAD = (names = 'sendSuspend'): string =>
  `export const stateless = true; import { html, ${names} } from '@custodian/worker'; const ask = async (label) => { const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">\${label}</a>\`); return bindings.get('n'); };\n`;

/** Where, what and why; the second line is the first of the source. */
const told = (findings: Finding[]): string[] =>
  findings.map(({ line, column, path, code, message }) => {
    const why = /" is (.*?)(?:,|:)/.exec(message)?.[1] ?? message.slice(0, 60);
    return `${line}:${column} ${path ?? code}: ${why}`;
  });

describe('checkServlet()', () => {
  /** Each of these fails when it is run, too. */
  const wrong: [name: string, source: string, expected: string[]][] = [
    [
      'an open file that is closed after the page',
      `import { open } from 'node:fs/promises';
       export default async function start() { const file = await open('/dev/null'); try { await ask('x'); } finally { await file.close(); } return 'x'; }`,
      ['3:61 file: an open file'],
    ],
    [
      'a promise in flight, started by a function of the module',
      `async function load() { return 1; }
       export default async function start() { const going = load(); await ask('x'); return String(await going); }`,
      ['3:62 going: a promise'],
    ],
    [
      'a promise that a closure has captured',
      `export default async function start() { const going = Promise.resolve(1), later = () => going; await ask('x'); return String(await later()); }`,
      ["2:83 later's going: a promise"],
    ],
    [
      'an instance of a class with private fields that nobody has registered',
      `class Cart { #n = 1; get n() { return this.#n; } }
       export default async function start() { const cart = new Cart(); await ask('x'); return String(cart.n); }`,
      ['3:61 cart: an instance of Cart'],
    ],
    [
      'an instance of a class that extends one of Node',
      `import { EventEmitter } from 'node:events';
       class Bus extends EventEmitter {}
       export default async function start() { const bus = new Bus(); await ask('x'); return String(bus.eventNames()); }`,
      ['4:60 bus: an instance of Bus'],
    ],
    [
      'a hash in progress',
      `import * as crypto from 'node:crypto';
       export default async function start() { const hash = crypto.createHash('sha256'); hash.update(await ask('x')); return hash.digest('hex'); }`,
      ['3:61 hash: a hash in progress'],
    ],
    [
      'a function of Node',
      `import fs from 'node:fs';
       export default async function start() { const read = fs.readFileSync; await ask('x'); return String(read('/dev/null')); }`,
      ['3:61 read: a function of Node'],
    ],
    [
      'a generator in progress',
      `function* numbers() { yield 1; }
       export default async function start() { const all = numbers(); await ask('x'); return String([...all]); }`,
      ['3:60 all: a generator in progress'],
    ],
    [
      'a symbol of its own',
      `export default async function start() { const mark = Symbol('mark'); await ask('x'); return String(mark); }`,
      ['2:54 mark: a symbol that no other process has'],
    ],
    [
      'a timer, over a page of a function that it calls',
      `async function twice() { return (await ask('a')) + (await ask('b')); }
       export default async function start() { const timer = setTimeout(() => {}, 1); await twice(); clearTimeout(timer); return 'x'; }`,
      ['3:62 timer: a timer'],
    ],
    [
      'a class of a function that can not be saved',
      `export default async function start() { class Counter { static n = 1; } await ask('x'); return String(Counter.n); }`,
      ['2:41 Counter: a class with static fields that is declared inside a function'],
    ],
    [
      'an instance of such a class',
      `export default async function start() { class Counter { static n = 1; } const one = new Counter(); await ask('x'); return String(one); }`,
      ['2:85 one: an instance of Counter'],
    ],
    [
      'a Proxy',
      `export default async function start() { const one = new Proxy({}, {}); await ask('x'); return String(one.x); }`,
      ['2:53 one: a Proxy'],
    ],
    [
      'a combinator of promises',
      `export default async function start() { return String(await Promise.all([ask('a'), 2])); }`,
      ["2:74 SERVLET_UNSAFE_CONTEXT: Cannot capture a continuation: Promise.all can't be captured"],
    ],
    [
      'a map under a combinator',
      `export default async function start() { return String(await Promise.all(['a'].map(async (each) => { return await ask(each); }))); }`,
      ["2:114 SERVLET_UNSAFE_CONTEXT: Cannot capture a continuation: Promise.all can't be captured"],
    ],
    [
      'a promise that is chained',
      `export default async function start() { return await ask('a').then((n) => n); }`,
      ["2:54 SERVLET_UNSAFE_CONTEXT: Cannot capture a continuation: .then() can't be captured; aw"],
    ],
    [
      'a call that nobody awaits',
      `export default async function start() { ask('a'); return 'x'; }`,
      ['2:41 SERVLET_UNSAFE_CONTEXT: Cannot capture a continuation: nobody awaits the promise of '],
    ],
  ];
  test.each(wrong)('finds %s, and it is an error when it is run', async (_name, source, expected) => {
    expect(told(check(HEAD() + source))).toEqual(expected);
    const program = await StatelessProgram.load(HEAD() + source);
    await expect(program.ask('/start')).rejects.toMatchObject({
      code: expect.stringMatching(/^SERVLET_(?:UNSERIALIZABLE|UNSAFE_CONTEXT)$/) as string,
    });
  });

  test('finds what comes from another module, and says where the page is', () => {
    const [found, ...more] = check({
      'servlet.ts': `import { Money, ask } from './shop/index.ts';
        export const stateless = true;
        export default async function start(): Promise<string> {
          const price: Money = new Money(5);
          await ask('x');
          return String(price);
        }`,
      'shop/index.ts': `export * from './money.ts'; export { askFor as ask } from './ask.ts';`,
      'shop/money.ts': 'export class Money { #cents: number; constructor(cents: number) { this.#cents = cents; } }',
      'shop/ask.ts': `import * as web from '@custodian/worker';
        export async function askFor(label: string) { return await web.sendSuspend(() => label); }`,
    });
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      severity: 'error',
      code: 'SERVLET_UNSERIALIZABLE',
      variable: 'price',
      path: 'price',
      line: 4,
      column: 32,
      suspension: { line: 5, column: 11 },
      message:
        'Cannot save the page of line 5: "price" is an instance of Money, which has private fields: say with registerSerializable(Class, to, from) how it is written and made again',
    });
    expect(found!.file).toMatch(/servlet\.ts$/);
  });

  test.each<[name: string, source: string]>([
    [
      'what is not used after the page',
      `const file = await open('/dev/null'); await file.close(); await ask('x'); return 'x';`,
    ],
    ['what is awaited before the page', `const got = await load(); await ask('x'); return got;`],
    ['what is reassigned', `let going = load(); going = await going; await ask('x'); return going;`],
    ['a registered class', `const cart = new Cart(); await ask('x'); return cart.n;`],
    [
      'values that can be saved',
      `const all = [new Map(), new URL('http://a'), new Date(), /x/]; const f = () => all; await ask('x'); return f();`,
    ],
    [
      'a parameter, of which nobody knows',
      `const f = async (given) => { await ask('x'); return given; }; return f(load());`,
    ],
    ['a promise that is awaited later, and suspends there', `const asked = ask('x'); return await asked;`],
    [
      'a loop, and sequential()',
      `for (const each of ['a']) await ask(each); return await sequential(['a'], (each) => ask(each));`,
    ],
    ['a combinator inside native()', `return await native(() => Promise.all([ask('a'), ask('b')]));`],
    [
      'what is kept in its thread',
      `const ref = serverRef(await open('/dev/null')); await ask('x'); await ref.get().close();`,
    ],
    [
      'a promise of a function that does not suspend',
      `return await Promise.all([load(), load()].map(async (each) => await each));`,
    ],
  ])('is content with %s', (_name, body) => {
    const source = `${HEAD('sendSuspend, sequential, native, serverRef, registerSerializable')}
      import { open } from 'node:fs/promises';
      async function load() { return 1; }
      class Cart { #n = 1; get n() { return this.#n; } }
      registerSerializable(Cart, (cart) => cart.n, () => new Cart());
      export default async function start() { ${body} }`;
    expect(check(source)).toEqual([]);
  });

  test('tells of locals that windows share in a stateful servlet alone, as a warning; and of values that can’t be saved in a stateless one', () => {
    const source = `import { sendSuspend } from '@custodian/worker';
      export default async function start() {
        let n = 0;
        const add = () => n++, mark = Symbol();
        await sendSuspend(() => 'x');
        return [add(), n, mark];
      }`;
    expect(check(source)).toMatchObject([{ severity: 'warning', code: 'SERVLET_SHARED_LOCAL', line: 4 }]);
    expect(check(source, { isStateless: true })).toMatchObject([{ severity: 'error', variable: 'mark' }]);
  });

  test('tells of a const that gets its value after the closure that uses it was made', () => {
    const source = `${HEAD().replace('export const stateless = true;', '')}
      export default async function start() {
        const show = () => name;
        const name = await ask('a');
        await ask('b');
        return show();
      }`;
    const line = source.split('\n').findIndex((text) => text.includes('=> name')) + 1;
    expect(check(source)).toMatchObject([{ severity: 'warning', code: 'SERVLET_SHARED_LOCAL', line }]);
    expect(check(source, { isStateless: true })).toEqual([]);
  });

  test('an unsafe context is a warning where functions are given to native() by their names', () => {
    const source = `${HEAD('sendSuspend, native')}
      const both = () => Promise.all([ask('a'), ask('b')]);
      export default async function start() { return await native(both); }`;
    expect(check(source)).toMatchObject([{ severity: 'warning' }, { severity: 'warning' }]);
  });

  test('tells of a syntax error, and of a suspension in an async generator, as an error', () => {
    for (const name of ['servlet.ts', 'servlet.js'])
      expect(check({ [name]: '\nexport default async function () { await }' }), name).toMatchObject([
        { severity: 'error', code: 'SERVLET_SYNTAX', line: 2, column: 42 },
      ]);
    expect(
      check(`import { sendSuspend } from '@custodian/worker';
        export default async function* start() { yield await sendSuspend(() => 'x'); }`),
    ).toMatchObject([{ severity: 'error', code: 'SERVLET_SUSPEND_IN_GENERATOR', line: 2, column: 62 }]);
  });

  test('tells of code that nests deeper than there is stack for where it is', () => {
    const chain = `a${'.f(1)'.repeat(20_000)}`,
      flow = `${HEAD('sendSuspend')}export default async function start(a) { await ask('a');\n  return ${chain}; }`;
    expect(check({ 'servlet.js': flow })).toMatchObject([
      { severity: 'error', code: 'SERVLET_TOO_DEEP', line: 3, column: 10 },
    ]);
    // Its types can't even be stripped, and Node does not say where.
    expect(check({ 'servlet.ts': flow })).toMatchObject([{ code: 'SERVLET_TOO_DEEP', line: 1, column: 1 }]);
    expect(check({ 'servlet.js': `'use native';\n\n  ${chain};` })).toMatchObject([
      { code: 'SERVLET_TOO_DEEP', line: 3 },
    ]);
  });

  test('does not count a mark of byte order', () => {
    expect(check({ 'servlet.ts': '\ufeffexport default async function () { await }' })).toMatchObject([
      { code: 'SERVLET_SYNTAX', line: 1, column: 42 },
    ]);
  });

  test.each(GLOBAL_CLASSES)('what it says of %s is true: an instance can not be saved', (name) => {
    const made = name.split('.').reduce<unknown>((of, key) => (of as Record<string, unknown>)[key], globalThis),
      args: Record<string, unknown[]> = {
        BroadcastChannel: ['x'],
        CompressionStream: ['gzip'],
        DecompressionStream: ['gzip'],
        Event: ['x'],
        File: [[], 'x'],
        FinalizationRegistry: [() => {}],
        'Intl.RelativeTimeFormat': ['en'],
        Request: ['http://a'],
        SharedArrayBuffer: [8],
        WeakRef: [{}],
        Blob: [[]],
      },
      value = Reflect.construct(made as new () => object, args[name] ?? []) as object;
    try {
      expect(() => encodeGraph([value])).toThrow(expect.objectContaining({ code: 'SERVLET_UNSERIALIZABLE' }) as Error);
    } finally {
      if (value instanceof BroadcastChannel) value.close();
    }
  });
});
