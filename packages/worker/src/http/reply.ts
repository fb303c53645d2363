import { coerceOther } from './any-to-response.ts';
import { isHtml, isPending, type Html } from './html.ts';
import { checkedReason, checkedStatus, headerLines, ResponseTypeError, type HeaderValues } from './reply-head.ts';
import type * as streamModule from './stream.ts';
import { xexprToHtml, type XexprElement } from './xexpr.ts';

/** A response as the thread sends it. */
export interface Reply {
  status: number;
  /** Empty: the usual phrase for the status. */
  reason: string;
  /** Complete lines, each with its CRLF, one character per byte; none of the connection's or the framing's. */
  headerLines: string;
  body: string | Uint8Array | AsyncIterable<Uint8Array | string>;
  /** Of a streaming body, by the servlet's Content-Length; -1 when it is not known. */
  bodyBytes: number;
}

/** A response that is ready to be sent, with header lines of the library's own. */
export class PreparedReply implements Reply {
  readonly status: number;
  readonly reason: string;
  readonly headerLines: string;
  readonly body: Reply['body'];
  readonly bodyBytes: number;

  constructor(reply: Reply, moreHeaderLines: string) {
    this.status = reply.status;
    this.reason = reply.reason;
    this.headerLines = reply.headerLines + moreHeaderLines;
    this.body = reply.body;
    this.bodyBytes = reply.bodyBytes;
  }
}

/** A response as plain data. A body without a Content-Type is HTML, or `application/octet-stream` when it is bytes. */
export interface PlainReply {
  /** From 200 to 999. Default 200. */
  status?: number;
  /** The reason phrase. */
  statusText?: string;
  headers?: HeaderValues;
  body?: PlainBody;
}

export type PlainBody = string | Html | XexprElement | Uint8Array | StreamingBody | WrittenBody | null;

/** A body that is sent piece by piece, as fast as the client takes it. */
export type StreamingBody = AsyncIterable<string | Uint8Array | Html>;

/**
 * A body that a function writes, at the pace of the client. It ends when what the function returns is settled.
 * @see Racket `response/output`
 */
export type WrittenBody = (writer: BodyWriter) => void | Promise<void>;

