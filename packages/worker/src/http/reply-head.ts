import { HEAD_MAX_BYTES } from '@custodian/protocol';

/** What a servlet returned is no response, or its status is none. */
export class ResponseTypeError extends TypeError {
  override readonly name = 'ResponseTypeError';
  readonly code = 'SERVLET_RESPONSE_TYPE';
}

/** A header, or the reason phrase, of a servlet's response can't be sent. */
export class HeaderError extends TypeError {
  override readonly name = 'HeaderError';
  readonly code = 'SERVLET_HEADER';
}

export type HeaderValue = string | number | readonly (string | number)[];

/** Headers of a response: an object, where an array is a repeated header, or pairs, as a `Headers` or a `Map` has them. */
export type HeaderValues =
  | { readonly [name: string]: HeaderValue }
  | Iterable<readonly [name: string, value: HeaderValue]>;

/** Header lines as they go out, and what else was in the headers. */
export interface HeaderLines {
  /** `Name: value\r\n` each, one character per byte. */
  lines: string;
  /** From Content-Length; -1 without. */
  contentLength: number;
  hasContentType: boolean;
}

// The connection and the framing belong to the acceptor, which takes no such line from a servlet.
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

// RFC 9110 §5.1 and §5.5: a token, then visible characters, blanks and obs-text.
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const REASON_MAX_BYTES = 255;

/** @throws HeaderError for a name or value that can't be sent, and for more than fits a head. */
export function headerLines(headers: HeaderValues | null | undefined): HeaderLines {
  const result: HeaderLines = { lines: '', contentLength: -1, hasContentType: false };
  for (const [name, value] of headerPairs(headers)) {
    if (!NAME.test(name)) throw new HeaderError(`Cannot send the header ${quoted(name)}: its name is not a token`);
    if (!VALUE.test(value)) {
      throw new HeaderError(
        `Cannot send the header "${name}": its value has a line break, a control or a character beyond latin1`,
      );
    }
    const lowerName = name.toLowerCase();
    if (lowerName === 'content-length') result.contentLength = contentLength(value);
    if (OWN_HEADERS.has(lowerName)) continue;
    if (lowerName === 'content-type') result.hasContentType = true;
    result.lines += `${name}: ${value}\r\n`;
    // The default Content-Type may still come.
    if (result.lines.length > HEAD_MAX_BYTES - 64) {
      throw new HeaderError(`Cannot send the headers: they take more than ${HEAD_MAX_BYTES} bytes`);
    }
  }
  return result;
}

/** Each header with each of its values. @throws HeaderError for what is no string, number or list of them. */
export function* headerPairs(headers: HeaderValues | null | undefined): Generator<[name: string, value: string]> {
  if (headers === null || headers === undefined) return;
  if (typeof headers !== 'object') throw new HeaderError(`Cannot send the headers: they are a ${typeof headers}`);
  const pairs: Iterable<unknown> =
    Symbol.iterator in headers ? (headers as Iterable<unknown>) : Object.entries(headers);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw new HeaderError('Cannot send the headers: they are not pairs of name and value');
    }
    const values: unknown[] = Array.isArray(pair[1]) ? pair[1] : [pair[1]];
    for (const value of values) {
      if (typeof value !== 'string' && typeof value !== 'number') {
        throw new HeaderError(`Cannot send the header ${quoted(pair[0])}: its value is of type ${typeof value}`);
      }
      yield [pair[0], String(value)];
    }
  }
}

/** The headers of a redirection: its address is the one that it is called with, whatever else names one. */
export function redirectionHeaders(location: string, headers: HeaderValues | null | undefined): [string, string][] {
  const others = [...headerPairs(headers)].filter(([name]) => name.toLowerCase() !== 'location');
  return [['Location', location], ...others];
}

/** @throws ResponseTypeError unless it is an integer from 200 to 999; what is below is the connection's business. */
export function checkedStatus(status: unknown, servletName: string): number {
  if (isStatus(status)) return status;
  throw new ResponseTypeError(
    `Cannot answer with what servlet "${servletName}" returned: its status is ${describeStatus(status)}, not from 200 to 999`,
  );
}

export function isStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 999;
}

export function describeStatus(status: unknown): string {
  return typeof status === 'number' ? String(status) : `of type ${typeof status}`;
}

/** @throws HeaderError for a reason phrase that can't be sent. */
export function checkedReason(reason: unknown): string {
  if (typeof reason === 'string' && reason.length <= REASON_MAX_BYTES && VALUE.test(reason)) return reason;
  throw new HeaderError(
    'Cannot send the reason phrase: it has a line break, a control or more than 255 characters of latin1',
  );
}

function contentLength(value: string): number {
  const bytes = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(bytes)) return bytes;
  throw new HeaderError(`Cannot send the header "Content-Length": ${quoted(value)} is not a number of bytes`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
