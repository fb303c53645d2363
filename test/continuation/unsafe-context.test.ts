import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { codeFrame, prompt, type UnsafeContextError } from '../../packages/worker/src/continuation/runtime.ts';
import { load, play, returned } from './support/compile-module.ts';

/** One way to lose the promise of a capturing call per row: the body of `start`, what the message must say, and the line of the capture. */
const ways: { name: string; body: string; says: RegExp; receivedOnLine?: number; foreign?: RegExp }[] = [
  {
    name: 'branches of Promise.all',
    body: 'return await Promise.all([1, 2].map(async (x) => { const y = await ask(x); return y; }));',
    says: /combinator/,
    receivedOnLine: 4,
    foreign: /Array\.map/,
  },
  {
    name: 'Promise.allSettled',
    body: 'return await Promise.allSettled([ask(1)]);',
    says: /not awaited, or something swallowed/,
  },
  { name: 'Promise.any', body: 'return await Promise.any([ask(1)]);', says: /combinator|not awaited/ },
  {
    name: 'Promise.race with a timeout',
    body: 'return await Promise.race([ask(1), new Promise((r) => setTimeout(r, 50))]);',
    says: /combinator/,
    receivedOnLine: 4,
  },
  { name: '.then', body: 'return await ask(1).then((x: number) => x + 1);', says: /\.then/, receivedOnLine: 4 },
  {
    name: '.finally',
    body: 'return await ask(1).finally(() => {});',
    says: /\.then, \.catch or \.finally/,
    receivedOnLine: 4,
  },
  { name: '.catch that swallows', body: 'return await ask(1).catch(() => "default");', says: /swallowed/ },
  { name: 'a floating call', body: 'ask(1); return "page";', says: /not awaited/ },
  {
    name: 'a floating call of an async function',
    body: 'const f = async () => { const x = await ask(1); return x; }; f(); return "page";',
    says: /not awaited/,
  },
  {
    name: 'a swallowed call in code that never ends',
    body: 'await new Promise(() => { ask(1).catch(() => {}); });',
    says: /swallowed/,
  },
  {
    name: 'a floating call in code that never ends',
    body: 'await new Promise(() => { ask(1); });',
    says: /not awaited/,
  },
  {
    name: 'a callback of a library',
    body: 'return await library(async () => { const x = await ask(1); return x; });',
    says: /not compiled stands between/,
    receivedOnLine: 4,
  },
  {
    name: 'an untransformed async function',
    body: 'return await foreign();',
    says: /not compiled stands between/,
    receivedOnLine: 4,
  },
  {
    name: 'a synchronous generator driven by a library',
    body: 'return await co(function* () { const x: number = yield ask(1); return x; });',
    says: /not compiled stands between|not awaited/,
  },
  {
    name: 'an async generator',
    body: 'async function* g() { yield await ask(1); } for await (const x of g()) return x;',
    says: /async iterator/,
    receivedOnLine: 4,
  },
  {
    name: 'an array callback whose promises are awaited one by one, late',
    body: 'const ps = [1, 2].map(async (x) => { const y = await ask(x); return y; }); const out = []; for (const p of ps) out.push(await p); return out;',
    says: /not awaited/,
  },
  {
    name: 'forEach with an async callback',
    body: '[1].forEach(async (x) => { await ask(x); }); return "page";',
    says: /not awaited/,
  },
  {
    name: 'a promise awaited only after other work',
    body: 'const p = ask(1); await new Promise((r) => setTimeout(r, 20)); return await p;',
    says: /not awaited/,
  },
  {
    name: 'a promise wrapped by hand',
    body: 'return await new Promise((resolve, reject) => { ask(1).then(resolve, reject); });',
    says: /not the promise of the capturing call|not compiled/,
    receivedOnLine: 4,
  },
  {
    name: 'Symbol.asyncIterator written by hand over a generator',
    body: 'const it = (async function* () { yield await ask(1); })(); return (await it.next()).value;',
    says: /not compiled stands between/,
    receivedOnLine: 4,
  },
  {
    name: 'a function with a direct eval, which stays native',
    body: 'return await evaluating();',
    says: /a direct eval/,
    receivedOnLine: 4,
  },
  {
    name: 'a servlet with a direct eval of its own',
    body: 'eval("1"); const x = await ask(1); return x;',
    says: /left its chain of calls.*a direct eval/,
  },
  { name: '.then, returned', body: 'return ask(1).then((x: number) => x);', says: /left its chain of calls/ },
  {
    name: 'a timer',
    body: 'await new Promise((r) => setTimeout(async () => { await ask(1); r(0); }, 1));',
    says: /not awaited/,
    foreign: /node:internal\/timers/,
  },
  {
    name: 'an event emitter',
    body: 'const e = new EventEmitter(); e.on("x", async () => { await ask(1); }); e.emit("x"); return "page";',
    says: /not awaited/,
    foreign: /EventEmitter\.emit/,
  },
  {
    name: 'a microtask',
    body: 'await new Promise((r) => queueMicrotask(async () => { await ask(1); r(0); }));',
    says: /not awaited/,
  },
  {
    name: 'a comparator',
    body: 'return [2, 1].sort((async () => { await ask(1); }) as never).length;',
    says: /not awaited/,
    foreign: /Array\.sort/,
  },
  {
    name: 'Array.fromAsync',
    body: 'return await Array.fromAsync([1], async (x) => { const y = await ask(x); return y; });',
    says: /not compiled stands between/,
    receivedOnLine: 4,
  },
  {
    name: 'an iterator helper',
    body: 'return await Array.fromAsync([1].values().map(async (x) => { const y = await ask(x); return y; }));',
    says: /not compiled stands between/,
    receivedOnLine: 4,
    foreign: /Iterator\.next/,
  },
  {
    name: 'for await over promises',
    body: 'for await (const x of [ask(1)]) return x;',
    says: /async iterator/,
    receivedOnLine: 4,
  },
  {
    name: 'an async generator behind another',
    body: 'async function* g() { yield await ask(1); } async function* h() { yield* g(); } for await (const x of h()) return x;',
    says: /async iterator/,
    receivedOnLine: 4,
  },
  {
    name: 'a thenable',
    body: 'return await { then(done: () => void, fail: () => void) { ask(1).then(done, fail); } };',
    says: /not the promise of the capturing call/,
    receivedOnLine: 4,
  },
  {
    name: 'an executor',
    body: 'return await new Promise(async (done) => { done(await ask(1)); });',
    says: /not awaited/,
  },
  {
    name: 'a native function that catches everything',
    body: 'return await swallowing();',
    says: /swallowed/,
  },
  {
    name: 'a function made from text',
    body: 'const f = new (async () => {}).constructor("ask", "return await ask(1)"); return await f(ask);',
    says: /not compiled stands between/,
    receivedOnLine: 4,
  },
  {
    name: 'a module that is not compiled',
    body: 'const { call } = await import("data:text/javascript,export const call = async (f) => await f()"); return await call(() => ask(1));',
    says: /not compiled stands between/,
    receivedOnLine: 4,
    foreign: /\bcall \(data:text/,
  },
  {
    name: 'a promise that is printed',
    body: 'return `${ask(1)}`;',
    says: /not awaited/,
  },
  {
    name: 'a promise in JSON',
    body: 'return JSON.stringify({ toJSON: () => ask(1) });',
    says: /not awaited/,
  },
  {
    name: 'two suspensions at once',
    body: 'const a = ask(1), b = ask(2); return [await a, await b];',
    says: /not awaited/,
  },
  {
    name: 'a synchronous dispose method',
    body: 'using r = { [Symbol.dispose]() { ask(1); } }; await null; return r;',
    says: /not awaited/,
  },
];

/** Ways to call that keep the promise: the servlet asks 1 and gets 7. */
const safe: [string, string][] = [
  ['a getter', 'const o = { get x() { return ask(1); } }; return await o.x;'],
  ['a tagged template', 'const tag = (_: unknown, x: number) => ask(x); return await tag`a${1}`;'],
  ['a default parameter', 'const f = (x = ask(1)) => x; return await f();'],
  [
    'a default parameter of an async function',
    'const f = async (x = ask(1)) => { const y = await x; return y; }; return await f();',
  ],
  ['a default of a pattern', 'const { a = ask(1) } = {}; return await a;'],
  ['an await in a default of a pattern', 'const { a: [b = await ask(1)] = [] } = {} as any; return b;'],
  ['an await in a computed key', 'return Number(Object.keys({ [await ask(1)]: 0 })[0]);'],
  [
    'a constructor that returns the promise',
    'const C = class { constructor() { return ask(1); } }; return await new C();',
  ],
  ['a field', 'class C { x = ask(1); } return await new C().x;'],
  [
    'a private method',
    'class C { async #m() { const x = await ask(1); return x; } m() { return this.#m(); } } return await new C().m();',
  ],
  ['a static block', 'class C { static p: any; static { this.p = (async () => await ask(1))(); } } return await C.p;'],
  ['a trap of a proxy', 'const p: any = new Proxy({}, { get: () => ask(1) }); return await p.x;'],
  [
    'a proxy of a function',
    'const p = new Proxy(async (x: number) => { const y = await ask(x); return y; }, {}); return await p(1);',
  ],
  [
    'call, apply, bind',
    'const f = async function (this: any, x: number) { const y = await ask(x + this.n); return y; }; return await f.call({ n: 0 }, 1);',
  ],
  [
    'a synchronous generator whose promises are awaited',
    'function* g() { yield ask(1); } for (const p of g()) return await p;',
  ],
  [
    'an async iterator written by hand',
    'const it = { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: await ask(1) }) }) }; for await (const x of it) return x;',
  ],
  ['the body of a for await', 'async function* g() { yield 1; } for await (const x of g()) return await ask(x);'],
  ['an accumulating reduce', 'return await [1].reduce(async (p, x) => (await p) + await ask(x), Promise.resolve(0));'],
  ['Promise.resolve of it', 'return await Promise.resolve(ask(1));'],
  [
    'AsyncLocalStorage.run',
    'return await new AsyncLocalStorage().run(1, async () => { const x = await ask(1); return x; });',
  ],
  [
    'an async dispose method',
    'let x = 0; { await using r = { async [Symbol.asyncDispose]() { x = await ask(1); } }; void r; } return x;',
  ],
  ['a short delay before the await', 'const p = ask(1); await null; return await p;'],
];

const library = `
import { EventEmitter } from 'node:events';
import { AsyncLocalStorage } from 'node:async_hooks';
function library(f: () => unknown): Promise<unknown> { 'use native'; return new Promise((resolve, reject) => { Promise.resolve().then(f).then(resolve, reject); }); }
async function foreign(): Promise<unknown> { 'use native'; return await ask(1); }
async function evaluating(): Promise<unknown> { eval('1'); const x = await ask(1); return x; }
async function swallowing(): Promise<unknown> { 'use native'; try { return await ask(1); } catch { return 0; } }
function co(g: () => Generator): Promise<unknown> { const it = g(); return Promise.resolve(it.next().value).then((x) => it.next(x).value); }
`;

describe('unsafe contexts', () => {
  for (const way of ways)
    test(`${way.name}: SERVLET_UNSAFE_CONTEXT`, async () => {
      const { exports, file, source } = await load(
        `export async function start(): Promise<any> {\n  ${way.body}\n}\n${library}`,
      );
      const error = await prompt(exports['start']!).then(
        (o) => {
          throw new Error(`no error, but ${o.kind}`);
        },
        (e: UnsafeContextError) => e,
      );
      expect(error.code, error.message).toBe('SERVLET_UNSAFE_CONTEXT');
      expect(error.message).toMatch(way.says);
      expect(error.message).toContain('captured at:');
      expect(error.message).toContain('way out:');
      if (way.foreign) expect(/foreign: +(.*)/.exec(error.message)?.[1]).toMatch(way.foreign);
      // The line to show to the author: where the capture was received, or else where it began.
      expect(error.place).not.toBe(null);
      if (way.receivedOnLine)
        expect(codeFrame(source, error.place!.line, error.place!.column)).toContain(`> 4 |   ${way.body}`);
      else expect(error.message).toMatch(/servlet-\d+\.(ts|mjs):4:/);
      if (way.receivedOnLine)
        expect(error.message).toContain(`received by: the await in start (${file}:${way.receivedOnLine}:`);
    });

  for (const [name, body] of safe)
    test(`safe: ${name}`, async () => {
      const { exports } = await load(`export async function start(): Promise<any> {\n  ${body}\n}\n${library}`);
      const { asked, outcome } = await play(exports['start']!, [7]);
      expect([asked, returned(outcome)]).toEqual([[1], 7]);
    });

  test('leaving without an await is told as such', async () => {
    const { exports } = await load('export async function start() { exit("bye"); return "page"; }');
    const error = (await prompt(exports['start']!).catch((e: Error) => e)) as Error;
    expect(error.message).toMatch(/^Cannot leave the servlet in an unsafe context: its promise was not awaited/);
  });

  test('a suspension in a finally block that runs for leaving is told as such, with its line', async () => {
    const { exports, file } = await load(
      `const asked = async () => { const x = await ask('sure?'); return x; };\nasync function kept() {\n  try { await exit('bye'); } finally {\n    await asked();\n  }\n}\nexport async function start() { const x = await kept(); return x; }`,
    );
    const error = (await prompt(exports['start']!).catch((e: Error) => e)) as UnsafeContextError;
    expect([error.code, error.place]).toEqual(['SERVLET_UNSAFE_CONTEXT', { file, line: 6, column: 5 }]);
    expect(error.message).toMatch(
      /^Cannot capture a continuation in an unsafe context: a finally block suspends that runs bec/,
    );
    expect(error.message).toMatch(
      /way out: +suspend before the call that leaves, and leave to the finally block [^\n]*$/,
    );
    expect(error.message).not.toMatch(/not awaited|native/);
  });

  test.each([
    ['', "native(async () => { try { await exit('bye'); } finally { await ask('sure?'); } })"],
    [
      "'use native';",
      "native(async () => { 'use native'; try { await exit('bye'); } finally { await ask('sure?'); } })",
    ],
    ['', "(async () => { try { await exit('bye'); } finally { await native(() => ask('sure?')); } })()"],
  ])('so is one within a native part, where it would be a page: %s %s', async (_mark, body) => {
    const { exports } = await load(`export async function start() {\n  const x = await ${body};\n  return x; }`);
    const error = (await prompt(exports['start']!).catch((e: Error) => e)) as UnsafeContextError;
    expect(error.code).toBe('SERVLET_UNSAFE_CONTEXT');
    expect(error.message).toMatch(/called from: [^\n]*servlet-\d+\.(ts|mjs):4:/);
    expect(error.message).toMatch(/: the servlet is leaving .* a finally block for that/);
    expect(error.message).toMatch(/way out: +suspend before the call that leaves/);
  });

  test('leaving in one branch of a native part is not undone by a suspension in another', async () => {
    const { exports } = await load(
      "export async function start() { return await native(() => Promise.all([exit('bye'), ask('x')])); }",
    );
    expect(await prompt(exports['start']!)).toMatchObject({ kind: 'exited', value: 'bye' });
  });

  test('a package that is CommonJS is named by no way out', async () => {
    const { exports } = await load(
      `export const start = (call: any) => prompted(call);\nasync function prompted(call: any) { const x = await call(async () => { const y = await ask(1); return y; }); return x; }`,
    );
    const wayOut = async (name: string, file: string, type: string): Promise<string> => {
      const directory = join(mkdtempSync(join(tmpdir(), 'packages-')), 'node_modules', name);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'package.json'), JSON.stringify({ name, type }));
      const isCommonJs = type === 'commonjs';
      writeFileSync(
        join(directory, file),
        `${isCommonJs ? 'exports.call =' : 'export const call ='} async (f) => await f();`,
      );
      const { call } = await import(/* @vite-ignore */ pathToFileURL(join(directory, file)).href);
      const error = (await prompt(() => exports['start']!(call)).catch((e: Error) => e)) as Error;
      return /way out: +(.*)/.exec(error.message)![1]!;
    };
    expect(await wayOut('@some/library', 'index.mjs', 'module')).toContain("transform: ['@some/library']");
    expect(await wayOut('some library', 'index.js', 'module')).toContain("transform: ['some library']");
    for (const file of ['index.cjs', 'index.js']) {
      expect(await wayOut('common', file, 'commonjs')).not.toContain('transform');
      expect(await wayOut('common', file, 'commonjs')).toContain('native(...)');
    }
  });

  describe('leaving that something keeps, in code that never ends', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

    test('fails its run, if native code has swallowed it', async () => {
      const { exports } = await load(
        'export async function start() {\n  await exit("bye").catch(() => new Promise(() => {}));\n}',
      );
      let error: UnsafeContextError | undefined;
      prompt(exports['start']!).catch((e: UnsafeContextError) => (error = e));
      await turn();
      await vi.advanceTimersByTimeAsync(4_900);
      expect(error).toBe(undefined);
      await vi.advanceTimersByTimeAsync(200);
      expect(error?.code).toBe('SERVLET_UNSAFE_CONTEXT');
      expect(error!.message).toMatch(/^Cannot leave the servlet in an unsafe context: [^]*servlet-\d+\.(ts|mjs):4:/);
    });

    test('fails no run whose finally blocks are at work, nor one that native code keeps for a while', async () => {
      const { exports } = await load(`
        const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
        async function transaction(f: () => unknown) { 'use native'; try { return await f(); } finally { await pause(4_000); } }
        export async function start() {
          try { await transaction(async () => { try { await exit('bye'); } finally { await pause(60_000); } }); } finally { await pause(8_000); }
        }`);
      const outcome = prompt(exports['start']!);
      await turn();
      await vi.advanceTimersByTimeAsync(72_000);
      expect(await outcome).toMatchObject({ kind: 'exited', value: 'bye' });
    });
  });

  test('the chain of calls is listed with file and line', async () => {
    const { exports, file } = await load(
      'export async function start() {\n  return await Promise.all([outer()]);\n}\nasync function outer() {\n  const x = await inner();\n  return x;\n}\nasync function inner() {\n  const y = await ask(1);\n  return y;\n}',
    );
    const error = (await prompt(exports['start']!).catch((e: Error) => e)) as Error;
    expect(error.message).toContain(`awaited by:  inner (${file}:11:`);
    expect(error.message).toContain(`awaited by:  outer (${file}:7:`);
    expect(error.message).toContain(`received by: the await in start (${file}:4:`);
  });

  /** Helpers as authors have them: one that only hands on a promise, one without a name, and a few that await. */
  const helpers = `
    const handing = (x: unknown) => ask(x);
    const number = async (x: unknown): Promise<number> => Number(await handing(x));
    class Shop { async price(x: unknown) { const n = await number(x); return n * 100; } }
    async function ware(x: unknown) { const price = await new Shop().price(x); return { price }; }
    const wares = { async dear(x: unknown) { const all = await [async () => { const w = await ware(x); return w; }][0]!(); return all; } };
    async function deep(n: number): Promise<unknown> { const x = n ? await deep(n - 1) : await wares.dear('deep'); return x; }
    const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));`;
  const notAwaited: [name: string, body: string, marked: string][] = [
    ['called and left', "void wares.dear(1); return 'page';", 'dear(1)'],
    ['left below twenty callers', "void deep(18); return 'page';", 'deep(18)'],
    ['left before a sleep', "const p = wares.dear(1); await sleep(5); await p; return 'page';", 'dear(1)'],
    ['the second of two', 'const p = ask(1), q = wares.dear(2); return [await p, await q];', 'dear(2)'],
    ['in a callback', "[1].forEach((x) => { void wares.dear(x); }); return 'page';", 'dear(x)'],
    ['in a timer', 'setTimeout(async () => { await wares.dear(1); }, 1); await sleep(100);', 'await wares.dear(1)'],
    ['whose rejection is swallowed', 'await wares.dear(1).catch(() => 0);', 'dear(1)'],
    ['behind a failure', "void wares.dear(1); throw new Error('other');", 'dear(1)'],
  ];
  for (const [name, body, marked] of notAwaited)
    for (const before of ['', 'await ask(0); '])
      test(`the marked place is the call that nobody awaits, and not what awaits within it: ${name}${before ? ', after a suspension' : ''}`, async () => {
        const text = `${helpers}\nexport async function start(): Promise<any> {\n  ${before}${body}\n}`;
        const { exports, file, source } = await load(text);
        const error = await play(exports['start']!, before ? [0] : []).then(
          ({ outcome }) => Promise.reject(new Error(`no error, but ${outcome.kind}`)),
          (e: UnsafeContextError) => e,
        );
        const { line, column } = error.place!;
        const lines = source.split('\n');
        expect(line, error.message).toBe(lines.length - 1);
        expect(lines[line - 1]!.slice(column - 1, column - 1 + marked.length), error.message).toBe(marked);
        expect(error.message).toMatch(new RegExp(`(called from|awaited by): .*${file}:${line}:${column}\\)?$`, 'm'));
        // Without the runtime.
        expect(error.stack).toBe(`UnsafeContextError: ${error.message}\n    at ${file}:${line}:${column}`);
        expect((error.cause as Error | undefined)?.message).toBe(name === 'behind a failure' ? 'other' : undefined);
      });

  test('the error can be caught at the await that received the capture', async () => {
    const { exports } = await load(
      'export async function start() { try { await Promise.race([ask(1)]); } catch (e: any) { return e.code; } }',
    );
    expect(returned(await prompt(exports['start']!))).toBe('SERVLET_UNSAFE_CONTEXT');
  });

  test('a derived promise that nobody awaits fails the request, not the process', () => {
    const runtime = JSON.stringify(new URL('../../packages/worker/src/continuation/runtime.ts', import.meta.url).href);
    const script = `const { capture, prompt, settleUnhandled } = await import(${runtime});
      process.on('unhandledRejection', (reason) => { if (!settleUnhandled(reason)) throw reason; });
      await prompt(() => { capture(() => 1).then(() => {}); return 'page'; }).catch((e) => console.log(e.code));
      await new Promise((r) => setTimeout(r, 20)); console.log('alive');`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
      { encoding: 'utf8' },
    );
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT\nalive\n');
  });

  test('helpers that only pass a promise on are safe', async () => {
    const { exports } = await load(`
      const helper = (x: unknown) => ask(x);
      async function tail(x: unknown) { return helper(x); }
      async function late() { const p = tail('late'); return await p; }
      export async function start() { const p = helper('first'); const a = await p; return a + await tail('second') + await late(); }`);
    const { asked, outcome } = await play(exports['start']!, ['a', 'b', 'c']);
    expect(asked).toEqual(['first', 'second', 'late']);
    expect(returned(outcome)).toBe('abc');
  });
});