/** Where a {@link WrittenBody} writes to. */
export interface BodyWriter {
  /**
   * Sends a piece, and resolves when the next one may follow: await it, or all that the function writes is kept in
   * memory. @throws ClientGoneError when nobody is left to read it
   */
  write(piece: string | Uint8Array | Html): Promise<void>;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** All that a servlet may return. */
export type ServletResult = string | Html | XexprElement | Uint8Array | StreamingBody | PlainReply | Response;

const HTML_LINE = 'Content-Type: text/html; charset=utf-8\r\n';
const BYTES_LINE = 'Content-Type: application/octet-stream\r\n';
const PLAIN_KEYS: ReadonlySet<string> = new Set(['status', 'statusText', 'headers', 'body']);

/**
 * The response that a servlet's result stands for; at once, except for a promise, a stream and a WHATWG Response.
 * @throws ResponseTypeError for anything but a {@link ServletResult}; it names the servlet.
 * @throws HeaderError, XexprError
 * @see Racket `any->response`
 */
export function toReply(value: unknown, servletName: string): Reply | Promise<Reply> {
  if (typeof value === 'string') return page(value);
  if (typeof value === 'object' && value !== null) {
    if (isHtml(value)) return isPending(value) ? withPending(page(''), value, servletName) : page(value.text);
    if (value instanceof PreparedReply) return value;
    if (Array.isArray(value)) return page(xexprToHtml(value));
    if (value instanceof Uint8Array) return whole(200, '', BYTES_LINE, value);
    if (isThenable(value)) return Promise.resolve(value).then((settled) => toReply(settled, servletName));
    if (isResponse(value)) return streaming().then((stream) => stream.fromResponse(value, servletName));
    if (isAsyncIterable(value)) {
      return streaming().then((stream) => ({
        ...whole(200, '', HTML_LINE, ''),
        body: stream.checkedPieces(value, servletName),
      }));
    }
    if (isPlainReply(value)) return fromPlain(value, servletName);
  }
  const coerced = coerceOther(value);
  if (coerced !== undefined) return toReply(coerced, servletName);
  throw new ResponseTypeError(`Cannot answer with what servlet "${servletName}" returned: it is ${describe(value)}`);
}

function page(body: string): Reply {
  return { status: 200, reason: '', headerLines: HTML_LINE, body, bodyBytes: -1 };
}

function whole(status: number, reason: string, lines: string, body: string | Uint8Array): Reply {
  return { status, reason, headerLines: lines, body, bodyBytes: -1 };
}

function fromPlain(plain: Record<string, unknown>, servletName: string): Reply | Promise<Reply> {
  const status = plain['status'] === undefined ? 200 : checkedStatus(plain['status'], servletName);
  const reason = plain['statusText'] === undefined ? '' : checkedReason(plain['statusText']);
  const { lines, contentLength, hasContentType } = headerLines(plain['headers'] as HeaderValues | undefined);
  const body = plain['body'];
  if (body === undefined || body === null) return whole(status, reason, lines, '');
  const htmlLines = hasContentType ? lines : HTML_LINE + lines;
  if (typeof body === 'string') return whole(status, reason, htmlLines, body);
  if (typeof body === 'object') {
    if (isHtml(body)) {
      if (isPending(body)) return withPending(whole(status, reason, htmlLines, ''), body, servletName);
      return whole(status, reason, htmlLines, body.text);
    }
    if (Array.isArray(body)) return whole(status, reason, htmlLines, xexprToHtml(body));
    if (body instanceof Uint8Array) return whole(status, reason, hasContentType ? lines : BYTES_LINE + lines, body);
    if (isAsyncIterable(body)) {
      return streaming().then((stream) => ({
        status,
        reason,
        headerLines: htmlLines,
        body: stream.checkedPieces(body, servletName),
        bodyBytes: contentLength,
      }));
    }
  }
  if (typeof body === 'function') {
    return streaming().then((stream) => ({
      status,
      reason,
      headerLines: htmlLines,
      body: stream.checkedPieces(stream.writtenPieces(body as WrittenBody), servletName),
      bodyBytes: contentLength,
    }));
  }
  throw new ResponseTypeError(
    `Cannot answer with what servlet "${servletName}" returned: its body is ${describe(body)}`,
  );
}

/** What is there within a turn of the event loop leaves in one piece with the head, and fails as a page of its own. */
async function withPending(reply: Reply, fragment: AsyncIterable<string>, servletName: string): Promise<Reply> {
  const stream = await streaming();
  return { ...reply, body: await stream.gathered(fragment, servletName) };
}

/** What a body is that can't be sent; null: it can. */
export function describeBody(body: unknown): string | null {
  if (body === null || body === undefined || typeof body === 'string' || typeof body === 'function') return null;
  const isKnown =
    typeof body === 'object' &&
    (isHtml(body) || Array.isArray(body) || body instanceof Uint8Array || isAsyncIterable(body));
  return isKnown ? null : describe(body);
}

// Most servlets never stream, so the file is loaded by the first that does.
let loading: Promise<typeof streamModule> | null = null;

function streaming(): Promise<typeof streamModule> {
  loading ??= import('./stream.ts');
  return loading;
}

function isThenable(value: object): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown }).then === 'function';
}

/** By its tag: looking at `globalThis.Response` would load all of undici. */
export function isResponse(value: object): value is Response {
  return (
    (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Response' &&
    'headers' in value &&
    'status' in value
  );
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return typeof (value as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] === 'function';
}

/** An object literal, of whatever realm, that has some of the keys and no other. */
export function isPlainReply(value: object): value is PlainReply & Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => PLAIN_KEYS.has(key));
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return `${value}, not a response`;
  if (typeof value !== 'object') return `a ${typeof value}, not a response`;
  const className: unknown = value.constructor?.name;
  if (typeof className === 'string' && className !== 'Object' && className !== '')
    return `an instance of ${className}, not a response`;
  const keys = Object.keys(value)
    .slice(0, 5)
    .map((key) => JSON.stringify(key.slice(0, 40)));
  const properties = keys.length === 0 ? 'without properties' : `with the properties ${keys.join(', ')}`;
  return `an object ${properties}, not a response (json(value) makes one of it)`;
}
