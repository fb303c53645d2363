import type { Socket } from 'node:net';
import {
  type ContinuationToken,
  homeOf,
  isBodiless,
  readToken,
  type ReplyFrame,
  type Usage,
} from '@custodian/protocol';
import { BodyIntake } from './body-intake.ts';
import { type Connection, connectionOf } from './connection.ts';
import { type ErrorPage, renderErrorPage } from './error-page.ts';
import { type HostAnswer, type PreparedAnswer, prepareAnswer } from './host-answer.ts';
import { pathElements } from './request-path.ts';
import { dateLine, statusLine } from './status.ts';
import { type Framing, StreamedBody } from './streamed-body.ts';

/** The lease that runs an exchange, as far as the exchange needs it. */
export interface Carrier {
  sendBody(exchange: Exchange, chunk: Uint8Array): void;
  endBody(exchange: Exchange): void;
  /** The client is gone. */
  abort(exchange: Exchange): void;
  /** The client has closed its side. */
  endClient(exchange: Exchange): void;
  /** So many more bytes of the response may be sent. */
  grant(exchange: Exchange, bytes: number): void;
}

/** Small bodies go out in one string with their head; larger ones as a second piece of the same write. */
const ONE_STRING_MAX_BYTES = 16 * 1024;

/**
 * One request and its response on a connection. Node's HTTP parser makes it in the place of an `IncomingMessage`
 * (option `IncomingMessage` of `http.createServer`) and feeds it; the streams of node:http are left out, because the
 * acceptor only passes bytes on. The first fields are those that the parser sets.
 */
export class Exchange {
  httpVersionMajor = 1;
  httpVersionMinor = 1;
  httpVersion = '1.1';
  joinDuplicateHeaders = false;
  method = '';
  url = '';
  upgrade: boolean | null = null;
  complete = false;
  readonly _dumped: boolean = false;
  // The parser's server looks at these on `socket._httpMessage`; see Connection.
  readonly finished: boolean = false;
  _last = false;

  rawHeaders: string[] = [];
  readonly connection: Connection;
  /** Set while the exchange is with a lease. */
  carrier: Carrier | null = null;
  /** Names the exchange on its lease's channel. */
  requestId = 0;
  /** When it began to wait for a thread, or to run; ms as of `performance.now()`. */
  readonly arrivedAt: number = performance.now();
  startedAt = 0;
  /** It has been with a lease that died, and is tried once more. */
  isRetry = false;
  /** Its answer was left in a stalled thread, and it is run again. */
  isRepeated = false;
  hasBody = false;
  /** Declared length of the body, or -1. */
  bodyBytes = -1;
  bodyMaxBytes: number = Infinity;
  expectsContinue = false;
  keepAlive = false;
  bytesOut = 0;
  /** Of these, the head's. */
  headBytesOut = 0;
  status = 0;
  /** Why the host refused it: a code of docs/errors.md. */
  code = '';
  /** How long neither body may move, in ms, where that is not as the limits say. */
  silenceMaxMs: number | null = null;
  /** Gives it to whoever is next, where a servlet leaves it to others. */
  pass: ((exchange: Exchange) => void) | null = null;
  /** The response's head has gone out. */
  isHeadSent = false;
  /** The response is over, or nobody is there to read it. */
  isDone = false;
  usage: Usage | null = null;
  /** What a thread gets for its body is the multipart form that was read from it. */
  hasForm = false;
  /** When a byte of either body moved last. */
  movedAt: number = this.arrivedAt;
  /** Since when it waits in threads of its servlet, but for what it has run there; 0: it was given to none. */
  givenAt = 0;
  /** When it began to wait for a thread. */
  queuedAt = 0;
  /** When the answer was complete, or nobody was left to read it; 0 before. */
  doneAt = 0;

