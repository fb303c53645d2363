import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { prompt, resume } from '../../../packages/worker/src/continuation/runtime.ts';
import { ByteWriter } from '../../../packages/worker/src/continuation/serialize/bytes.ts';
import { DecodeError } from '../../../packages/worker/src/continuation/serialize/errors.ts';
import { decodeGraph, encodeGraph } from '../../../packages/worker/src/continuation/serialize/graph.ts';
import { decode, encode } from '../../../packages/worker/src/continuation/serialize/saved.ts';
import { FORMAT_VERSION, Node, Value } from '../../../packages/worker/src/continuation/serialize/tags.ts';
import '../../../packages/worker/src/servlet/saved-library.ts';
import { Pollution } from '../../fuzz/pollution.ts';
import { PRELUDE, writeProgram } from '../support/saved-program.ts';

type Part = number | string | readonly Part[];
/** A number is a byte below 256, and in a list of one a varint; a text is a string as values are. */
function write(out: ByteWriter, parts: readonly Part[]): void {
  for (const part of parts) {
    if (typeof part === 'number') out.u8(part);
    else if (typeof part === 'string') {
      out.u8(Value.Utf8);
      out.utf8(part);
    } else if (part.length === 1 && typeof part[0] === 'number') out.varint(part[0]);
    else write(out, part);
  }
}
/** A graph of one root, which names no module. */
function graph(...root: Part[]): Uint8Array {
  const out = new ByteWriter();
  write(out, [FORMAT_VERSION, 0, [1], ...root]);
  return Uint8Array.from(out.written);
}
/** A saved page: frames, cells, the embedded function. */
function page(...roots: Part[]): Uint8Array {
  const out = new ByteWriter();
  write(out, [FORMAT_VERSION, 0, [3], ...roots]);
  return Uint8Array.from(out.written);
}
const repeat = (count: number, ...parts: Part[]): Part[] => Array.from({ length: count }, () => parts);
const intrinsic = (name: string): Part[] => [Node.Intrinsic, name];
const NOTHING: Part[] = [Value.Null];

test('decodeGraph() says of bytes of an older format that they are of one, whatever is in them', () => {
  const bytes = encodeGraph([{ of: 'before' }], ['a value']);
  bytes[0] = 1;
  expect(() => decodeGraph(bytes)).toThrow(`its format is 1, not ${FORMAT_VERSION}`);
});

test('encodeGraph() names where a value is that can’t be saved, without the middle of a long way there', () => {
  let list: object = { promise: new Promise(() => {}) };
  for (let i = 0; i < 1000; i++) list = { next: list };
  let message = '';
  try {
    encodeGraph([list], ['the list']);
  } catch (error) {
    ({ message } = error as Error);
  }
  const next = '.next'.repeat(8);
  expect(message).toContain(`"the list${next} ... ${next.slice(5)}.promise" `);
});

