import { describe, expect, test } from 'vitest';
import { codeFrame } from '../../packages/worker/src/continuation/code-frame.ts';
import { compile } from '../../packages/worker/src/continuation/compile/compile.ts';
import { captured, load, play, returned } from './support/compile-module.ts';
import { describe as frames, prompt, resume } from '../../packages/worker/src/continuation/runtime.ts';

describe('compile()', () => {
  test('a try block that does not wait keeps its declarations, though its finally block waits', async () => {
    const { exports } = await load(
      'export async function f() { let out = ""; try { const x = 1; out += x; } finally { out += await ask("x"); } return out; }',
    );
    const { outcome } = await play(exports['f']!, [2]);
    expect(returned(outcome)).toBe('12');
  });

  test('an array destructuring that waits in its defaults gives each answer the same elements', async () => {
    const { exports } = await load(
      'export async function f() { const [a = await ask("a"), b, ...c] = [undefined, 2, 3]; return [a, b, c]; }',
    );
    const { history } = await play(exports['f']!, []);
    for (const answer of [1, 5])
      expect(returned(await resume(captured(history[0]!), answer))).toEqual([answer, 2, [3]]);
  });

  test('what has no name of its own is called by none that an author could have given', () => {
    const source = 'export default async () => { await suspend(); };';
    const { code } = compile(source, { file: 'a.js', runtime: 'rt' });
    expect(code.match(/\banonymous\b[$\w]*/g)?.[0]).toBe('anonymous$1');
  });

  test('code without resumable functions is returned as it is', () => {
    const source = 'export const x = 1; export async function f() { g(); }';
    expect(compile(source, { file: 'a.js', runtime: 'rt' })).toEqual({
      code: source,
      map: null,
      diagnostics: [],
      functions: [],
      resumableCount: 0,
    });
  });

  test('a closure over a reassigned local is reported, with the line of each of the three', () => {
    const source =
      'export async function f(ask) {\n  let n = 0;\n  const add = () => { n += 1; };\n  await ask();\n  add();\n  return n;\n}';
    const [d, ...more] = compile(source, { file: 'a.js', runtime: 'rt' }).diagnostics;
    expect(more).toEqual([]);
    expect(d).toMatchObject({ code: 'SERVLET_SHARED_LOCAL', line: 3 });
    expect(d!.message).toMatch(/'n' is shared .* line 4: .*\(line 3\).*reassigned \(line 3\)/);
    expect(d!.frame).toContain('> 3 |   const add = () => { n += 1; };');
  });

  test('what a page only reads is not shared; what it assigns is, and the report names that line', () => {
    const module = (page: string): string =>
      `import { sendSuspend } from '@custodian/worker';\nexport async function f() {\n  for (let n = 0; ; n++) await sendSuspend((url) => url + n);\n}\nexport async function g() {\n  let n = 0;\n  for (;;) {\n    await sendSuspend((url) => url + n);\n    n += 1;\n    ${page}\n  }\n}`;
    const lines = (page: string): number[] =>
      compile(module(page), { file: 'a.js', runtime: 'rt' }).diagnostics.map(({ line }) => line);
    expect(lines('')).toEqual([]);
    expect(lines('await sendSuspend((url) => url + n++);')).toEqual([10]);
    expect(lines('const page = sendSuspend((url) => url + n); await page;')).toEqual([10]);
    expect(lines('await other((url) => url + n);')).toEqual([10]);
  });

  test('no report where the closure is made after the last assignment, or nothing suspends meanwhile', () => {
    const settled =
      'export async function f(ask) { let n = 0; n = await ask(); const get = () => n; await ask(); return get(); }';
    const unsuspended =
      'export async function f(ask) { await ask(); { let n = 0; [1].forEach((x) => { n += x; }); return n; } }';
    expect(compile(settled, { file: 'a.js', runtime: 'rt' }).diagnostics).toEqual([]);
    expect(compile(unsuspended, { file: 'a.js', runtime: 'rt' }).diagnostics).toEqual([]);
  });

  const reported = (body: string, savedAs?: string) =>
    compile(`import { sendSuspend } from '@custodian/worker';\nexport async function f(ask, use) {\n${body}\n}`, {
      file: 'a.js',
      runtime: 'rt',
      savedAs,
    }).diagnostics.map(({ line, message }) => [line, message] as const);

  test.each([
    ['an arrow', 'const show = () => name;\nconst name = await ask();\nawait ask();\nreturn show();', 3],
    ['a function', 'use(function () { return name; });\nlet [name] = await ask();\nawait ask();', 3],
    ['a method', 'const o = { m() { return name; } };\nconst { name } = await ask();\nawait ask(o);', 3],
    [
      'a class',
      'class P { show() { return name; } }\nconst name = await ask();\nawait ask();\nreturn new P().show();',
      3,
    ],
    [
      'a hoisted function',
      'await 0;\nconst name = use();\nawait ask();\nreturn page();\nfunction page() { return name; }',
      7,
    ],
    ['one that sees a var', 'var name = await ask();\nawait ask();\nreturn p();\nfunction p() { return name; }', 6],
    ['one in a loop', 'for (const x of use) {\nuse(() => name);\nconst name = await ask();\n}', 4],
    ['one that is given away', 'const name = await ask();\nreturn use(page);\nfunction page() { return name; }', 5],
    ['one that suspends', 'const n = await ask();\nreturn p();\nasync function p() { await ask();\nreturn n; }', 6],
  ])(
    'a variable that gets its value after a closure over it was made, and an await, is reported: %s',
    (_, body, line) => {
      for (const savedAs of [undefined, 'a.js']) {
        const [report, ...more] = reported(body, savedAs);
        expect(more).toEqual([]);
        expect(report).toEqual([
          line,
          expect.stringMatching(
            /is shared between all windows .*gets its value after that .*made before.*Pass the value/,
          ),
        ]);
      }
    },
  );

  test.each([
    ['nothing suspends between the two', 'await ask();\nuse(() => name);\nconst name = use();\nawait ask();'],
    ['a var is as good', 'use(() => name);\nvar name = use();\nawait ask();'],
    ['a hoisted function finds all of it', 'const name = use();\nawait ask();\nreturn p();\nfunction p() { name; }'],
    ['its block begins later', 'await ask();\n{ const n = use();\nawait ask();\nawait p();\nfunction p() { n; } }'],
    ['nothing suspends afterwards', 'const name = await ask();\nreturn page();\nfunction page() { return name; }'],
    ['a page shows it', 'const a = await ask();\nconst b = await ask();\nawait sendSuspend((url) => url + a + b);'],
    ['the closure is its value', 'const go = async () => { await ask();\nreturn go(); };\nawait ask();\nawait go();'],
    [
      'it is the same in every window',
      'await ask();\nconst A = 5, b = (n) => n * 2;\nclass C { c() { return C; } }\nawait ask();\nreturn p();\nfunction p() { return [A, b, C]; }',
    ],
  ])('no report where %s', (_, body) => {
    for (const savedAs of [undefined, 'a.js']) expect(reported(body, savedAs)).toEqual([]);
  });

  test.each([
    'sendSuspend',
    'sendSuspendUrl',
    'sendSuspendHidden',
    'sendSuspendDispatch',
    'sendSuspendUrlDispatch',
    'sendForward',
    'sendFormlet',
    'redirectGet',
    'redirectGetForget',
    'captureContinuation',
    'page',
  ])('a suspension written directly in an async generator does not load: %s', (name) => {
    const source = `import { ${name} as ask } from '@custodian/worker';\nexport async function* pages() {\n  yield await ask(() => 'x');\n}`;
    expect(() => compile(source, { file: 'a.js', runtime: 'rt' })).toThrow(
      expect.objectContaining({ code: 'SERVLET_SUSPEND_IN_GENERATOR', line: 3, column: 15 }),
    );
  });

  test('a syntax error carries its place', () => {
    expect(() => compile('let x = ;', { file: 'a.js', runtime: 'rt' })).toThrow(
      expect.objectContaining({ code: 'SERVLET_SYNTAX', line: 1, column: 9, file: 'a.js' }),
    );
  });

  const times = (count: number, part: (n: number) => string): string =>
    Array.from({ length: count }, (_, n) => part(n)).join('');
  const DEEP = 20_000;
  test.each([
    ['calls in a chain', `x\n${times(DEEP, () => '.f(1)\n')}`],
    [
      'else ifs, as a function',
      `(() => {\nif (a) return 0;\n${times(DEEP, (n) => `else if (a === ${n}) return ${n}; `)} })()`,
    ],
    ['sums of awaits', `\n${times(DEEP, () => 'await a + ')} 1`],
    ['arrays in arrays', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
    ['functions in functions', `${times(DEEP, () => 'async () => ')} 1`],
  ])('%s that nest deeper than there is stack for are an error with a code and a line', (_, expression) => {
    for (const savedAs of [undefined, 'a.js']) {
      const run = () =>
        compile(`\nexport async function f(a) {\n  await a;\n  return ${expression}; }`, {
          file: 'a.js',
          runtime: 'rt',
          savedAs,
        });
      const message = expect.stringMatching(
        /^Cannot compile the module: its code nests too deep here.*a\.js:[4-6]:\d+\)/,
      );
      expect(run).toThrow(expect.objectContaining({ code: 'SERVLET_TOO_DEEP', file: 'a.js', message }));
    }
  });

  test('decorators, which neither Node nor the parser knows, are told by name', () => {
    expect(() => compile('class A {\n  @logged m() {}\n}', { file: 'a.js', runtime: 'rt' })).toThrow(
      expect.objectContaining({
        code: 'SERVLET_SYNTAX',
        line: 2,
        column: 3,
        message: expect.stringMatching(/^Decorators/),
      }),
    );
  });

  test("'use native' leaves a function or a file alone", () => {
    expect(
      compile("async function f() { 'use native'; await 1; }", { file: 'a.js', runtime: 'rt' }).resumableCount,
    ).toBe(0);
    expect(
      compile("'use native'; async function f() { await 1; }", { file: 'a.js', runtime: 'rt' }).resumableCount,
    ).toBe(0);
  });
});

