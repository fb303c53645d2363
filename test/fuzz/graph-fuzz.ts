import { pathToFileURL } from 'node:url';
import { type Outcome, prompt, resume } from '../../packages/worker/src/continuation/runtime.ts';
import {
  CodeChangedError,
  DecodeError,
  UnserializableError,
} from '../../packages/worker/src/continuation/serialize/errors.ts';
import { decodeGraph, encodeGraph } from '../../packages/worker/src/continuation/serialize/graph.ts';
import { decode, encode } from '../../packages/worker/src/continuation/serialize/saved.ts';
import { PRELUDE, writeProgram } from '../continuation/support/saved-program.ts';
import { Pollution } from './pollution.ts';
import type { Random } from '../support/random.ts';
import { mutated } from './mutated.ts';

const REGISTERED = new URL('../../packages/worker/src/continuation/serialize/registered.ts', import.meta.url).href;

/** One of each kind of code and value that a page can hold. What stands for a getter or a setter counts when it runs. */
const SOURCE = `${PRELUDE}
import { registerSerializable } from ${JSON.stringify(REGISTERED)};
export let ran = 0;
const tone = createParameter('plain');
const places = Object.freeze({ here: () => ran++, there: Symbol('there') });
export class Money { #cents; constructor(cents) { this.#cents = cents; } get cents() { return this.#cents; } }
registerSerializable(Money, (money) => money.cents, (cents) => new Money(cents), { name: 'fuzz.Money' });
class Tray { constructor(load) { this.load = load; } }
registerSerializable(Tray, (tray) => tray.load, (load) => new Tray(load), { name: 'fuzz.Tray' });
class Named { static get name() { ran++; return 'no'; } constructor() { this.n = 1; } }
class Wrong extends Error { get message() { ran++; return 'no'; } }
class Cart {
  items = [];
  set total(value) { ran++; }
  get total() { ran++; return 0; }
  async fill(times) { for (let i = 0; i < times; i++) this.items.push(await ask(i)); return this; }
  static async of(items) { await ask('of'); return items; }
}
function trap() { ran++; return 'trap'; }
export async function sum() { const m = await ask('m'), n = await ask('n'); return m + n; }
export async function methods() { const cart = new Cart(); await cart.fill(2); return Cart.of(cart); }
export async function closures(x) {
  let count = 0;
  const add = (n) => (count += n), o = { get n() { ran++; return count; }, set n(v) { ran++; }, up() { ran++; } };
  const inner = async (label) => { add(await ask(label)); return count; };
  function Old(a) { this.a = a; }
  Old.prototype.more = add; Old.extra = o;
  class Point { constructor(a) { this.a = a; } async ask() { this.a += await ask('a') + x; return this; } }
  class Point3 extends Point { z = x; }
  const p = new Point3(1), old = new Old(p);
  await inner('a');
  await p.ask();
  return [o, add, old, Point3, trap];
}
export async function loops() {
  for (const x of [1, 2]) await ask(x);
  for (const [k, v] of new Map([['a', 1], ['b', 2]])) await ask(k + v);
  for (const x of new Set([5])) await ask(x);
  for (const c of 'hi') await ask(c);
  for (const k in { p: 1, q: 2 }) await ask(k);
  for (const k in trap) await ask(k);
  for (const [i, x] of ['u'].entries()) await ask(i + x);
  const [a = await ask('a'), ...b] = [undefined, 2];
  return [a, b];
}
export async function disposals() {
  const held = (name) => ({ name, [Symbol.dispose]() { ran++; }, async [Symbol.asyncDispose]() { await ask(name); throw new Error(name); } });
  try {
    using plain = held('plain');
    await using outer = held('outer');
    await using inner = held('inner');
    await using nothing = null;
    await ask('holding');
    throw new Error('body');
  } catch (error) { await ask(error.message); }
}
export function list() {
  const shared = { a: 1, b: [2, 3] }, cycle = { shared };
  cycle.cycle = cycle;
  return [
    shared, cycle, undefined, null, true, -0, NaN, Infinity, 12345678901, 0.1, 2n ** 70n, 'é', '日本', '\\ud800', 'again and again', 'again and again',
    Symbol.for('r'), Symbol.iterator, places.there, new Date(5), /a(b)+/gi, new Map([[shared, 1]]), new Set([2]), new Uint8Array(9), new DataView(new ArrayBuffer(4)),
    Buffer.from('bytes'), new ArrayBuffer(2, { maxByteLength: 9 }), new Uint8Array(new ArrayBuffer(2, { maxByteLength: 9 })), new Float16Array(2), Object.freeze(/f/g), new URL('http://a/b'), new URLSearchParams('a=1'), new Headers({ a: 'b' }), Object(1), Object('two'),
    Object.freeze({ a: 1 }), Object.create(null), Object.create({ up: 1 }), [1, , 3], Object.assign([1], { more: 1 }), { 1000: 1 }, { get x() { ran++; return 1; }, y: 2 },
    new TypeError('no', { cause: shared }), new Wrong('w'), new Money(5), new Named(), Named, Cart.of, Math.max, Map.prototype, Math, places.here, trap, JSON.parse('{ "__proto__": 1 }'),
    (function () { return arguments; })(1, 2), Cart.prototype,
    [shared, cycle, new Tray({ shared, cycle }), new Tray(shared.b), [new Tray(cycle)]],
  ];
}
export async function values() { const all = list(); await ask('values'); return all.length; }
export async function bound() { return tone.run('loud', async () => { await ask(tone()); return tone(); }); }
export async function caught() { try { await ask('x'); } catch (error) { await ask(error); } finally { await ask('last'); } return arguments; }
`;

