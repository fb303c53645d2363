import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playAcross, PRELUDE, ResumeProcess, writeProgram } from '../support/saved-program.ts';

let processes: ResumeProcess[] = [];
beforeAll(() => {
  processes = [new ResumeProcess(), new ResumeProcess()];
});
afterAll(() => {
  for (const each of processes) each[Symbol.dispose]();
});

const SUM2 = `${PRELUDE}
export async function sum2() {
  const m = await number('First number:');
  const n = await number('Second number:');
  return m + n;
}
async function number(label) { return Number(await ask(label)); }
`;

describe('encode() and decode()', () => {
  test('encode() of one process and decode() of another go on with the run', async () => {
    const file = writeProgram({ 'sum2.ts': SUM2 });
    const seen = await playAcross(processes, file, ['sum2'], [3, 4]);
    expect(seen).toMatchObject([
      { kind: 'asks', label: 'First number:' },
      { kind: 'asks', label: 'Second number:' },
      { kind: 'returns', value: '7' },
    ]);
  });

  test('decode() goes on from one page as often as it is asked to, and each time from the same values', async () => {
    const file = writeProgram({
      'sums.ts': `${PRELUDE}
export async function sums() { let sum = 0; for (let i = 0; i < 3; i++) sum += await ask(sum); return sum; }`,
    });
    const seen = await playAcross(processes, file, ['sums'], [1, 2]),
      last = seen.at(-1)!;
    if (last.kind !== 'asks') throw new Error('no page');
    for (const answer of [10, 20, 10])
      expect(await processes[0]!.take({ file, start: null, saved: last.saved, answer })).toEqual({
        kind: 'returns',
        value: String(3 + answer),
      });
  });

  test('encode() writes the first page of sum2 in less than 70 bytes', async () => {
    const [first] = await playAcross(processes, writeProgram({ 'sum2.ts': SUM2 }), ['sum2'], []);
    if (first?.kind !== 'asks') throw new Error('no page');
    expect(Buffer.from(first.saved, 'base64').length).toBeLessThan(70);
  });

  test('decode() goes on in functions of blocks, catch clauses and classes at the top level, which see what is around them', async () => {
    const file = writeProgram({
      'blocks.ts': `${PRELUDE}
let counting, caught, told, inObject;
{
  let count = 0;
  const step = 2;
  counting = async () => { count += step; await ask('block'); return ++count; };
  inObject = { name: 'o', async m() { await ask('object'); return this.name + count; } };
  async function declared() { await ask('declared'); return told + step; }
  told = declared;
}
try { null.x; } catch ({ name }) { caught = async () => { await ask('catch'); return name; }; }
class Shop {
  static price = 5;
  static #secret = 7;
  static ask = async () => { await ask('field'); return [this.price, this.#secret].join(); };
  static now;
  static { const own = 9; this.now = async () => { await ask('static block'); return own + this.price; }; }
}
export async function all() {
  return [await counting(), await inObject.m(), typeof (await told()), await caught(), await Shop.ask(), await Shop.now()].join(' ');
}`,
    });
    const seen = await playAcross(processes, file, ['all'], [0, 0, 0, 0, 0, 0]);
    expect(seen.map((each) => (each.kind === 'asks' ? each.label : each))).toEqual([
      'block',
      'object',
      'declared',
      'catch',
      'field',
      'static block',
      // The module's variables are each process's own.
      { kind: 'returns', value: expect.stringMatching(/^\d+ o\d+ string TypeError 5,7 14$/) as string },
    ]);
  });

  test('encode() takes what `using` has declared, and each run that goes on disposes of its own, newest first', async () => {
    const file = writeProgram({
      'used.ts': `${PRELUDE}
const log = [];
class Lock { constructor(name) { this.name = name; } [Symbol.dispose]() { log.push(this.name); } }
async function locked() {
  using outer = new Lock('outer');
  await using inner = { __proto__: null, async [Symbol.asyncDispose]() { log.push('inner ' + (await ask('disposing'))); } };
  return await ask('holding ' + outer.name);
}
export async function used() { return (await locked()) + ': ' + log; }`,
    });
    const seen = await playAcross(processes, file, ['used'], ['yes', 'now']);
    expect(seen).toMatchObject([
      { kind: 'asks', label: 'holding outer' },
      { kind: 'asks', label: 'disposing' },
      { kind: 'returns', value: 'yes: inner now,outer' },
    ]);
  });

  test('encode() takes what a disposal has suppressed, and the error of the whole has it in another process', async () => {
    const file = writeProgram({
      'suppressed.ts': `${PRELUDE}
const failing = (name) => ({ async [Symbol.asyncDispose]() { await ask(name); throw new Error(name); } });
async function held() {
  await using first = failing('first');
  await using second = failing('second');
  throw new Error('body');
}
export async function main() {
  try { await held(); } catch (error) { await ask('caught'); return [error.name, error.error.message, error.suppressed.error.message, error.suppressed.suppressed.message, error instanceof SuppressedError].join(); }
}`,
    });
    const seen = await playAcross(processes, file, ['main'], [1, 2, 3]);
    expect(seen.map(({ kind }) => kind)).toEqual(['asks', 'asks', 'asks', 'returns']);
    expect(seen.at(-1)).toMatchObject({ value: 'SuppressedError,first,second,body,true' });
  });

  test('encode() names the call that can not be saved, why, and its line', async () => {
    const inner = writeProgram({
      'inner.ts': `${PRELUDE}
export function show() {
  class Page { static kind = 'page'; async show() { await ask('waiting'); return Page.kind; } }
  return new Page().show();
}`,
    });
    const [refused] = await playAcross(processes, inner, ['show'], []);
    expect(JSON.stringify(refused)).toMatch(
      /inner.ts:\d+:\d+\): it is a call of Page.show, which is a method of a class with static fields that is declared inside a function: declare it at the top level"/,
    );
    const file = writeProgram({
      'above.ts': `${PRELUDE}
class Base { name() { return 'base'; } }
class Page extends Base {
  async show() { await ask('waiting'); return super.name(); }
}
export const show = () => new Page().show();`,
    });
    const [outcome] = await playAcross(processes, file, ['show'], []);
    expect(outcome).toMatchObject({ kind: 'refused', code: 'SERVLET_UNSERIALIZABLE', path: 'Page.show' });
    expect(JSON.stringify(outcome)).toMatch(
      /Cannot save the page that Page.show waits for \(.*above.ts:\d+:\d+\): it is a call of Page.show, which uses super/,
    );
  });

  test('encode() names the variable, the way to what it can not save, and the line that waits', async () => {
    const file = writeProgram({
      'conn.ts': `${PRELUDE}
export async function page() {
  const cart = { items: [1, { lock: Promise.resolve() }] };
  await ask('waiting');
  return cart;
}`,
    });
    const [refused] = await playAcross(processes, file, ['page'], []);
    expect(refused).toMatchObject({ kind: 'refused', code: 'SERVLET_UNSERIALIZABLE', path: 'cart.items[1].lock' });
    expect((refused as { message: string }).message).toMatch(
      /^Cannot save the page that page waits for \(.*conn\.ts:6:3\): "cart\.items\[1\]\.lock" is a promise: await it before/,
    );
  });

  const programs: [name: string, source: string, answers: unknown[], value: string][] = [
    [
      'a closure and a frame that share a variable',
      `export async function main() {
  let count = 0;
  const add = (n) => (count += n);
  add(await ask('first'));
  add(await ask('second'));
  return count + add(0);
}`,
      [3, 4],
      '14',
    ],
    [
      'closures that call each other',
      `export async function main() {
  const even = (n) => n === 0 || odd(n - 1), odd = (n) => n > 0 && even(n - 1);
  const n = await ask('n');
  return [even(n), odd(n)];
}`,
      [7],
      '[false,true]',
    ],
    [
      'resumable closures that wait themselves',
      `export async function main() {
  const rows = [];
  const row = async (label) => { const answer = await ask(label); rows.push(answer); return answer * factor; };
  const factor = 10;
  return [await row('a'), await row('b'), rows];
}`,
      [1, 2],
      '[10,20,[1,2]]',
    ],
    [
      'variables of each round of a loop',
      `export async function main() {
  const later = [];
  for (let i = 0; i < 3; i++) { later.push(() => i++ * 10); await ask(i); }
  return later.map((f) => f() + f());
}`,
      [0, 0, 0],
      '[10,30,50]',
    ],
    [
      'a method and its object',
      `class Cart {
  items = [];
  total = () => this.items.reduce((a, b) => a + b, 0);
  async fill(times) { for (let i = 0; i < times; i++) this.items.push(await this.one(i)); return this; }
  async one(i) { return await ask('item ' + i) * 2; }
}
export async function main() {
  const cart = await new Cart().fill(2);
  return [cart.total(), cart instanceof Cart, cart.items];
}`,
      [1, 2],
      '[6,true,[2,4]]',
    ],
    [
      'private fields of a method that waits',
      `class Counter {
  #n = 0;
  async count() { this.#n += await ask('n'); return this.#n; }
}
const counter = new Counter();
export async function main() { return await counter.count(); }`,
      [5],
      '5',
    ],
    [
      'a class that is declared in a function',
      `export async function main(x) {
  class Point { constructor(a) { this.a = a; } async ask() { this.a += await ask('a') + x; return this; } get twice() { return this.a * 2; } }
  class Point3 extends Point { z = x; }
  const p = new Point3(1);
  await p.ask();
  return [p.twice, p.z, p instanceof Point, p.constructor === Point3];
}`,
      [5],
      '[22,5,true,true]',
    ],
    [
      'methods and accessors of an object literal',
      `export async function main(x) {
  let n = x;
  const o = { get n() { return n; }, set n(v) { n = v; }, up() { return ++this.n; }, async more() { this.n += await ask('more'); return this.n; } };
  const first = await o.more();
  o.up();
  return [first, n, o.n, Object.keys(o)];
}`,
      [10],
      '[15,16,16,["n","up","more"]]',
    ],
    [
      'functions at the top level, by what they are',
      `const helpers = { twice: (x) => x * 2, async ask(label) { return (await ask(label)) + 1; } };
export async function main() {
  const { twice } = helpers, same = main;
  const n = await helpers.ask('n');
  return [twice(n), twice === helpers.twice, same === main];
}`,
      [4],
      '[10,true,true]',
    ],
    [
      'loops over arrays, maps, sets, strings, keys and entries',
      `export async function main() {
  const seen = [];
  for (const x of [1, 2]) seen.push(x + await ask(x));
  for (const [k, v] of new Map([['a', 1], ['b', 2]])) seen.push(k + v + await ask(k));
  for (const x of new Set([5, 6])) seen.push(x + await ask(x));
  for (const c of 'hi') seen.push(c + await ask(c));
  for (const k in { p: 1, q: 2 }) seen.push(k + await ask(k));
  for (const [i, x] of ['u', 'v'].entries()) seen.push(i + x + await ask(x));
  return seen.join();
}`,
      Array.from({ length: 12 }, () => 1),
      '2,3,a11,b21,6,7,h1,i1,p1,q1,0u1,1v1',
    ],
    [
      'a loop over a map that loses what it has visited',
      `export async function main() {
  const map = new Map([['a', 1], ['b', 2], ['c', 3]]), seen = [];
  for (const [k] of map) { map.delete(k); seen.push(k + await ask(k)); if (k === 'a') map.set('d', 4); }
  return seen.join();
}`,
      [1, 1, 1, 1],
      'a1,b1,c1,d1',
    ],
    [
      'disposals, with nothing left of one before in what a later handler or disposal reads',
      `const held = (log, name) => ({ async [Symbol.asyncDispose]() { log.push(name + (await ask(name))); } });
export async function main() {
  const log = [];
  for (let i = 0; i < 2; i++) {
    try { await using one = held(log, 'one'); log.push(1); } catch (error) { log.push(error); }
    { await using two = held(log, 'two'); log.push(2); }
    try { log.push(await ask('in')); } finally { log.push(await ask('finally')); }
  }
  return log.join();
}`,
      [1, 2, 3, 4, 5, 6, 7, 8],
      '1,one1,2,two2,3,4,1,one5,2,two6,7,8',
    ],
    [
      'assignments to a function’s own name, which are errors wherever they stand',
      `export async function main() {
  const seen = [];
  const tried = (assign) => { try { assign(); } catch (error) { seen.push(error.name); } };
  const f = async function own() { await ask('in'); tried(() => { own = 1; }); tried(() => { own++; }); tried(() => { [own] = [1]; }); try { own += 1; } catch (error) { seen.push(error.name); } return typeof own; };
  class Kept { async go() { tried(() => { Kept = 1; }); await ask('go'); return typeof Kept; } }
  return [await f(), await new Kept().go(), ...seen];
}`,
      [1, 2],
      '["function","function","TypeError","TypeError","TypeError","TypeError","TypeError"]',
    ],
    [
      'functions in functions, each with arguments of its own',
      `export async function main() {
  const counts = [];
  async function outer() {
    const mine = arguments;
    const inner = async function () { return [arguments === mine, arguments.length]; };
    const plain = function () { return () => arguments.length; };
    const arrow = () => arguments.length;
    counts.push(await ask('in'));
    counts.push(...(await inner(1)), plain(1, 2, 3)(), arrow(), mine.length);
    const object = { get then() { return arguments.length; }, all() { return [...arguments].length; } };
    return [object.then, object.all(1, 2, 3, 4)];
  }
  counts.push(...(await outer('a', 'b')));
  return counts;
}`,
      [9],
      '[9,false,1,3,2,2,0,4]',
    ],
    [
      'a destructuring that waits',
      `export async function main() {
  const [a = await ask('a'), , b = await ask('b'), ...c] = [undefined, 2, undefined, 4, 5];
  return [a, b, c];
}`,
      [1, 3],
      '[1,3,[4,5]]',
    ],
    [
      'methods that are called with what was asked',
      `export async function main() {
  const items = [];
  items.push(await ask('one'), await ask('two'));
  return [items, Math.max(await ask('three'), 2), await (async (x) => x)(items.concat(await ask('four')))];
}`,
      [1, 2, 3, 4],
      '[[1,2],3,[1,2,4]]',
    ],
    [
      'arguments, and this, of a function that waits',
      `export async function main() {
  const f = async function () { const a = await ask('a'); return [this.x, arguments[1], [...arguments].length, a, (() => this.x + arguments[0])()]; };
  return await f.call({ x: 7 }, 1, 2);
}`,
      [3],
      '[7,2,2,3,8]',
    ],
    [
      'errors that are caught later',
      `class Wrong extends Error { constructor(m, code) { super(m); this.code = code; } }
export async function main() {
  let caught;
  try { throw new Wrong('no', 7); } catch (e) { caught = e; await ask('why'); }
  try { await ask('more'); throw caught; } catch (e) { return [e.message, e.code, e instanceof Wrong, e.name]; } finally { await ask('last'); }
}`,
      [1, 2, 3],
      '["no",7,true,"Error"]',
    ],
    [
      'parameters that are bound while it waits',
      `const tone = createParameter('plain');
export async function main() { return await tone.run('loud', async () => { const a = await ask(tone()); return a + tone(); }) + tone(); }`,
      [1],
      '1loudplain',
    ],
    [
      'symbols of the module, and functions of the language',
      `const KEY = Symbol('key');
export async function main() {
  const o = { [KEY]: 1 }, to = Number, push = Array.prototype.push;
  await ask('x');
  push.call([], 1);
  return [o[KEY], to('5')];
}`,
      [1],
      '[1,5]',
    ],
  ];
  test.each(programs)('decode() goes on with %s', async (_name, source, answers, value) => {
    const file = writeProgram({ 'main.ts': PRELUDE + source });
    const seen = await playAcross(processes, file, ['main', 5], answers);
    expect(seen.at(-1)).toEqual({ kind: 'returns', value });
    expect(seen.length).toBe(answers.length + 1);
  });
});