describe('compiled functions', () => {
  test('keep their name, their length and their receiver', async () => {
    const { exports } = await load(`
      export async function declared(a: number, b = 2, ...c: number[]) { await null; return [a, b, c.length]; }
      const arrow = async (x: unknown) => { await null; return x; };
      const object = { async method(this: any, y: number) { await null; return this === object && y; } };
      class C { #p = 5; async m() { await null; return this.#p; } static async s() { return await super.toString(); } }
      export const facts = () => [declared.name, declared.length, arrow.name, arrow.length, object.method.name, 'prototype' in arrow];
      export async function all() { return [await declared(1), await object.method(3), await new C().m(), typeof await C.s()]; }`);
    expect(exports['facts']!()).toEqual(['declared', 1, 'arrow', 1, 'method', false]);
    expect(returned(await prompt(exports['all']!))).toEqual([[1, 2, 0], 3, 5, 'string']);
  });

  test.each([false, true])(
    'are no async functions to who asks: toString(), instanceof, new (saved pages: %s)',
    async (isSaved) => {
      const { exports } = await load(
        `export async function f(x) { return [await ask(x), new.target === undefined]; }
        const AsyncFunction = (async () => { 'use native'; }).constructor;
        const arrow = async (x) => ask(x), object = { async m(x) { return ask(x); } };
        export const facts = () => [f, arrow, object.m].map((each) =>
          [each instanceof AsyncFunction, each instanceof Function, each.toString().includes('await ask')]);
        export const made = () => new f(1);
        export const unmade = () => [arrow, object.m].map((each) => { try { return new each(1); } catch (error) { return error.name; } });`,
        { isSaved },
      );
      expect(exports['facts']!()).toEqual(Array(3).fill([false, true, false]));
      // What is a method or an arrow is no constructor, as everywhere; what is a function can be made anew, and runs.
      expect(exports['unmade']!()).toEqual(['TypeError', 'TypeError']);
      expect(returned((await play(() => exports['made']!(), [3])).outcome)).toEqual([3, false]);
    },
  );

  test.each([false, true])('may be called like a word of the language (saved pages: %s)', async (isSaved) => {
    const words =
      'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield async of get set'.split(
        ' ',
      );
    const source = `export const methods = { ${words.map((w) => `async ${w}(x) { return [await ask(x), x]; }`).join(', ')} };
      export const values = { ${words.map((w) => `'${w}': async (x) => [await ask(x), x]`).join(', ')} };
      const Members = class { ${words.map((w) => `async ${w}(x) { return [await ask(x), x]; }`).join(' ')} };
      const Fields = class { ${words.map((w) => `static ${w} = async (x) => [await ask(x), x];`).join(' ')} };
      export const members = new Members(), fields = Fields;`;
    const { exports } = await load(source, { isSaved });
    for (const kind of ['methods', 'values', 'members', 'fields'])
      for (const word of words) {
        const f = (exports[kind] as unknown as Record<string, (x: number) => unknown>)[word]!;
        expect(f.name).toBe(word);
        expect(returned((await play(() => f(4), [3])).outcome)).toEqual([3, 4]);
      }
  });

  test('an optional chain in parentheses keeps its receiver when it is called', async () => {
    const { exports } = await load(`export async function f() {
      const inner = { n: 2, m(x) { return [this.n, x]; } };
      const o = { n: 1, inner, m: inner.m, tag(strings, x) { return [this.n, x]; } };
      let missing = '';
      try { (o.none?.m)(await ask('none')); } catch (error) { missing = error.name; }
      const tagged = (o?.tag)\`\${await ask('tag')}\`;
      return [(o?.m)(await ask('a')), (o.inner?.m)(await ask('b')), (o?.[(await ask('key'), 'm')])(4), tagged, missing].join();
    }`);
    const { outcome } = await play(exports['f']!, [0, 5, 1, 2, 3]);
    expect(returned(outcome)).toBe('1,1,2,2,1,4,1,5,TypeError');
  });

  test('errors in parameters reject', async () => {
    const { exports } = await load('export async function f({ a }: any, b = a.b.c) { await null; return b; }');
    await expect(exports['f']!({})).rejects.toBeInstanceOf(TypeError);
    await expect(exports['f']!()).rejects.toBeInstanceOf(TypeError);
  });

  test('a boxed local is one for all resumptions, an uncaptured one is copied', async () => {
    const { exports } = await load(
      'export async function boxed() { let n = 0; const inc = () => ++n; await ask("x"); return inc(); }\nexport async function copied() { let n = 0; await ask("x"); return ++n; }',
    );
    const b = captured(await prompt(exports['boxed']!)),
      c = captured(await prompt(exports['copied']!));
    expect([returned(await resume(b, 0)), returned(await resume(b, 0))]).toEqual([1, 2]);
    expect([returned(await resume(c, 0)), returned(await resume(c, 0))]).toEqual([1, 1]);
  });

  test('a constant of a loop belongs to the page, even when closures keep it', async () => {
    const { exports } = await load(
      'export async function f() { const fs: (() => number)[] = []; let all = fs; for (const i of [1, 2]) { const c = await ask(i); all = [...all, () => c]; } await ask("end"); return all.map((g) => g()); }',
    );
    const { history } = await play(exports['f']!, [10, 20, 0]);
    const other = await resume(captured(await resume(captured(history[0]!), 11)), 21);
    expect(returned(history[3]!)).toEqual([10, 20]);
    expect(returned(await resume(captured(other), 0))).toEqual([11, 21]);
    expect(returned(await resume(captured(history[2]!), 0))).toEqual([10, 20]);
  });

  test('finally runs at each departure, using disposes once per resumption', async () => {
    const { exports } = await load(
      'export const log: string[] = [];\nexport async function f() { try { using r = { [Symbol.dispose]() { log.push("disposed"); } }; return await ask("x"); } finally { log.push("finally"); } }',
    );
    const k = captured(await prompt(exports['f']!));
    expect(exports['log']).toEqual([]);
    await resume(k, 1);
    await resume(k, 2);
    expect(exports['log']).toEqual(['disposed', 'finally', 'disposed', 'finally']);
  });

  test('an error of a disposal that hides another says so, as the engine’s own does', async () => {
    const { exports } = await load(`export async function f() {
      try { await using a = { [Symbol.asyncDispose]() { throw new Error('disposal'); } }; throw new Error(await ask('x')); }
      catch (error) { return [error.message, error.error.message, error.suppressed.message]; }
    }`);
    const { outcome } = await play(exports['f']!, ['body']);
    expect(returned(outcome)).toEqual(['An error was suppressed during disposal', 'disposal', 'body']);
  });

  test('for await suspends in its body', async () => {
    const { exports } = await load(
      'async function* items() { yield 1; yield 2; }\nexport async function f() { let out = 0; for await (const x of items()) out = out * 10 + x * await ask(x); return out; }',
    );
    expect(returned((await play(exports['f']!, [3, 4])).outcome)).toBe(38);
  });
});

test('codeFrame() points at a place', () => {
  expect(codeFrame('a\n\tbc\nd', 2, 3)).toBe('  1 | a\n> 2 | \tbc\n    | \t ^\n  3 | d');
});

test('describe() lists the frames with their locals', async () => {
  const { exports, file } = await load(
    'export async function outer() {\n  const kept = 1;\n  const r = await inner();\n  return r + kept;\n}\nasync function inner() {\n  const reply = await ask("x");\n  return reply;\n}',
  );
  expect(frames(captured(await prompt(exports['outer']!)).frames)).toEqual([
    { function: 'inner', file, line: 9, column: 17, locals: {} },
    { function: 'outer', file, line: 5, column: 13, locals: { kept: 1 } },
  ]);
});