  #intake: BodyIntake | null = null;
  #elements: string[] | null | undefined = undefined;
  #token: ContinuationToken | null | undefined = undefined;
  #onDone: (() => void)[] | null = null;
  #body: StreamedBody | null = null;

  constructor(socket: Socket) {
    this.connection = connectionOf(socket);
  }

  // -- What the parser calls -----------------------------------------------------------------------------------------

  _addHeaderLines(headers: string[], _count: number): void {
    // A second call brings the trailers of a chunked body, which nobody asked for.
    if (this.rawHeaders.length === 0) this.rawHeaders = headers;
  }

  /** The next piece of the body, `null` at its end. `false` asks the parser to stop reading. */
  push(chunk: Uint8Array | null): boolean {
    if (chunk !== null) return this.intake().push(chunk);
    if (this.hasBody) this.intake().end();
    return true;
  }

  // Called on `socket._httpMessage` by the parser's server.
  emit(): boolean {
    return false;
  }

  destroy(): void {}

  // -- The request ---------------------------------------------------------------------------------------------------

  /** The first header of that name; `name` in lower case. */
  header(name: string): string | undefined {
    const { rawHeaders } = this;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const found = rawHeaders[at] as string;
      if (found.length === name.length && found.toLowerCase() === name) return rawHeaders[at + 1];
    }
    return undefined;
  }

  /**
   * The headers for who gets the body without its transfer coding: a chunked body that is here as a whole has a length
   * in its place (RFC 9112 §7.1.3).
   */
  get decodedHeaders(): readonly string[] {
    if (!this.hasBody || this.bodyBytes >= 0 || !this.complete) return this.rawHeaders;
    const headers: string[] = [];
    for (let at = 0; at < this.rawHeaders.length; at += 2) {
      const name = this.rawHeaders[at] as string;
      if (name.toLowerCase() !== 'transfer-encoding') headers.push(name, this.rawHeaders[at + 1] as string);
    }
    headers.push('Content-Length', String(this.bytesIn));
    return headers;
  }

  /** The values of all headers of that name, as one list (RFC 9110 §5.3); `name` in lower case. */
  headers(name: string): string | undefined {
    const { rawHeaders } = this;
    let values: string | undefined;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const found = rawHeaders[at] as string;
      if (found.length !== name.length || found.toLowerCase() !== name) continue;
      values = values === undefined ? rawHeaders[at + 1] : `${values}, ${rawHeaders[at + 1]}`;
    }
    return values;
  }

  /** The decoded elements of the path, or null when it names nothing: see {@link pathElements}. */
  get elements(): readonly string[] | null {
    if (this.#elements === undefined) this.#elements = pathElements(this.url);
    return this.#elements;
  }

  /** The decoded path, without parameters and query, runs of slashes as one; null when it names nothing. */
  get path(): string | null {
    return this.elements === null ? null : `/${this.elements.join('/')}`;
  }

  /** Which continuation it asks for; null: none. */
  get token(): ContinuationToken | null {
    if (this.#token === undefined) this.#token = readToken(this.url);
    return this.#token;
  }

  /** The name of the instance that this is of; null: none. */
  get home(): string | null {
    return this.token === null ? null : homeOf(this.token);
  }

  get clientIp(): string {
    return this.connection.clientIp;
  }

  /** A request that may be sent twice without harm (RFC 9110 §9.2.1), and whose body is not half used. */
  get isSafe(): boolean {
    return (this.method === 'GET' || this.method === 'HEAD') && !this.hasBody;
  }

  /**
   * The host may have it run again by itself, though it may have run: nobody's answer to a page, which goes on with what the
   * visit holds, whatever its method.
   */
  get isRepeatable(): boolean {
    return this.isSafe && this.token === null;
  }

  /** The body's way in; made when there is one. */
  intake(): BodyIntake {
    this.#intake ??= new BodyIntake(this);
    return this.#intake;
  }

  /** Bytes of the body that have arrived. */
  get bytesIn(): number {
    return this.#intake === null ? 0 : this.#intake.bytes;
  }

  /** The request is waiting for its client to send more of the body. */
  get isAwaitingBody(): boolean {
    return this.hasBody && !this.complete && !this.intake().isPaused;
  }

  /** A lease has taken the exchange: what has arrived of the body goes to it. */
  carriedBy(carrier: Carrier): void {
    this.carrier = carrier;
    if (this.hasBody) this.intake().drain(carrier);
    if (this.connection.hasClientEnded) carrier.endClient(this);
  }

  /** Its thread has answered a part of it, or read of its body: no other can have it. */
  get hasBegun(): boolean {
    return !this.isDone && (this.isHeadSent || this.#intake?.isBegun === true);
  }

  /** It comes back from a thread that has not begun it. */
  takeBack(): void {
    this.carrier = null;
    this.#intake?.takeBack();
  }

  /** For another servlet than the one that has had it: its body comes from its first byte. `false`: it can't. */
  rewindBody(): boolean {
    return this.#intake === null || this.#intake.rewind();
  }

  // -- The response --------------------------------------------------------------------------------------------------

  /** A whole response; its body is `buffer[reply.bodyStart, end)`. */
  answer(reply: ReplyFrame, buffer: Buffer, end: number): void {
    const bodyBytes = end - reply.bodyStart;
    this.usage = reply;
    const hasBody = !isBodiless(this.method, reply.status);
    const head = this.#headText(reply, fixedFraming(reply.status) ?? `Content-Length: ${bodyBytes}\r\n`);
    const { socket } = this.connection;
    if (!hasBody || bodyBytes === 0) this.#write(head);
    else if (bodyBytes <= ONE_STRING_MAX_BYTES) this.#write(head + buffer.toString('latin1', reply.bodyStart, end));
    else {
      socket.cork();
      this.#write(head);
      this.bytesOut += bodyBytes;
      socket.write(buffer.subarray(reply.bodyStart, end));
      socket.uncork();
    }
    this.#finish();
  }

  /** The head of a response whose body follows. */
  beginAnswer(reply: ReplyFrame): void {
    let framing: Framing = 'close';
    if (isBodiless(this.method, reply.status)) framing = 'none';
    else if (reply.bodyBytes >= 0) framing = 'length';
    else if (this.httpVersionMinor >= 1) framing = 'chunked';
    else this.keepAlive = false;
    this.#body = new StreamedBody(this, framing, reply.bodyBytes);
    const chunked = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
    const isLengthKnown = reply.bodyBytes >= 0 && (framing === 'length' || this.method === 'HEAD');
    const length = isLengthKnown ? `Content-Length: ${reply.bodyBytes}\r\n` : chunked;
    this.#write(this.#headText(reply, fixedFraming(reply.status) ?? length));
  }

  /** The next bytes of the body. @throws ProtocolError when there are more than were granted */
  sendChunk(buffer: Buffer, start: number, end: number): void {
    // Of an answer that was over before its head came: the thread has not heard of that yet.
    this.#body ??= new StreamedBody(this, 'none', -1);
    if (!this.#body.send(buffer, start, end)) this.cut();
  }

  /** The body is complete. */
  endAnswer(usage: Usage): void {
    this.usage = usage;
    if (this.isDone) return;
    if (this.#body?.end() === false) this.cut();
    else this.#finish();
  }

  /** The host's own page, after which the connection closes; a response that has begun is cut instead. */
  refuse(page: ErrorPage): void {
    if (this.isDone) return;
    this.keepAlive = false;
    this.refuseKept(page);
  }

  /** The same, and the connection stays: what was read of it can be trusted. */
  refuseKept(page: ErrorPage): void {
    if (this.isDone) return;
    if (this.isHeadSent) {
      this.#refused(page.code, this.status);
      return this.cut();
    }
    const { status, retryAfterSeconds } = page;
    const retryAfter = retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) };
    const answer = this.connection.site.pageInstead(page, this);
    this.refuseWith(
      page.code,
      answer ?? { status, headers: { ...page.headers, ...retryAfter }, body: renderErrorPage(page) },
    );
  }

  /** Refuses what may be under way already, whose carrier hears of it. */
  drop(page: ErrorPage): void {
    this.refuse(page);
    this.carrier?.abort(this);
  }

  /** Refuses with an answer that has been made already. */
  refuseWith(code: string, answer: HostAnswer): void {
    if (this.isDone) return;
    const prepared = prepareAnswer(answer);
    this.#refused(code, prepared.status);
    this.respondPrepared(prepared);
  }

  #refused(code: string, status: number): void {
    this.code = code;
    this.connection.site.onRefusal({ code, status }, this.connection, this);
  }

  /**
   * Answers by itself, without a servlet.
   * @throws TypeError for what can't be sent
   * @example exchange.respond({ status: 302, headers: { Location: '/elsewhere' } })
   */
  respond(answer: HostAnswer): void {
    this.respondPrepared(prepareAnswer(answer));
  }

  respondPrepared({ status, headerLines, hasDate, body }: PreparedAnswer): void {
    const reply = {
      status,
      reason: '',
      headerLines,
      hasDate,
      bodyBytes: -1,
      bodyStart: 0,
      cpuMicros: this.usage?.cpuMicros ?? 0,
      wallMicros: this.usage?.wallMicros ?? 0,
    };
    this.answer(reply, body, body.length);
  }

  /** The end of the connection would tell the client that the body is complete. */
  get endsWithConnection(): boolean {
    return !this.isDone && this.#body?.framing === 'close';
  }

  /** Calls `listener` when the response is over or nobody is left to read it. */
  whenDone(listener: () => void): void {
    if (this.isDone) listener();
    else (this.#onDone ??= []).push(listener);
  }

  /** Ends a response that can't be completed: the client must see that it is cut. */
  cut(): void {
    this.#body?.flush();
    this.connection.close();
    this.#finish();
  }

  /** The client has gone away. */
  onClientGone(): void {
    if (this.isDone) return;
    this.#over();
    this.carrier?.abort(this);
    this.connection.site.onDone?.(this);
  }

  #headText(reply: ReplyFrame, framing: string): string {
    this.isHeadSent = true;
    this.#intake?.begun();
    this.status = reply.status;
    // What is left of an unread body can't be told from a next request: such a connection is not used again.
    if (this.connection.isClosing || (this._last && !this.connection.hasWaiting) || (this.hasBody && !this.complete))
      this.keepAlive = false;
    const connection = this.keepAlive
      ? this.httpVersionMinor === 0
        ? 'Connection: keep-alive\r\n'
        : ''
      : 'Connection: close\r\n';
    const date = reply.hasDate ? '' : dateLine(Date.now());
    const text = `${statusLine(reply.status, reply.reason)}${reply.headerLines}${framing}${date}${connection}\r\n`;
    this.headBytesOut = text.length;
    return text;
  }

  #write(text: string): void {
    this.bytesOut += text.length;
    this.connection.socket.write(text, 'latin1');
  }

  #finish(): void {
    if (this.isDone) return;
    this.#over();
    this.connection.onExchangeDone(this);
  }

  #over(): void {
    this.isDone = true;
    this.doneAt = performance.now();
    this.#intake?.drop();
    if (this.#onDone === null) return;
    for (const listener of this.#onDone) listener();
  }
}

/**
 * The framing line of a status that has no body, whatever a servlet sends; null for others. A client knows of 204 and 304
 * that nothing follows (RFC 9112 §6.3), and of 205 only by its length.
 */
function fixedFraming(status: number): string | null {
  if (status === 205) return 'Content-Length: 0\r\n';
  return status === 204 || status === 304 ? '' : null;
}