interface Program {
  ran: number;
  [name: string]: unknown;
}

/** Bytes of real pages, changed, for the decoder; and whether it did what it promises. */
export class GraphFuzz {
  readonly corpus: readonly Buffer[];
  readonly #bodies: readonly Buffer[];
  readonly #program: Program;
  readonly #pollution = new Pollution();
  /** Of each outcome, how many. */
  readonly seen: Record<'read' | 'changed' | 'refused', number> = { read: 0, changed: 0, refused: 0 };
  longestMs = 0;
  /** First bytes of values and nodes, and with something behind. */
  readonly #words: Buffer[] = [];

  private constructor(program: Program, corpus: Buffer[]) {
    this.#program = program;
    this.corpus = corpus;
    this.#bodies = corpus.map((bytes) => bytes.subarray(headBytes(bytes)));
    for (let first = 0; first < 0x100; first++) {
      this.#words.push(Buffer.from([first]));
      if (first < 0x40) for (const next of [0, 1, 2, 0x40, 0x80, 0xc0]) this.#words.push(Buffer.from([first, next]));
    }
    for (const name of [
      '__proto__',
      'constructor',
      'prototype',
      'length',
      'toString',
      'then',
      'Object.prototype',
      'Array.prototype',
      'Error',
    ])
      this.#words.push(
        Buffer.from([0xc0 + name.length, ...Buffer.from(name)]),
        Buffer.from([47, 0xc0 + name.length, ...Buffer.from(name)]),
      );
  }

  static async create(): Promise<GraphFuzz> {
    const program = (await import(
      /* @vite-ignore */ pathToFileURL(writeProgram({ 'fuzz.ts': SOURCE })).href
    )) as Program;
    const corpus: Buffer[] = [];
    for (const name of ['sum', 'methods', 'closures', 'loops', 'values', 'bound', 'caught', 'disposals'])
      corpus.push(...(await pagesOf(() => (program[name] as (x: number) => unknown)(3))));
    const values = (program['list'] as () => unknown[])();
    for (const value of [...values, values, ...values.map((value) => [value, value])])
      corpus.push(Buffer.from(encodeGraph([value])));
    return new GraphFuzz(program, corpus);
  }

  /** One changed page. @throws what the decoder must not do */
  one(random: Random): void {
    const sample = random.of(this.corpus),
      // Another module is refused before anything else is read.
      head = random.number(16) === 0 ? 0 : headBytes(sample),
      bytes = Buffer.concat([
        sample.subarray(0, head),
        mutated(random, sample.subarray(head), this.#bodies, this.#words),
      ]);
    const began = performance.now(),
      ran = this.#program.ran;
    try {
      this.#try(bytes);
    } catch (error) {
      throw new Error(`Wrong with ${bytes.toString('base64')}`, { cause: error });
    }
    const what = this.#program.ran !== ran ? 'an accessor or method has run' : this.#pollution.glance();
    if (what !== null) throw new Error(`Wrong with ${bytes.toString('base64')}: ${what}`);
    this.longestMs = Math.max(this.longestMs, performance.now() - began);
  }

  /** @throws when anything of the language was changed since the beginning */
  check(): void {
    const found = this.#pollution.find();
    if (found !== null) throw new Error(found);
  }

  #try(bytes: Buffer): void {
    let roots: unknown[];
    try {
      decode(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof CodeChangedError)) throw error;
    }
    try {
      roots = decodeGraph(bytes);
    } catch (error) {
      if (error instanceof CodeChangedError) this.seen.changed++;
      else if (error instanceof DecodeError) this.seen.refused++;
      else throw error;
      return;
    }
    this.seen.read++;
    // What was read can be written, unless it says why not; and read again.
    let again: Uint8Array;
    try {
      again = encodeGraph(roots);
    } catch (error) {
      if (error instanceof UnserializableError) return;
      throw error;
    }
    decodeGraph(again);
  }
}

/** The version, and the one module that some name. */
function headBytes(sample: Buffer): number {
  return sample[1] === 0 ? 2 : 1 + 1 + 1 + sample[2]! + 9;
}

async function pagesOf(start: () => unknown): Promise<Buffer[]> {
  const pages: Buffer[] = [];
  let outcome: Outcome = await prompt(start);
  while (outcome.kind === 'captured') {
    const { continuation } = outcome;
    pages.push(Buffer.from(encode({ continuation, cells: new Map(), visit: null })));
    outcome = await resume(continuation, 1);
  }
  return pages;
}
