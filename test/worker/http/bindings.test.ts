import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BindingError, Bindings, parseUrlencoded } from '../../../packages/worker/src/http/bindings.ts';

/** Text as it is on the wire: one character per byte. */
const wireText = fc
  .array(
    fc.oneof(
      fc.constantFrom('&', '=', '+', '%', '%4', '%zz', '%26', '%C3%A9', '%FF', ';', '#', '?'),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    ),
  )
  .map((parts) => parts.join(''));

describe('parseUrlencoded()', () => {
  it('parseUrlencoded() keeps order and repeats, and gives a name without "=" the empty value', () => {
    expect(parseUrlencoded('a=1&b=2&c&d=&a=3')).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
      ['d', ''],
      ['a', '3'],
    ]);
  });

  it('parseUrlencoded() decodes percent and plus, and leaves a percent that encodes nothing', () => {
    expect(parseUrlencoded('x=%26encoded%3D&y=hi+there&z=100%&w=%zz')).toEqual([
      ['x', '&encoded='],
      ['y', 'hi there'],
      ['z', '100%'],
      ['w', '%zz'],
    ]);
  });

  it('parseUrlencoded() reads UTF-8, raw or encoded, and puts U+FFFD for what is not', () => {
    expect(parseUrlencoded('a=%C3%A9&b=\xc3\xa9&c=%FFx')).toEqual([
      ['a', 'é'],
      ['b', 'é'],
      ['c', '\ufffdx'],
    ]);
  });

  it('parseUrlencoded() agrees with URLSearchParams, for which raw bytes must be encoded first', () => {
    fc.assert(
      fc.property(wireText, (text) => {
        const encoded = text.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
        // URLSearchParams drops a question mark at the start; after an empty field it stays.
        expect(parseUrlencoded(text)).toEqual([...new URLSearchParams(`&${encoded}`)]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('Bindings', () => {
  const bindings = new Bindings([
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
    ['A', '4'],
  ]);

  it('Bindings.get() is the first value of exactly that name', () => {
    expect(bindings.get('a')).toBe('1');
    expect(bindings.get('c')).toBeUndefined();
    expect(bindings.get('constructor')).toBeUndefined();
  });

  it('Bindings.getAll() and has() see every value', () => {
    expect(bindings.getAll('a')).toEqual(['1', '3']);
    expect(bindings.has('A')).toBe(true);
    expect(bindings.has('c')).toBe(false);
    expect(bindings.size).toBe(4);
  });

  it('Bindings.single() throws for an absent and for a repeated name', () => {
    expect(bindings.single('b')).toBe('2');
    expect(() => bindings.single('c')).toThrow(new BindingError('Cannot read the field "c": it was not sent'));
    expect(() => bindings.single('a')).toThrow(new BindingError('Cannot read the field "a": it was sent 2 times'));
  });

  it('Bindings iterates over pairs in order', () => {
    expect([...bindings]).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
      ['A', '4'],
    ]);
  });
});
