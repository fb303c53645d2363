import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { codeFrame, prompt, type UnsafeContextError } from '../../packages/worker/src/continuation/runtime.ts';
import { load, play, returned } from './support/compile-module.ts';

/** One way to lose the promise of a capturing call per row: the body of `start`, what the message must say, and the line of the capture. */
const ways: { name: string; body: string; says: RegExp; receivedOnLine?: number }[] = [
  {
    name: 'branches of Promise.all',
    body: 'return await Promise.all([1, 2].map(async (x) => { const y = await ask(x); return y; }));',
    says: /combinator/,
    receivedOnLine: 4,
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
];

const library = `
function library(f: () => unknown): Promise<unknown> { 'use native'; return new Promise((resolve, reject) => { Promise.resolve().then(f).then(resolve, reject); }); }
async function foreign(): Promise<unknown> { 'use native'; return await ask(1); }
function co(g: () => Generator): Promise<unknown> { const it = g(); return Promise.resolve(it.next().value).then((x) => it.next(x).value); }
`;

describe('unsafe contexts', () => {
  for (const way of ways)
    test(`${way.name}: SERVLET_UNSAFE_CONTEXT`, async () => {
      const { exports, file, source } = await load(
        `export async function start(): Promise<unknown> {\n  ${way.body}\n}\n${library}`,
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
      // The line to show to the author: where the capture was received, or else where it began.
      expect(error.place).not.toBe(null);
      if (way.receivedOnLine)
        expect(codeFrame(source, error.place!.line, error.place!.column)).toContain(`> 4 |   ${way.body}`);
      else expect(error.message).toMatch(/servlet-\d+\.(ts|mjs):4:/);
      if (way.receivedOnLine)
        expect(error.message).toContain(`received by: the await in start (${file}:${way.receivedOnLine}:`);
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

  test('the error can be caught at the await that received the capture', async () => {
    const { exports } = await load(
      'export async function start() { try { await Promise.race([ask(1)]); } catch (e: any) { return e.code; } }',
    );
    expect(returned(await prompt(exports['start']!))).toBe('SERVLET_UNSAFE_CONTEXT');
  });

  test('a derived promise that nobody awaits fails the request, not the process', () => {
    const runtime = JSON.stringify(new URL('../../packages/worker/src/continuation/runtime.ts', import.meta.url).href);
    const script = `const { capture, isSignal, prompt } = await import(${runtime});
      process.on('unhandledRejection', (reason) => { if (!isSignal(reason)) throw reason; });
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
