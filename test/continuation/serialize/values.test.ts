import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { decodeGraph, encodeGraph } from '../../../packages/worker/src/continuation/serialize/graph.ts';
import { registerSerializable } from '../../../packages/worker/src/continuation/serialize/registered.ts';

/** What `from` was given, as it was then. */
const seen: string[] = [];
const text = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each instanceof Map ? [...each] : each instanceof Priced ? 'Priced' : each,
  );
class Priced {
  readonly data: unknown;
  constructor(data: unknown) {
    this.data = data;
  }
}
registerSerializable(
  Priced,
  ({ data }) => data,
  (data) => {
    // What leads to it holds itself.
    if (typeof data !== 'object' || !Object.hasOwn(data as object, 'name')) seen.push(text(data));
    return new Priced(data);
  },
);
const WHOLE = '{"rates":[1,{"euro":2}],"by":[["de",{"name":"Germany"}]]}';
const WITH_OTHER = `{"of":"Priced","full":${WHOLE},"country":{"name":"Germany"}}`;

/** Made anew from bytes. */
function again<T>(value: T): T {
  return decodeGraph(encodeGraph([value]))[0] as T;
}

describe('encodeGraph() and decodeGraph()', () => {
  const buffer = Uint8Array.from({ length: 300 }, (_, i) => i).buffer;
  const values: Record<string, unknown> = {
    undefined,
    null: null,
    'true and false': [true, false],
    'whole numbers': [
      0,
      1,
      63,
      64,
      127,
      128,
      -1,
      -64,
      2 ** 31,
      -(2 ** 31),
      2 ** 46,
      2 ** 53,
      -(2 ** 53),
      Number.MAX_VALUE,
    ],
    'other numbers': [-0, NaN, Infinity, -Infinity, 0.1, -1e-300, Number.MIN_VALUE],
    bigints: [0n, 1n, -1n, 255n, 256n, -(2n ** 64n), 2n ** 1000n],
    strings: ['', 'a', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(10_000), 'é', '日本語', '🙂', '\ud800 alone', '\0'],
    'the same string twice': ['hello there', 'hello there'],
    'registered symbols': [Symbol.for('a symbol'), Symbol.iterator, Symbol.asyncDispose],
    object: { a: 1, b: { c: 'two' }, '': 3, 'with space': 4, 5: 6 },
    'objects with the same keys': [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
      { b: 5, a: 6 },
    ],
    'object with a symbol for a key': { [Symbol.for('k')]: 1 },
    'object without prototype': Object.assign(Object.create(null) as object, { a: 1 }),
    'frozen, sealed and closed objects': [
      Object.freeze({ a: 1 }),
      Object.seal({ a: 1 }),
      Object.preventExtensions({ a: 1 }),
    ],
    'frozen object whose prototype has other keys': Object.freeze(Object.create({ a: 1 })) as object,
    array: [1, 'two', [3, [4]]],
    // oxlint-disable-next-line no-sparse-arrays
    'array with holes': [1, , 3, ,],
    'array with properties': Object.assign([1, 2], { more: 3 }),
    'frozen array': Object.freeze([1, 2]),
    map: new Map<unknown, unknown>([
      ['a', 1],
      [{ key: 1 }, new Map()],
      [NaN, undefined],
    ]),
    set: new Set([1, 'a', new Set([2])]),
    dates: [new Date(0), new Date(1_722_470_400_123), new Date(NaN)],
    'regular expressions': [/a.b/giu, new RegExp('/'), /x/dsy],
    'boxed primitives': [Object(1), Object('text'), Object(true), Object(10n), Object(Symbol.for('s'))],
    buffer,
    views: [
      new Uint8Array(buffer, 2, 5),
      new Float64Array(buffer, 8, 2),
      new DataView(buffer, 1, 9),
      new BigInt64Array([1n, -1n]),
      new Uint8Array(0),
    ],
    'a Buffer': Buffer.from('some bytes'),
    url: new URL('https://user@example.org:8080/a?b=c#d'),
    'query fields': new URLSearchParams('a=1&a=2&b=%20'),
    'built-ins': [Math, JSON, Number, Array.prototype.push, Math.max, parseInt, Map.prototype],
  };
  test.each(Object.keys(values))('encodeGraph() keeps %s', (name) => {
    assert.deepStrictEqual(again(values[name]), values[name]);
  });

  test('decodeGraph() keeps the attributes of properties', () => {
    const value = Object.create(Object.prototype, {
      hidden: { value: 1 },
      shown: { value: 2, enumerable: true, writable: true, configurable: true },
    }) as object;
    expect(Object.getOwnPropertyDescriptors(again(value))).toEqual(Object.getOwnPropertyDescriptors(value));
    expect(Object.isFrozen(again(Object.freeze([{ a: 1 }])))).toBe(true);
    expect(Object.isSealed(again(Object.seal({ a: 1 })))).toBe(true);
  });

  test('decodeGraph() keeps the order of keys', () => {
    expect(Object.keys(again({ z: 1, a: 2, 1: 3, __proto__: null }))).toEqual(['1', 'z', 'a']);
  });

  test('encodeGraph() keeps what is shared, and cycles', () => {
    const shared = { n: 1 },
      cycle: Record<string, unknown> = { left: shared, right: [shared] };
    cycle['self'] = cycle;
    const map = new Map<unknown, unknown>([[cycle, shared]]);
    map.set(map, map);
    const [first, second, third] = decodeGraph(encodeGraph([cycle, map, shared])) as [typeof cycle, typeof map, object];
    expect(first['self']).toBe(first);
    expect((first['right'] as unknown[])[0]).toBe(third);
    expect(second.get(first)).toBe(third);
    expect(second.get(second)).toBe(second);
  });

  test('registerSerializable() gives `from` data that is whole, whatever else holds a part of it, and in whatever order', () => {
    const full = { rates: [1, { euro: 2 }], by: new Map([['de', { name: 'Germany' }]]) };
    const [first, country] = [full.rates[1], full.by.get('de')];
    const priced = new Priced(full),
      other = new Priced({ of: priced, full, country });
    const orders: unknown[] = [
      [full, priced],
      [first, country, full, priced, other],
      { full, deep: { priced } },
      { a: { b: full }, c: { d: { e: other } }, priced },
      new Map<unknown, unknown>([
        [full, priced],
        [country, other],
      ]),
      // The first has begun when the second comes, and does not lead to it.
      { left: { mine: new Priced('left'), full }, right: [new Priced(full), { full }, other] },
    ];
    for (const value of orders) {
      seen.length = 0;
      const read = again(value);
      assert.deepStrictEqual(read, value);
      expect(seen.length).toBeGreaterThan(0);
      for (const each of seen) expect(['"left"', WHOLE, WITH_OTHER]).toContain(each);
    }
  });

  test('registerSerializable() is given what leads to it as far as it is there', () => {
    const parent: Record<string, unknown> = { name: 'parent' };
    parent['child'] = new Priced(parent);
    const read = again(parent);
    expect((read['child'] as Priced).data).toBe(read);
  });

  test('registerSerializable(): many instances that share much take no more than a little longer each', () => {
    const shared = Array.from({ length: 2000 }, (_, i) => ({ i }));
    const value = [shared, Array.from({ length: 2000 }, (_, i) => new Priced({ i, shared }))];
    const before = process.cpuUsage();
    const [list, many] = again(value) as [unknown[], Priced[]];
    expect((many[1999]!.data as { shared: unknown }).shared).toBe(list);
    // Some 10 ms each, if each looked through all of it.
    expect(process.cpuUsage(before).user).toBeLessThan(3e6);
  });

  test('encodeGraph() keeps errors, their causes and properties, not their stacks', () => {
    const error = Object.assign(new TypeError('outer', { cause: new RangeError('inner') }), { code: 'E_CODE' });
    const read = again(error);
    expect(read).toBeInstanceOf(TypeError);
    expect(read).toMatchObject({ message: 'outer', code: 'E_CODE', stack: 'TypeError: outer' });
    expect(read.cause).toBeInstanceOf(RangeError);
    expect(Object.keys(read)).toEqual(['code']);
    const many = again(new AggregateError([new Error('one')], 'all'));
    expect(many).toBeInstanceOf(AggregateError);
    expect(many.errors[0]).toMatchObject({ message: 'one' });
  });

  test('encodeGraph() keeps Headers', () => {
    const headers = new Headers([
      ['x-a', '1'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    expect([...again(headers)]).toEqual([...headers]);
  });

  test('encodeGraph() keeps the one buffer under two views, and a buffer that may grow', () => {
    const [a, b] = again([new Uint8Array(buffer), new Uint16Array(buffer, 2)] as const);
    expect(a.buffer).toBe(b.buffer);
    const growing = again(new ArrayBuffer(8, { maxByteLength: 16 }));
    expect([growing.resizable, growing.maxByteLength]).toEqual([true, 16]);
  });

  test('encodeGraph() keeps views that end with their buffer, whatever that becomes, and those that do not', () => {
    for (const [bytes, maxByteLength] of [
      [8, 64],
      [8, 8],
      [8, 9],
    ] as const) {
      const growing = new ArrayBuffer(bytes, { maxByteLength });
      new Uint8Array(growing).fill(7);
      type View = new (buffer: ArrayBuffer, offset?: number, length?: number) => ArrayBufferView<ArrayBuffer>;
      for (const View of [Uint8Array, Uint16Array, Float16Array, DataView] as readonly View[]) {
        const lengths = (views: readonly ArrayBufferView[]): (number | string)[] =>
          views.map((view) => {
            try {
              return view.byteLength;
            } catch {
              return 'lost';
            }
          });
        const views = [new View(growing), new View(growing, 4), new View(growing, 0, 4), new View(growing, 4, 2)];
        views.push(new View(growing, 0, 8 / ('BYTES_PER_ELEMENT' in View ? (View.BYTES_PER_ELEMENT as number) : 1)));
        const read = again(views);
        assert.deepStrictEqual(read, views);
        expect(new Uint8Array(growing)).toEqual(new Uint8Array(bytes).fill(7));
        for (const size of [4, bytes, maxByteLength]) {
          const copy = structuredClone(views);
          copy[0]!.buffer.resize(size);
          const twin = again(views);
          twin[0]!.buffer.resize(size);
          expect(lengths(twin)).toEqual(lengths(copy));
        }
      }
    }
  });

  test('encodeGraph() keeps a regular expression that was frozen', () => {
    const read = again(Object.freeze(/a/g));
    expect([read.source, read.flags, Object.isFrozen(read)]).toEqual(['a', 'g', true]);
    expect(() => read.test('a')).toThrow(TypeError);
  });

  const odd = /a/g;
  odd.lastIndex = { valueOf: () => 1 } as unknown as number;
  test.each<[string, unknown, RegExp]>([
    ['an iterator', { it: [1].values() }, /"x.it" is an iterator in progress/],
    ["an iterator's helper", { it: [1].values().map(String) }, /"x.it" is an iterator in progress/],
    ['a URL with more to it', Object.assign(new URL('http://a/'), { tag: 1 }), /"x" has properties of its own/],
    ['Headers with more to them', [Object.freeze(new Headers())], /"x\[0\]" has properties of its own, or is frozen/],
    ['a search with more to it', Object.assign(new URLSearchParams(), { tag: 1 }), /"x" has properties of its own/],
    [
      'a view that was closed',
      Object.preventExtensions(new Uint8Array(2)),
      /"x" is a view of a buffer to which nothing can be added/,
    ],
    ['an odd place in a text', odd, /"x" is a regular expression whose lastIndex is no number/],
    ['a bound function', [Math.max.bind(null, 1)], /"x\[0\]" is the function bound max, .* or is bound/],
  ])('encodeGraph() names %s, of which something would be lost', (_, value, message) => {
    expect(() => encodeGraph([value], ['x'])).toThrow(message);
  });

  test('encodeGraph() keeps a long array of almost nothing', () => {
    const value: unknown[] = [];
    value[4_000_000_000] = 'far';
    value.length = 4_294_967_295;
    const read = again(value);
    expect([read.length, Object.keys(read), read[4_000_000_000]]).toEqual([4_294_967_295, ['4000000000'], 'far']);
  });

  test('encodeGraph() takes arguments for what they are', () => {
    const value = (function (..._given: unknown[]) {
      // oxlint-disable-next-line prefer-rest-params
      return arguments;
    })(1, 'two');
    const read = again(value);
    expect(Object.prototype.toString.call(read)).toBe('[object Arguments]');
    expect(Array.from(read)).toEqual([1, 'two']);
  });

  test('encodeGraph() and decodeGraph() go as deep as there is memory', () => {
    let list: unknown = null;
    for (let i = 0; i < 100_000; i++) list = i % 2 ? { next: list } : [list];
    let read = again(list),
      depth = 0;
    for (; read !== null; depth++) read = Array.isArray(read) ? read[0] : (read as { next: unknown }).next;
    expect(depth).toBe(100_000);
  });

  test("encodeGraph() and decodeGraph() run nothing of the author's", () => {
    const ran: string[] = [],
      value: Record<string, unknown> = {};
    const trap = (): void => {
      ran.push('a setter');
    };
    Object.defineProperty(value, 'trap', { value: 1, writable: true, enumerable: true, configurable: true });
    Object.defineProperty(Object.prototype, 'trap', { configurable: true, set: trap });
    let read: typeof value;
    try {
      read = again([value, { ...value }, Object.assign(Object.create(null) as object, value)])[0]!;
    } finally {
      Reflect.deleteProperty(Object.prototype, 'trap');
    }
    expect(ran).toEqual([]);
    assert.deepStrictEqual(read, value);
  });

  test('decodeGraph() makes a property of __proto__, not a prototype', () => {
    const value = JSON.parse('{ "__proto__": { "polluted": 1 }, "a": { "__proto__": 2 } }') as object;
    const [read, twin] = again([value, JSON.parse('{ "__proto__": 3, "a": 4 }')] as const);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Object.hasOwn(read, '__proto__')).toBe(true);
    expect(Object.getPrototypeOf(twin)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  });
});
