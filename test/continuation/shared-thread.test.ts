import { describe, expect, test } from 'vitest';
import { prompt, resume } from '../../packages/worker/src/continuation/runtime.ts';
import { captured, load, returned } from './support/compile-module.ts';
import { inProcess } from './support/in-process.ts';

type Start = (who: string) => unknown;

describe('two requests that run at once in a thread', () => {
  test('one that awaits what another began gets an error and not the page with which that one leaves', async () => {
    const { exports } = await load(`
      let flight: Promise<unknown> | null = null;
      async function login(who: string) { await null; await exit('private page of ' + who); }
      export async function start(who: string) { await (flight ??= login(who)); }
      export async function careful(who: string) { try { await (flight ??= login(who)); } catch (error: any) { return error.code; } finally { flight = null; } }`);
    const start = exports['start'] as Start;
    const [a, b] = await Promise.allSettled([prompt(() => start('A')), prompt(() => start('B'))]);
    expect(a).toMatchObject({ status: 'fulfilled', value: { kind: 'exited', value: 'private page of A' } });
    expect(b).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
    expect((b as PromiseRejectedResult).reason.message).toMatch(/another request has begun it[^]*left at: +login/);
    await expect(prompt(() => start('C'))).rejects.toMatchObject({ code: 'SERVLET_UNSAFE_CONTEXT' });
    const careful = exports['careful'] as Start;
    expect(returned(await prompt(() => careful('D')))).toBe('SERVLET_UNSAFE_CONTEXT');
  });

  test('one that awaits the question of another gets an error and not its page', async () => {
    const { exports } = await load(`
      let asked: Promise<unknown> | null = null;
      export async function make() { asked = ask('A'); for (let turn = 0; turn < 50; turn++) await null; return await asked; }
      export async function use() { return ['B', await asked]; }`);
    const [made, used] = await Promise.allSettled([prompt(exports['make']!), prompt(exports['use']!)]);
    expect(used).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
    expect((used as PromiseRejectedResult).reason.message).toMatch(/another request has begun it/);
    expect(made).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
    expect((made as PromiseRejectedResult).reason.message).toMatch(/another request has awaited it first/);
  });

  test('who began it is told that another has awaited it, though he does not come to his own await', async () => {
    const { exports } = await load(`
      let asked: Promise<unknown> | null = null;
      export async function make() { asked = ask('A'); await new Promise((resolve) => setTimeout(resolve, 50)); return await asked; }
      export async function use() { return ['B', await asked]; }`);
    const [made] = await Promise.allSettled([prompt(exports['make']!), prompt(exports['use']!)]);
    expect(made).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
    expect((made as PromiseRejectedResult).reason.message).toMatch(/another request has awaited it first/);
  });

  test('who began it is right, if it awaits it first', async () => {
    const { exports } = await load(`
      let asked: Promise<unknown> | null = null;
      export async function make() { asked = ask('A'); return ['A', await asked]; }
      export async function use() { return ['B', await asked]; }`);
    const [made, used] = await Promise.allSettled([prompt(exports['make']!), prompt(exports['use']!)]);
    expect(used).toMatchObject({ status: 'rejected', reason: { code: 'SERVLET_UNSAFE_CONTEXT' } });
    const k = captured((made as PromiseFulfilledResult<Awaited<ReturnType<typeof prompt>>>).value);
    expect(returned(await resume(k, 'answer'))).toEqual(['A', 'answer']);
  });
});

/** What becomes of a servlet's promises, by the line of code that changes them. */
const CHANGED = {
  'a promise has a then of its own that never calls back': 'const p = ask("q"); (p as any).then = () => {}; return p;',
  'a promise has a then of its own that throws':
    'const p = ask("q"); (p as any).then = () => { throw new Error("then"); }; return p;',
  'a promise has a then of its own that makes something up':
    'const p = ask("q"); (p as any).then = (resolve: any) => resolve("made up"); return p;',
  'Promise.prototype.then gives another outcome':
    'Promise.prototype.then = function (resolve: any) { return original.call(this, resolve, () => resolve("made up")); } as any; return ask("q");',
  'Error makes no stacks': 'Error.prepareStackTrace = (_error, sites) => sites; return ask("q");',
  'Error is frozen': 'Object.freeze(Error); return ask("q");',
};

describe('a servlet that has changed what the language gives', () => {
  test.each(Object.entries(CHANGED))('%s', async (_name, body) => {
    const { emitted } = await load(`
        const original = Promise.prototype.then;
        const f = (): Promise<string> => { ${body} };
        const g = async () => \`\${await f()}\`;
        export async function start() { const answer = await g(); Promise.prototype.then = original; return answer; }`);
    const { stdout, stderr } = inProcess(
      `const then = Promise.prototype.then;
        const first = await new Promise((resolve, reject) => Reflect.apply(then, prompt(start), [(value) => { Promise.prototype.then = then; resolve(value); }, reject]));
        console.log(first.kind);
        const { value } = await resume(first.continuation, 'answer'); console.log(value);`,
      emitted,
    );
    expect(stdout, stderr).toBe('captured\nanswer\n');
  });

  test('stacks of its own do not spoil the error of an unsafe context', async () => {
    const { emitted } = await load(
      'Error.prepareStackTrace = (_error, sites) => sites; export async function start() { return await Promise.all([ask(1)]); }',
    );
    const { stdout, stderr } = inProcess(
      'await prompt(start).catch((e) => console.log(e.code, /captured at: ask \\(/.test(e.message)));',
      emitted,
    );
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT true\n');
  });

  test('an error that throws when it is looked at fails its request, and nothing else', async () => {
    const { emitted } = await load(
      'export async function start() { await ask(1); throw Object.defineProperty(new Error("x"), "cause", { get() { throw new Error("looked at"); } }); }',
    );
    const { stdout, stderr } = inProcess(
      'const { continuation } = await prompt(start); await resume(continuation, 1).catch((e) => console.log(e.message)); console.log("alive");',
      emitted,
    );
    expect(stdout, stderr).toBe('looked at\nalive\n');
  });

  test('a native part that suspends while its run fails for a lost capture makes no page', async () => {
    const { emitted } = await load(
      'export function start() { void ask(1); void native(async () => { for (let i = 0; i < 20; i++) await null; return await ask(2); }); return "x"; }',
    );
    const { stdout, stderr } = inProcess('await prompt(start).catch((e) => console.log(e.code));', emitted);
    expect(stdout, stderr).toBe('SERVLET_UNSAFE_CONTEXT\n');
  });
});
