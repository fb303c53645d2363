import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BindingError, Bindings, FormBinding, parseUrlencoded } from '../../../packages/worker/src/http/bindings.ts';
import { FileBinding } from '../../../packages/worker/src/http/file-binding.ts';

function pairsOf(text: string): [string, string][] {
  return parseUrlencoded(text).map((field) => [field.name, field.value]);
}

function file(name: string, filename: string, content: string): FileBinding {
  const part = { name, filename, type: 'text/plain', charset: 'utf-8', headers: [], bytes: content.length };
  return new FileBinding(part, async function* () {
    for (const character of content) yield Buffer.from(character);
  });
}

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
    expect(pairsOf('a=1&b=2&c&d=&a=3')).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
      ['d', ''],
      ['a', '3'],
    ]);
  });

  it('parseUrlencoded() decodes percent and plus, and leaves a percent that encodes nothing', () => {
    expect(pairsOf('x=%26encoded%3D&y=hi+there&z=100%&w=%zz')).toEqual([
      ['x', '&encoded='],
      ['y', 'hi there'],
      ['z', '100%'],
      ['w', '%zz'],
    ]);
  });

  it('parseUrlencoded() reads UTF-8, raw or encoded, and puts U+FFFD for what is not', () => {
    expect(pairsOf('a=%C3%A9&b=\xc3\xa9&c=%FFx')).toEqual([
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
        expect(pairsOf(text)).toEqual([...new URLSearchParams(`&${encoded}`)]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('Bindings', () => {
  const upload = file('f', 'n.txt', 'hello');
  const bindings = new Bindings([
    ...parseUrlencoded('a=1&b=2'),
    upload,
    ...parseUrlencoded('a=3&A=4'),
    file('f', 'm.txt', ''),
    file('g', '', ''),
  ]);

  it('Bindings.get() is the first value of exactly that name, and of no file', () => {
    expect(bindings.get('a')).toBe('1');
    expect(bindings.get('c')).toBeUndefined();
    expect(bindings.get('constructor')).toBeUndefined();
    expect(bindings.get('f')).toBeUndefined();
  });

  it('Bindings.getAll() and has() see every value', () => {
    expect(bindings.getAll('a')).toEqual(['1', '3']);
    expect(bindings.has('A')).toBe(true);
    expect(bindings.has('f')).toBe(true);
    expect(bindings.has('c')).toBe(false);
    expect(bindings.size).toBe(7);
  });

  it('Bindings.single() throws for an absent and for a repeated name', () => {
    expect(bindings.single('b')).toBe('2');
    expect(() => bindings.single('c')).toThrow(new BindingError('Cannot read the field "c": it was not sent'));
    expect(() => bindings.single('a')).toThrow(new BindingError('Cannot read the field "a": it was sent 2 times'));
  });

  it('Bindings.getBytes() and getAllBytes() are the values before they are read as UTF-8', () => {
    const binary = new Bindings(parseUrlencoded('x=%FF%00+&y=1&x=\xe9'));
    expect(binary.getBytes('x')).toEqual(Buffer.from([0xff, 0, 0x20]));
    expect(binary.getAllBytes('x')).toEqual([Buffer.from([0xff, 0, 0x20]), Buffer.from([0xe9])]);
    expect(binary.getBytes('z')).toBeUndefined();
    expect(binary.get('x')).toBe('\ufffd\0 ');
  });

  it('Bindings.file() and files() see files, but not an input that was left empty', () => {
    expect(bindings.file('f')).toBe(upload);
    expect(bindings.files('f').map(({ filename }) => filename)).toEqual(['n.txt', 'm.txt']);
    expect(bindings.files()).toHaveLength(2);
    expect(bindings.file('g')).toBeUndefined();
    expect(bindings.file('a')).toBeUndefined();
  });

  it('Bindings.singleFile() throws for an absent and for a repeated name', () => {
    expect(() => bindings.singleFile('g')).toThrow(new BindingError('Cannot read the file "g": it was not sent'));
    expect(() => bindings.singleFile('f')).toThrow(new BindingError('Cannot read the file "f": it was sent 2 times'));
    expect(new Bindings([upload]).singleFile('f')).toBe(upload);
  });

  it('Bindings iterates over pairs in order, files among them', () => {
    expect([...bindings].slice(0, 4)).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['f', upload],
      ['a', '3'],
    ]);
    expect(bindings.all[0]).toBeInstanceOf(FormBinding);
  });
});

describe('FileBinding', () => {
  it('FileBinding gives its content as bytes, text, stream and File, again and again', async () => {
    const upload = file('f', 'n.txt', 'hello');
    expect(Buffer.from(await upload.bytes()).toString()).toBe('hello');
    expect(await upload.text()).toBe('hello');
    expect(await Array.fromAsync(upload.stream(), (piece) => String.fromCharCode(...piece))).toEqual([
      'h',
      'e',
      'l',
      'l',
      'o',
    ]);
    const webFile = await upload.toFile();
    expect([webFile.name, webFile.type, await webFile.text()]).toEqual(['n.txt', 'text/plain', 'hello']);
  });

  it('FileBinding.stream() ends its source when it is cancelled', async () => {
    let isEnded = false;
    const part = { name: 'f', filename: 'x', type: 'a/b', charset: 'utf-8', headers: [], bytes: 9 };
    const upload = new FileBinding(part, async function* () {
      try {
        for (;;) yield Buffer.from('x');
      } finally {
        isEnded = true;
      }
    });
    for await (const piece of upload.stream()) if (piece.length > 0) break;
    expect(isEnded).toBe(true);
  });
});
