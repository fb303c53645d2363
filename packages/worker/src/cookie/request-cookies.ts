import { COOKIE_NAME, COOKIE_VALUE } from './cookie.ts';

/**
 * The cookies that came with a request, in the order in which they were sent, repeats kept. Names are case-sensitive.
 * @see Racket `request-cookies`, `client-cookie`
 */
export class RequestCookies implements Iterable<[name: string, value: string]> {
  readonly #pairs: readonly [string, string][];

  constructor(pairs: readonly [string, string][]) {
    this.#pairs = pairs;
  }

  get size(): number {
    return this.#pairs.length;
  }

  /** The first value of that name: of two paths, that of the longer. */
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

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (const [name, value] of this.#pairs) yield [name, value];
  }
}

/**
 * Reads the values of `Cookie` headers. Quotes around a value are taken off; a name alone has the value ""; a pair whose
 * name or value is none of RFC 6265 §4.1.1 is dropped.
 */
export function parseCookies(headers: Iterable<string>): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (const header of headers) {
    for (let start = 0; start < header.length;) {
      let end = header.indexOf(';', start);
      if (end === -1) end = header.length;
      const pair = parsePair(header.slice(start, end));
      if (pair !== null) pairs.push(pair);
      start = end + 1;
    }
  }
  return pairs;
}

function parsePair(text: string): [string, string] | null {
  const equals = text.indexOf('=');
  const name = trimmed(equals === -1 ? text : text.slice(0, equals));
  let value = equals === -1 ? '' : trimmed(text.slice(equals + 1));
  if (value.length >= 2 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1);
  return COOKIE_NAME.test(name) && COOKIE_VALUE.test(value) ? [name, value] : null;
}

/** Without blanks and tabs at its ends; `trim` would take more. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
