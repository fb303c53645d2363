import { describe as suite, expect, test } from 'vitest';
import {
  capture,
  currentContext,
  deliver,
  describe,
  prompt,
  resume,
} from '../../packages/worker/src/continuation/runtime.ts';
import { captured, load, play, returned } from './support/compile-module.ts';
import { inProcess } from './support/in-process.ts';

suite('prompt() and resume()', () => {
  test('resume() starts from the same locals every time', async () => {
    const { exports } = await load(
      'export async function sum() { const m = await ask("m"); const n = await ask("n"); return m + n; }',
    );
    const k = captured(await prompt(exports['sum']!)),
      k3 = captured(await resume(k, 3)),
      k10 = captured(await resume(k, 10));
    expect(returned(await resume(k3, 4))).toBe(7);
    expect(returned(await resume(k10, 4))).toBe(14);
    expect(returned(await resume(k3, 5))).toBe(8);
  });

  test('the page is made after the unwinding, outside the captured code', async () => {
    const { exports } = await load(
      'export const log: string[] = []; export async function start() { try { return await capture(() => { log.push("page"); return 1; }); } finally { log.push("finally"); } }',
    );
    const outcome = await prompt(exports['start']!);
    expect(exports['log']).toEqual([]);
    expect((await deliver(outcome)).value).toBe(1);
    expect(exports['log']).toEqual(['page']);
    await resume(captured(outcome), 1);
    await resume(captured(outcome), 1);
    expect(exports['log']).toEqual(['page', 'finally', 'finally']);
  });

  test('deliver() throws an error of the page maker into the captured context', async () => {
    const { exports } = await load(
      'export async function start() { try { await capture(() => { throw new Error("no page"); }); } catch (e: any) { return `caught ${e.message}`; } }',
    );
    expect(await deliver(await prompt(exports['start']!))).toEqual({
      value: 'caught no page',
      continuation: null,
      hasLeft: false,
    });
  });

  test('a tail call leaves no frame', async () => {
    const { exports } = await load(
      'export async function count(i: number): Promise<void> { await ask(i); return count(i + 1); }\nexport async function awaited(i: number): Promise<void> { await ask(i); return await awaited(i + 1); }',
    );
    for (const name of ['count', 'awaited']) {
      let outcome = await prompt(() => exports[name]!(0));
      for (let i = 0; i < 20; i++) outcome = await resume(captured(outcome), null);
      expect(describe(captured(outcome).frames).length).toBe(1);
    }
  });

  test('frames keep only what is read after the suspension', async () => {
    const { exports } = await load(
      'export async function start() { const secret = { token: 1 }; use(secret); const kept = 5; await ask("x"); return kept; }\nfunction use(x: unknown) {}',
    );
    expect(describe(captured(await prompt(exports['start']!)).frames)[0]!.locals).toEqual({ kept: 5 });
  });

  test('an error that reaches the root after a resume carries the callers from the continuation', async () => {
    const { exports, file } = await load(
      'export async function outer() {\n  const x = await middle();\n  return x;\n}\nasync function middle() {\n  const y = await inner();\n  return y;\n}\nasync function inner() {\n  await ask("x");\n  throw new Error("boom");\n}',
    );
    const error = (await resume(captured(await prompt(exports['outer']!)), 1).catch((e: Error) => e)) as Error;
    expect(error.stack).toContain(`at async middle (${file}:8:`);
    expect(error.stack).toContain(`at async outer (${file}:4:`);
    expect(error.stack).not.toContain('runFrames');
  });

  const FINALLY = `
const inner = async () => { await ask('inner'); throw new Error('bad'); };
async function middle() { try { await inner(); } finally { await ask('middle'); } }
async function outer() { try { await middle(); } finally { await ask('outer'); } }
export async function start() { await outer(); }
export async function wrapping() { try { await outer(); } catch (e) { throw new Error('wrapped', { cause: e }); } }
export async function keeping() {
  try { await outer(); } catch (e) { await ask('kept'); throw e; }
}
const check = (n: number): number => { throw new RangeError('not ' + n); };
async function caught() { try { return check(Number(await ask('n'))); } catch (e) { throw new Error('wrong', { cause: e }); } }
export async function nested() { await caught(); }
export async function early() { try { check(1); } finally { await ask('early'); } }
`;
  const names = (error: Error): string[] =>
    error.stack!.split('\n').flatMap((line) => /^ +at (.*?)(?:\$\d+)? \(/.exec(line)?.[1] ?? []);
  test.each([
    [
      'is thrown on by finally blocks that suspend',
      'start',
      3,
      ['inner', 'async middle', 'async outer', 'async start'],
    ],
    ['is a cause', 'wrapping', 3, ['inner', 'async middle', 'async outer', 'async wrapping']],
    ['is thrown on after another suspension', 'keeping', 4, ['inner', 'async middle', 'async outer', 'async keeping']],
    ['is the cause of one in the same function', 'nested', 1, ['check', 'caught', 'async nested']],
  ])('an error has the callers that it had where it was thrown, when it %s', async (_, name, suspensions, callers) => {
    const { exports } = await load(FINALLY);
    let outcome = await prompt(exports[name]!);
    for (let i = 1; i < suspensions; i++) outcome = await resume(captured(outcome), i);
    for (let times = 0; times < 2; times++) {
      const error = (await resume(captured(outcome), 1).catch((e: Error) => e)) as Error;
      expect(names((error.cause ?? error) as Error)).toEqual(callers);
      if (name === 'wrapping') expect(names(error)).toEqual(['wrapping']);
      if (name === 'nested') expect(names(error)).toEqual(['caught', 'async nested']);
    }
  });

  test('an error that was thrown before a suspension has its callers on its stack, and no second time', async () => {
    const { exports } = await load(FINALLY);
    const outcome = await prompt(exports['early']!);
    const error = (await resume(captured(outcome), 1).catch((e: Error) => e)) as Error;
    expect(names(error).slice(0, 3)).toEqual(['check', 'early', 'early']);
    expect(names(error)).not.toContain('async early');
  });

  test('an error passes through the try blocks of the frames', async () => {
    const { exports } = await load(
      'export async function outer() { try { return await inner(); } catch (e: any) { return `caught ${e.message}`; } }\nasync function inner() { await ask(1); throw new Error("late"); }',
    );
    expect(returned((await play(exports['outer']!, [1])).outcome)).toBe('caught late');
  });

  test('the context is that of the latest request', async () => {
    const { exports } = await load(
      'export async function start(read: () => unknown) { const a = read(); await ask(1); return [a, read()]; }',
    );
    const first = await prompt(() => exports['start']!(currentContext), 'one');
    expect(returned(await resume(captured(first), 0, { context: 'two' }))).toEqual(['one', 'two']);
    expect(currentContext()).toBe(undefined);
  });

  test('capture() outside a servlet rejects', async () => {
    await expect(capture(() => 1)).rejects.toMatchObject({ code: 'SERVLET_NO_PROMPT' });
  });
});

suite('exit()', () => {
  test('catch clauses do not see it, finally blocks run, before and after a resume', async () => {
    const { exports } = await load(
      'export const log: string[] = [];\nexport async function start(wait: boolean) { try { await inner(wait); } catch { log.push("catch"); } finally { log.push("outer"); } return 1; }\nasync function inner(wait: boolean) { try { if (wait) await ask(1); await exit("bye"); } catch { log.push("catch"); } finally { log.push("inner"); } }',
    );
    expect(await prompt(() => exports['start']!(false))).toEqual({ kind: 'exited', value: 'bye' });
    const k = captured(await prompt(() => exports['start']!(true)));
    expect(await resume(k, 0)).toEqual({ kind: 'exited', value: 'bye' });
    expect(exports['log']).toEqual(['inner', 'outer', 'inner', 'outer']);
  });
});

suite('what is left running when a page goes out', () => {
  const LEFT =
    'async function late(): Promise<any> { await new Promise((r) => setTimeout(r, 5)); return await ask("late"); }\n';

  test('a capture that begins after its request was answered never becomes a page of a later one', async () => {
    const { emitted } = await load(
      `${LEFT}export async function start() { const p = late(); await ask("first"); await new Promise((r) => setTimeout(r, 50)); return await p; }`,
    );
    const { stdout, stderr } = inProcess(
      `
      const { continuation } = await prompt(start);
      await new Promise((r) => setTimeout(r, 20));
      for (const answer of [1, 2]) await resume(continuation, answer).catch((e) => console.log(e.code, /answered already/.test(e.message)));
      console.log('alive');`,
      emitted,
    );
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT true\nSERVLET_UNSAFE_CONTEXT true\nalive\n');
    expect(stderr).toMatch(/answered already[^]*captured at: ask/);
  });

  test('a suspension in a timer that was left running is told on the console', async () => {
    const { emitted } = await load(
      'export async function start() { setTimeout(() => { void ask("late"); }, 5); await ask("first"); }',
    );
    const { stdout, stderr } = inProcess(
      'await prompt(start); await new Promise((r) => setTimeout(r, 50)); console.log("alive");',
      emitted,
    );
    expect(stdout, stderr).toBe('alive\n');
    expect(stderr).toMatch(/answered already[^]*foreign: +listOnTimeout/);
  });

  test('a suspension where no request is answered is told on the console, and ends no thread', async () => {
    const { emitted } = await load('export function start() { void ask("nobody"); }');
    const { stdout, stderr } = inProcess(
      'start(); await new Promise((r) => setTimeout(r, 50)); console.log("alive");',
      emitted,
    );
    expect(stdout, stderr).toBe('alive\n');
    expect(stderr).toMatch(/NoPromptError: Cannot capture a continuation[^]* at ask \(/);
  });

  test('an unsafe context in a branch that nobody awaits fails the request, not the thread', async () => {
    const { emitted } = await load(
      'export async function start() { void (async () => { await Promise.all([ask(1)]); })(); await new Promise(() => {}); }',
    );
    const { stdout, stderr } = inProcess(
      'await prompt(start).catch((e) => console.log(e.code, /combinator/.test(e.message)));',
      emitted,
    );
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT true\n');
  });

  test('work that does not suspend goes on, and every resumption gets its result', async () => {
    const { exports } = await load(
      'async function work() { await new Promise((r) => setTimeout(r, 5)); return 7; }\nexport async function start() { const p = work(); const a = await ask("x"); return a + await p; }',
    );
    const k = captured(await prompt(exports['start']!));
    expect([returned(await resume(k, 1)), returned(await resume(k, 2))]).toEqual([8, 9]);
  });

  test('the promise of a capturing call can not be awaited a second time', async () => {
    const { exports } = await load('export async function start() { const p = ask(1); return [await p, await p]; }');
    const k = captured(await prompt(exports['start']!));
    await expect(resume(k, 1)).rejects.toMatchObject({ code: 'SERVLET_UNSAFE_CONTEXT' });
  });
});

suite('native()', () => {
  test('a capture inside parks the native stack; it can be resumed once', async () => {
    const { exports } = await load(
      'export async function start() { const xs = await native(() => Promise.all([1].map(async (x) => (await ask(x)) * 2))); const more = await ask("more"); return [...xs, more]; }',
    );
    const first = await prompt(exports['start']!),
      k = captured(first);
    expect(k.isOneShot).toBe(true);
    const second = captured(await resume(k, 21));
    expect(second.isOneShot).toBe(false);
    expect(returned(await resume(second, 'a'))).toEqual([42, 'a']);
    expect(returned(await resume(second, 'b'))).toEqual([42, 'b']);
    await expect(resume(k, 1)).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
  });

  test('keeps where it was called of the first ones, and of the next ones after a mistake', async () => {
    const { exports, file } = await load(
      'export async function quick() { for (let i = 0; i < 1000; i++) await native(() => i); }\nexport async function start() {\n  return await native(() => ask(1));\n}',
    );
    const { quick, start } = exports;
    const again = async (): Promise<unknown> => {
      const k = captured(await prompt(start!));
      await resume(k, 1);
      return (await resume(k, 2).catch((e: Error) => e)) as unknown;
    };
    await prompt(quick!);
    expect(await again()).toMatchObject({ code: 'SERVLET_ONE_SHOT', place: null });
    const error = await again();
    expect(error).toMatchObject({
      code: 'SERVLET_ONE_SHOT',
      place: { file: expect.stringContaining(file.slice(0, -3)) },
    });
    // It is for error pages; what a servlet sends of an error that it has caught is as in an error of its own.
    expect(JSON.parse(JSON.stringify(error))).toEqual({ name: 'OneShotError', code: 'SERVLET_ONE_SHOT' });
  });

  test('a second branch that suspends meanwhile is refused', async () => {
    const { exports } = await load(
      'export async function start() { return await native(() => Promise.allSettled([1, 2].map((x) => ask(x)))); }',
    );
    const value = returned(
      await resume(captured(await prompt(exports['start']!)), 'ok'),
    ) as PromiseSettledResult<unknown>[];
    expect(value[0]).toEqual({ status: 'fulfilled', value: 'ok' });
    expect(value[1]).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
  });
});

suite('native(), what settles while its page is out', () => {
  const sleep = 'const sleep = () => new Promise((r) => setTimeout(r, 10)), log: string[] = [];\n';
  const longer = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

  test.each([
    ['a race', 'Promise.race([ask(1), sleep().then(() => "late")])', 'late'],
    [
      'an end that waits for nobody',
      '(async () => { void ask(1).catch(() => {}); await sleep(); return "left"; })()',
      'left',
    ],
  ])('%s is told to who answers the page, and the flow goes on then', async (_what, thunk, told) => {
    const { exports } = await load(
      `${sleep}export async function start() { const first = await native(() => ${thunk}); log.push(first); const more = await ask("more"); return [first, more]; }
      export const logged = () => log.length;`,
    );
    const k = captured(await prompt(exports['start']!));
    await longer();
    expect(exports['logged']!()).toBe(0);
    const second = captured(await resume(k, 'in vain'));
    expect(returned(await resume(second, 'a'))).toEqual([told, 'a']);
    expect(returned(await resume(second, 'b'))).toEqual([told, 'b']);
    await expect(resume(k, 1)).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
  });

  test('an error is thrown at the native part when the page is answered', async () => {
    const { exports } = await load(
      `${sleep}export async function start() { try { return await native(() => Promise.race([ask(1), sleep().then(() => { throw new Error("no"); })])); } catch (e) { return "caught " + (e as Error).message; } }`,
    );
    const k = captured(await prompt(exports['start']!));
    await longer();
    expect(returned(await resume(k, 1))).toBe('caught no');
  });

  test('a flow that did not wait for the native part has its end told as well', async () => {
    const { exports } = await load(
      `${sleep}export async function start() { return await Promise.race([native(() => ask(1)), sleep().then(() => "ended")]); }
      export async function fails() { await Promise.race([native(() => ask(1)), sleep()]); throw new Error("on its own"); }
      export async function suspends() { await Promise.race([native(() => ask(1)), sleep()]); return await ask(2); }`,
    );
    const ended = captured(await prompt(exports['start']!)),
      failed = captured(await prompt(exports['fails']!)),
      suspended = captured(await prompt(exports['suspends']!));
    await longer();
    expect(returned(await resume(ended, 1))).toBe('ended');
    await expect(resume(failed, 1)).rejects.toThrow('on its own');
    await expect(resume(suspended, 1)).rejects.toMatchObject({ code: 'SERVLET_UNSAFE_CONTEXT' });
    await expect(resume(ended, 1)).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
  });
});

suite('native(), what its page is made with', () => {
  test.each([
    [
      'a native part of the maker, which runs as the code around it',
      'return await native(() => capture(AsyncResource.bind(() => native(async () => "rows"))));',
    ],
    [
      'one that began before',
      'const rows = native(async () => "rows"); return await native(() => capture(() => rows));',
    ],
  ])('%s does not wait for the answer', async (_what, body) => {
    const { exports } = await load(
      `import { AsyncResource } from 'node:async_hooks';\nexport async function start() { ${body} }`,
    );
    const outcome = await prompt(exports['start']!);
    const page = outcome.kind === 'captured' ? await outcome.make(outcome.continuation) : null;
    expect(page).toBe('rows');
    expect(returned(await resume(captured(outcome), 'answer'))).toBe('answer');
  });
});

suite('native(), a suspension that got lost meanwhile', () => {
  test('is told to who answers the page', async () => {
    const { exports } = await load(
      'export async function start() { ask("lost").catch(() => {}); return await Promise.race([native(() => ask(1)), new Promise((r) => setTimeout(r, 10, "ended"))]); }',
    );
    const k = captured(await prompt(exports['start']!));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await expect(resume(k, 1)).rejects.toMatchObject({ code: 'SERVLET_UNSAFE_CONTEXT' });
  });
});

suite('native(), with two branches', () => {
  test('the second that suspends is told on the console where it did, and fails where it is awaited', async () => {
    const { emitted } = await load(
      'export async function start() { return await native(async () => { const a = ask(1), b = ask(2); return (await a) + (await b); }); }',
    );
    const { stdout, stderr } = inProcess(
      `const { continuation } = await prompt(start);
      await new Promise((r) => setTimeout(r, 20));
      await resume(continuation, 1).catch((e) => console.log(e.code));`,
      emitted,
    );
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT\n');
    expect(stderr).toMatch(/another branch of the native part[^]*captured at: ask \(.*servlet-\d+/);
  });
});

suite('createParameter()', () => {
  test('a binding travels with the continuation', async () => {
    const { exports } = await load(
      'const p = createParameter("none");\nexport async function start() { const inside = await p.run("A", async () => { const x = await ask(p()); const y = await p.run("B", async () => (await ask(p())) + p()); return [p(), x, y, p()]; }); return [...inside, p()]; }',
    );
    const { asked, outcome, history } = await play(exports['start']!, ['x', 'y']);
    expect(asked).toEqual(['A', 'B']);
    expect(returned(outcome)).toEqual(['A', 'x', 'yB', 'A', 'none']);
    expect(returned(await resume(captured(history[1]!), 'z'))).toEqual(['A', 'x', 'zB', 'A', 'none']);
  });

  test('lookups do not walk the frames', async () => {
    const { exports } = await load(
      'const p = createParameter(0);\nexport async function deep(n: number): Promise<number> { await null; if (n === 0) { await ask(1); return p(); } const r = await p.run(n, () => deep(n - 1)); return r; }',
    );
    const k = captured(await prompt(() => exports['deep']!(200)));
    // One entry for a parameter however often it is bound, in each frame and where the page goes on.
    expect([...k.bindings!.values()]).toEqual([1]);
    let count = 0;
    for (let frame = k.frames; frame !== null; frame = frame.next, count++)
      expect(frame.bindings?.size ?? 0).toBeLessThanOrEqual(1);
    expect(count).toBeGreaterThan(200);
    expect(returned(await resume(k, 0))).toBe(1);
  });
});

suite('positions in loops', () => {
  const cases: [name: string, iterable: string, expected: unknown, variable?: string][] = [
    ['an array', '["a", "b", "c"]', 'aXbYcZ'],
    ['a string', '"abc"', 'aXbYcZ'],
    ['a Set', 'new Set(["a", "b", "c"])', 'aXbYcZ'],
    ['a Map', 'new Map([["a", 1], ["b", 2], ["c", 3]]) as Iterable<any>', 'aXbYcZ', '[x]'],
    ['entries of a Map', 'new Map([["a", 1], ["b", 2], ["c", 3]]).entries()', 'aXbYcZ', '[x]'],
    ['entries of an array', '["a", "b", "c"].entries()', 'aXbYcZ', '[, x]'],
    ['values of an array', '["a", "b", "c"].values()', 'aXbYcZ'],
    ['values of a Set', 'new Set(["a", "b", "c"]).values()', 'aXbYcZ'],
    ['keys of a Map', 'new Map([["a", 1], ["b", 2], ["c", 3]]).keys()', 'aXbYcZ'],
    [
      'keys of a Map, taken elsewhere',
      '((m: Map<string, number>) => m.keys())(new Map([["a", 1], ["b", 2], ["c", 3]]))',
      'SERVLET_ONE_SHOT',
    ],
    ['a generator', '(function* () { yield "a"; yield "b"; yield "c"; })()', 'SERVLET_ONE_SHOT'],
  ];
  for (const [name, iterable, expected, variable = 'x'] of cases)
    test(`for..of over ${name} goes on from the page's own item`, async () => {
      const { exports } = await load(
        `export async function start() { let out = ""; for (const ${variable} of ${iterable}) out += x + await ask(x); return out; }`,
      );
      const { outcome, history } = await play(exports['start']!, ['1', '2', '3']);
      expect(returned(outcome)).toBe('a1b2c3');
      const again = async (): Promise<unknown> => {
        let o = await resume(captured(history[0]!), 'X');
        o = await resume(captured(o), 'Y');
        return returned(await resume(captured(o), 'Z'));
      };
      expect(await again().catch((e: { code: string }) => e.code)).toBe(expected);
    });
});

test("for..in goes on from the page's own key", async () => {
  const { exports } = await load(
    'export async function start() { let out = ""; for (const x in { a: 1, b: 2, c: 3 }) out += x + await ask(x); return out; }',
  );
  const { outcome, history } = await play(exports['start']!, ['1', '2', '3']);
  expect(returned(outcome)).toBe('a1b2c3');
  let again = await resume(captured(history[0]!), 'X');
  for (const answer of ['Y', 'Z']) again = await resume(captured(again), answer);
  expect(returned(again)).toBe('aXbYcZ');
});

suite('iterators that cannot be rewound', () => {
  const again = async (body: string, answers: unknown[]): Promise<unknown> => {
    const { exports } = await load(body),
      { history } = await play(exports['f']!, answers);
    return resume(captured(history[0]!), answers[0])
      .then(async (o) => (o.kind === 'captured' ? resume(o.continuation, answers[1]) : o))
      .then(
        (o) => returned(o),
        (e: { code: string }) => e.code,
      );
  };
  const generator =
    'function* g() { try { yield 1; yield 2; } finally { log.push("closed"); } }\nasync function* ag() { yield* g(); }\nexport const log: string[] = [];\n';
  test('for..of: SERVLET_ONE_SHOT after another resumption has left the loop', async () => {
    expect(
      await again(
        `${generator}export async function f() { let n = 0; for (const x of g()) { n += x; if (await ask(x)) break; } return n; }`,
        [true],
      ),
    ).toBe(1);
    expect(
      await again(
        `${generator}export async function f() { let n = 0; for (const x of g()) { n += x; if (await ask(x) === 2) break; } return n; }`,
        [1, 2],
      ),
    ).toBe('SERVLET_ONE_SHOT');
  });
  test('for await: SERVLET_ONE_SHOT when a suspension within the iterator is answered twice', async () => {
    const iterable =
      'const items = { [Symbol.asyncIterator]() { let i = 0; return { next: async () => ({ done: i === 2, value: [i++, await ask(i)] }) }; } };\n';
    const { exports } = await load(
      `${iterable}export async function f() { const out: any[] = []; for await (const x of items) out.push(x); return out; }`,
    );
    const { history, outcome } = await play(exports['f']!, ['a', 'b', 'c']);
    expect(returned(outcome)).toEqual([
      [0, 'a'],
      [1, 'b'],
    ]);
    await expect(resume(captured(history[0]!), 'z')).rejects.toMatchObject({ code: 'SERVLET_ONE_SHOT' });
  });
  test('for await: SERVLET_ONE_SHOT when another resumption has taken the next item', async () => {
    expect(
      await again(
        `${generator}export async function f() { let n = 0; for await (const x of ag()) n += await ask(x); return n; }`,
        [1, 2],
      ),
    ).toBe('SERVLET_ONE_SHOT');
  });
});
