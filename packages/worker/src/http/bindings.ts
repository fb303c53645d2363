/** A field that must be there exactly once is absent or repeated. */
export class BindingError extends Error {
  override readonly name = 'BindingError';
  readonly code = 'SERVLET_BINDING';
}

/**
 * Names and values in the order in which they were sent, repeats kept. Names are case-sensitive.
 * @see Racket `request-bindings`, `extract-binding/single`
 */
export class Bindings implements Iterable<[name: string, value: string]> {
  readonly #pairs: readonly [string, string][];

  constructor(pairs: readonly [string, string][]) {
    this.#pairs = pairs;
  }

  get size(): number {
    return this.#pairs.length;
  }

  /** The first value of that name. */
  get(name: string): string | undefined {
    for (const pair of this.#pairs) if (pair[0] === name) return pair[1];
    return undefined;
  }

  /** Every value of that name, in order. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (const pair of this.#pairs) if (pair[0] === name) values.push(pair[1]);
    return values;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The only value of that name. @throws BindingError when there is none, or more than one. */
  single(name: string): string {
    const values = this.getAll(name);
    if (values.length !== 1) {
      const state = values.length === 0 ? 'it was not sent' : `it was sent ${values.length} times`;
      throw new BindingError(`Cannot read the field "${name}": ${state}`);
    }
    return values[0] as string;
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (const [name, value] of this.#pairs) yield [name, value];
  }
}

/**
 * Reads `a=1&b=two+words`. The text has one character per byte, as heads and bodies have on the wire; the fields are
 * UTF-8, and what is not valid UTF-8 becomes U+FFFD. A name without `=` has the value "".
 * @see https://url.spec.whatwg.org/#urlencoded-parsing
 */
export function parseUrlencoded(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('&', start);
    if (end === -1) end = text.length;
    if (end > start) {
      const equals = text.indexOf('=', start);
      pairs.push(
        equals === -1 || equals > end
          ? [decode(text.slice(start, end)), '']
          : [decode(text.slice(start, equals)), decode(text.slice(equals + 1, end))],
      );
    }
    start = end + 1;
  }
  return pairs;
}

const IS_ENCODED = /[%+\x80-\xff]/;

function decode(text: string): string {
  if (!IS_ENCODED.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  let to = 0;
  for (let from = 0; from < bytes.length; from += 1) {
    let byte = bytes[from] as number;
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25) {
      const high = hexDigit(bytes[from + 1]);
      const low = hexDigit(bytes[from + 2]);
      if (high !== -1 && low !== -1) {
        byte = high * 16 + low;
        from += 2;
      }
    }
    bytes[to] = byte;
    to += 1;
  }
  return bytes.toString('utf8', 0, to);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