describe('decodeGraph() of what nobody has encoded', () => {
  test.each<[name: string, bytes: () => Uint8Array]>([
    ['nothing', () => new Uint8Array()],
    ['a format that is not there yet', () => Uint8Array.of(FORMAT_VERSION + 1, 0, 1, 1)],
    ['more roots than bytes', () => Uint8Array.of(FORMAT_VERSION, 0, 200, 1, 1)],
    ['something behind the end', () => graph(Value.Null, Value.Null)],
    ['a kind of value that there is not', () => graph(23)],
    ['a node that is not there yet', () => graph(0x80)],
    ['a text longer than all', () => graph(Value.Latin1, [2 ** 40])],
    ['a number longer than a number is', () => graph(Value.Integer, ...repeat(12, 0xff))],
    ['a list longer than all', () => graph(Node.Array, [2 ** 40])],
    [
      'an array with a length of its own',
      () => graph(Node.Array, [0], [10], 0, [2], 'length', 2, Value.Integer, [6e7]),
    ],
    ['an array with elements behind its end', () => graph(Node.Array, [0], [2], 0, [2], '5', 7, Value.Null)],
    ['a property twice', () => graph(Node.Object, [0], [4], 'a', 7, Value.Null, 'a', 7, Value.Null)],
    ['the maker of code', () => graph(...intrinsic('Function'))],
    ['the maker of code, as a constructor', () => graph(...intrinsic('Function.prototype.constructor'))],
    ['a method of a class of the language', () => graph(Node.Method, ...intrinsic('Object'), 1, 'defineProperty')],
    ['the getter of __proto__', () => graph(Node.Method, ...intrinsic('Object'), 2, '__proto__')],
    ['the prototype of a class of the language', () => graph(Node.Prototype, ...intrinsic('Promise'))],
    ['an instance of a class of the language', () => graph(Node.Instance, ...intrinsic('Promise'), [0], [0])],
    ['an accessor that is no function', () => graph(Node.Object, [0], [2], 'a', 14, 'text', Value.Undefined)],
    ['a regular expression that is none', () => graph(Node.RegExp, '(', '', 0x40, [0])],
    ['an address that is none', () => graph(Node.Url, 'nowhere')],
    ['a view that its buffer is too short for', () => graph(Node.View, 6, [9], 0, [0], Node.ArrayBuffer, [1], [0], 1)],
    [
      'a loop over what is no collection',
      () => graph(Node.Cursor, 1, 0, [0], [0], Node.ObjectOf, ...intrinsic('Map.prototype'), [0], [0]),
    ],
    ['a loop with keys that are none', () => graph(Node.Cursor, 2, Value.Null, Node.Array, [2], Node.Array, [1])],
    ['an object that has no end of prototypes', () => graph(repeat(5000, Node.ObjectOf), Value.Null)],
    ['HTML that is no text', () => graph(Node.Registered, 'custodian.Html', Node.Array, [1])],
    ['a request that is none', () => graph(Node.Registered, 'custodian.ServletRequest', Node.Array, [1])],
    ['a soft state without a function', () => graph(Node.Registered, 'custodian.SoftState', Value.Null)],
    ['a continuation without frames', () => graph(Node.Registered, 'custodian.CapturedContinuation', Node.Array, [1])],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeGraph(bytes())).toThrow(DecodeError);
  });

  const guard: Part[] = [Node.LibraryFrame, 'guard', [1], ...intrinsic('Number')];
  test.each<[name: string, bytes: () => Uint8Array]>([
    ['what inherits from a frame', () => page(Node.ObjectOf, ...guard, [0], ...NOTHING, ...NOTHING, Value.Null, [0])],
    ['frames that wait for each other', () => page(...guard, ...NOTHING, ...NOTHING, 0x81)],
    ['a frame of a kind that there is not', () => page(Node.LibraryFrame, 'eval', [0], ...NOTHING, ...NOTHING)],
    ['a frame that holds something else', () => page(Node.LibraryFrame, 'guard', [1], 'text', ...NOTHING, ...NOTHING)],
    [
      'a parameter that is none',
      () => page(Node.LibraryFrame, 'parameter', [2], Node.Array, 5, ...NOTHING, ...NOTHING),
    ],
    ['cells that are none', () => page(...NOTHING, Node.ObjectOf, ...intrinsic('Map.prototype'), [0], ...NOTHING, [0])],
    ['an embedded function that is none', () => page(...NOTHING, ...NOTHING, 'text')],
  ])('decode() refuses %s', (_name, bytes) => {
    expect(() => decode(bytes())).toThrow(DecodeError);
  });

  const COUNT = 100_000,
    keys = (count: number): Part[] => Array.from({ length: count }, (_, i) => `k${i}`);
  test.each<[name: string, bytes: () => Uint8Array]>([
    [
      'objects with many keys each',
      () => graph(Node.Array, [COUNT], Node.Object, [1], [5000], ...keys(5000), repeat(COUNT, Node.Object, [2])),
    ],
    ['arguments with many values each', () => graph(Node.Array, [COUNT], repeat(COUNT, Node.Arguments, [COUNT - 5]))],
    [
      'arrays that are long and empty',
      () => graph(Node.Array, [COUNT], repeat(COUNT - 1, Node.Array), repeat(COUNT - 1, [0], [65_000], 0, [0])),
    ],
    [
      'arrays with one far element each',
      () =>
        graph(
          Node.Array,
          [COUNT],
          repeat(COUNT - 1, Node.Array),
          repeat(COUNT - 1, [0], [1001], 0, [2], '1000', 7, 0x41),
        ),
    ],
    [
      'objects with one far key each',
      () =>
        graph(
          Node.Array,
          [COUNT],
          Node.Object,
          [1],
          [1],
          '1000',
          repeat(COUNT - 2, Node.Object, [2]),
          repeat(COUNT - 1, 0x41),
        ),
    ],
    ['buffers that may grow', () => graph(Node.Array, [COUNT], repeat(COUNT, Node.ArrayBuffer, [0], [1 << 20]))],
    [
      'frames that bind a parameter',
      () =>
        page(
          repeat(COUNT, Node.LibraryFrame, 'parameter', [2], Node.Known, 'custodian.expirationHandler', 5),
          ...NOTHING,
          ...NOTHING,
        ),
    ],
  ])('takes time and memory in proportion to the bytes: %s', (_name, make) => {
    const bytes = make(),
      before = process.memoryUsage(),
      began = process.cpuUsage();
    let read: unknown;
    try {
      read = decodeGraph(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
    const after = process.memoryUsage(),
      grown = after.rss - before.rss + after.external - before.external;
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(3);
    expect(grown / 2 ** 20).toBeLessThan(200);
    expect(read === undefined || Array.isArray(read)).toBe(true);
  });

  test('what keeps its memory small keeps its meaning', () => {
    const far: unknown[] = [];
    far[1000] = 'far';
    const values = [{ 1000: 'a', b: 1 }, { 1000: 'c', b: 2 }, far, Object.freeze({ 5000: 1, z: 2 })];
    expect(decodeGraph(encodeGraph(values))).toEqual(values);
    const [object] = decodeGraph(encodeGraph(values)) as [Record<string, unknown>];
    object[5] = 'more';
    expect(Object.keys(object)).toEqual(['5', '1000', 'b']);
  });

  test('a closure whose prototype is said to be Object’s changes nothing of that', async () => {
    const source = `${PRELUDE}
export async function main() { const f = () => 1, g = function () {}; await ask('x'); return [f, g]; }`;
    const { main } = (await import(/* @vite-ignore */ pathToFileURL(writeProgram({ 'main.ts': source })).href)) as {
      main: () => Promise<unknown>;
    };
    const outcome = await prompt(main);
    if (outcome.kind !== 'captured') throw new Error('no page');
    const saved = encode({ continuation: outcome.continuation, cells: new Map(), visit: null }),
      // Of both closures: nothing of their own.
      end = saved.length - 2;
    expect([...saved.subarray(end)]).toEqual([0, 0]);
    const pollution = new Pollution();
    const own: Part[] = [[2], 'prototype', 7, ...intrinsic('Object.prototype')],
      polluted: Part[] = [[2], 'polluted', 7, Value.True];
    for (const written of [
      [1, ...own, 0],
      [2, ...own, ...polluted, 0],
      [0, 1, ...own],
      [0, 2, ...own, ...polluted],
      [0, 2, [0], [2], 'constructor', 7, Value.True],
    ] as Part[][]) {
      const out = new ByteWriter();
      out.bytes(saved.subarray(0, end));
      write(out, written);
      try {
        decode(out.written);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
      expect(pollution.find()).toBe(null);
      expect('polluted' in {}).toBe(false);
    }
  });

  test('a closure that is made without a prototype is given none that would pass for one that it is made with', async () => {
    const source = `${PRELUDE}
export async function main() { const f = () => 1; await ask('x'); return f; }`;
    const { main } = (await import(/* @vite-ignore */ pathToFileURL(writeProgram({ 'main.ts': source })).href)) as {
      main: () => Promise<unknown>;
    };
    const outcome = await prompt(main);
    if (outcome.kind !== 'captured') throw new Error('no page');
    const saved = encode({ continuation: outcome.continuation, cells: new Map(), visit: null });
    const WRITABLE = 1;
    const WRITABLE_AND_CONFIGURABLE = 5;
    const withPrototype = (flags: number): Uint8Array => {
      const out = new ByteWriter();
      out.bytes(saved.subarray(0, -1));
      write(out, [1, [2], 'prototype', flags, ...intrinsic('Math')]);
      return out.written;
    };
    expect(() => decode(withPrototype(WRITABLE_AND_CONFIGURABLE))).not.toThrow();
    expect(() => decode(withPrototype(WRITABLE))).toThrow('a function is of another kind');
  });

  test('a class that is frozen is read again, and a function without a prototype of its own is refused', async () => {
    const source = `${PRELUDE}
export async function main(what) {
  const x = 1;
  class Point { at = x; }
  function Old() { return x; }
  if (what === 'frozen') Object.freeze(Point); else Old.prototype = null;
  await ask('x');
  return [Object.isExtensible(Point), new Point().at, Old()];
}`;
    const { main } = (await import(/* @vite-ignore */ pathToFileURL(writeProgram({ 'main.ts': source })).href)) as {
      main: (what: string) => Promise<unknown>;
    };
    const save = async (what: string): Promise<Uint8Array> => {
      const outcome = await prompt(() => main(what));
      if (outcome.kind !== 'captured') throw new Error('no page');
      return encode({ continuation: outcome.continuation, cells: new Map(), visit: null });
    };
    const { continuation } = decode(await save('frozen'));
    expect(await resume(continuation, 'on')).toMatchObject({ value: [false, 1, 1] });
    await expect(save('none')).rejects.toThrow('"Old" is a function whose prototype was replaced by what is no object');
  });

  test('errors whose class has a getter for its name, and for its message, run neither', async () => {
    const source = `${PRELUDE}
export let ran = 0;
class Wrong extends Error { static get name() { ran++; return 'x'; } get message() { ran++; return 'y'; } }
export async function main() { const error = new Wrong(); await ask('x'); return error; }`;
    const program = (await import(/* @vite-ignore */ pathToFileURL(writeProgram({ 'main.ts': source })).href)) as {
      ran: number;
      main: () => Promise<unknown>;
    };
    const outcome = await prompt(program.main);
    if (outcome.kind !== 'captured') throw new Error('no page');
    const before = program.ran;
    decode(encode({ continuation: outcome.continuation, cells: new Map(), visit: null }));
    expect(program.ran).toBe(before);
  });
});
