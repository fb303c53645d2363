import type { FrameWriter } from './frame.ts';
import { ToWorker } from './to-worker.ts';

const HAS_BODY = 1;
const IS_SAFE = 2;
const HAS_FORM = 4;
const IS_SECURE = 8;

/** Parts of a head before its headers. */
const FIXED_PARTS = 5;

/**
 * A request's head on the wire: one byte of flags, then `method LF url LF client address LF host address LF host port
 * LF name LF value …` in latin1.
 * No part can hold a line feed: Node's parser refuses it. One string to write and one to read, however many headers.
 */
export class RequestHead {
  readonly hasBody: boolean;
  /** Its method is GET or HEAD; known without taking the head apart. */
  readonly isSafe: boolean;
  /** What comes as its body is a multipart form that the acceptor has read: see `form.ts`. */
  readonly hasForm: boolean;
  /** It came over TLS. */
  readonly isSecure: boolean;
  readonly #text: string;
  #url: string | null = null;
  #parts: string[] | null = null;

  constructor(buffer: Buffer, start: number, end: number) {
    const flags = buffer[start] as number;
    this.hasBody = (flags & HAS_BODY) !== 0;
    this.isSafe = (flags & IS_SAFE) !== 0;
    this.hasForm = (flags & HAS_FORM) !== 0;
    this.isSecure = (flags & IS_SECURE) !== 0;
    this.#text = buffer.toString('latin1', start + 1, end);
  }

  /** One that was kept: as on the wire, without its flags. */
  static of(text: string, isSecure: boolean): RequestHead {
    const bytes = Buffer.from(`\0${text}`, 'latin1');
    bytes[0] = isSecure ? IS_SECURE : 0;
    return new RequestHead(bytes, 0, bytes.length);
  }

  get method(): string {
    return this.#text.slice(0, this.#text.indexOf('\n'));
  }

  /** The request target as sent, usually a path with a query. The only part that many servlets ask for. */
  get url(): string {
    if (this.#url === null) {
      const start = this.#text.indexOf('\n') + 1;
      this.#url = this.#text.slice(start, this.#text.indexOf('\n', start));
    }
    return this.#url;
  }

  /** The client's address, as the acceptor's socket sees it. */
  get clientIp(): string {
    return this.#part(2);
  }

  /** The address that the client has connected to. */
  get hostIp(): string {
    return this.#part(3);
  }

  get hostPort(): number {
    return Number(this.#part(4));
  }

  /** Names and values in turn, order, case and repeats kept. */
  get rawHeaders(): string[] {
    this.#parts ??= this.#text.split('\n');
    return this.#parts.slice(FIXED_PARTS);
  }

  #part(index: number): string {
    this.#parts ??= this.#text.split('\n');
    return this.#parts[index] ?? '';
  }
}

/** What a request's head is made of. */
export interface RequestHeadFields {
  method: string;
  url: string;
  clientIp: string;
  hostIp: string;
  hostPort: number;
  /** Names and values in turn. */
  rawHeaders: readonly string[];
  hasBody: boolean;
  hasForm: boolean;
  isSecure: boolean;
}

export function writeRequest(writer: FrameWriter, id: number, head: RequestHeadFields): void {
  let text = `${head.method}\n${head.url}\n${head.clientIp}\n${head.hostIp}\n${head.hostPort}`;
  for (const part of head.rawHeaders) text += `\n${part}`;
  const start = writer.begin(ToWorker.Request, id, text.length + 1);
  const isSafe = head.method === 'GET' || head.method === 'HEAD';
  writer.buffer[start] =
    (head.hasBody ? HAS_BODY : 0) |
    (isSafe ? IS_SAFE : 0) |
    (head.hasForm ? HAS_FORM : 0) |
    (head.isSecure ? IS_SECURE : 0);
  writer.end(start + 1 + writer.buffer.write(text, start + 1, 'latin1'));
}
