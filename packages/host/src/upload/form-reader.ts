import { Dicer } from '@fastify/busboy';
import { type ReadPart, STATE_FIELD, STATE_FIELD_MAX_CHARS } from '@custodian/protocol';
import type { ErrorPage } from '../http/error-page.ts';
import type { LimitName, Limits } from '../limits.ts';
import { parseParameterized, partNames } from './parameters.ts';
import { type Spool, SpoolFullError } from './spool.ts';

/** A part that was read. Its content, if it is a file, is the spool's from `start` on. */
export interface StoredPart extends ReadPart {
  start: number;
}

/** Who feeds a reader. */
export interface FormFollower {
  /** All of the form is here. */
  onRead(): void;
  /** It can't be read; nothing of it is kept. `error`: the system's, when it is not the client's fault. */
  onFailed(problem: ErrorPage, error?: unknown): void;
  /** Too much is held in memory by all requests together. */
  onMemorySpent(): void;
  /** It takes more again. */
  onDrain(): void;
}

/** A part as it comes out of the splitter: its head is known before its first piece comes. */
interface ArrivingPart {
  readonly stream: Dicer.PartStream;
  /** null: it did not come to its end. */
  head: Record<string, string[]> | null;
}

/** More header lines than this are of no form. */
const PART_HEADERS_MAX_COUNT = 64;
/** What a head may overshoot its limit by before it is seen to; nothing is cut off unseen. */
const HEAD_SLACK_BYTES = 128 * 1024;

/**
 * Reads a multipart/form-data body as it arrives: fields into memory, files into a spool, everything held to the
 * limits. It takes no more than it can put away.
 * @see RFC 7578, RFC 2046 §5.1
 */
export class FormReader {
  readonly parts: StoredPart[] = [];
  readonly #limits: Limits;
  readonly #spool: Spool;
  readonly #follower: FormFollower;
  readonly #splitter: Dicer;
  readonly #arriving: ArrivingPart[] = [];
  #current: ArrivingPart | null = null;
  /** The part whose head is not complete. */
  #openHead: ArrivingPart | null = null;
  #openHeadBytes = 0;
  #partCount = 0;
  #fileCount = 0;
  /** Before the first part and behind the last. */
  #aroundBytes = 0;
  #isWaiting = false;
  #isEnded = false;
  /** The closing delimiter has come, and every part has been read. */
  #isFinished = false;
  #isOver = false;

  constructor(boundary: string, limits: Limits, spool: Spool, follower: FormFollower) {
    this.#limits = limits;
    this.#spool = spool;
    this.#follower = follower;
    // With the lowest mark, it says for every piece when it has taken it.
    const config = {
      boundary,
      highWaterMark: 1,
      maxHeaderPairs: PART_HEADERS_MAX_COUNT,
      maxHeaderSize: limits.formPartHeadMaxBytes + HEAD_SLACK_BYTES,
    };
    this.#splitter = new Dicer(config);
    this.#splitter.on('part', (stream) => this.#onPart(stream));
    this.#splitter.on('drain', () => this.#onDrain());
    this.#splitter.on('finish', () => {
      this.#isFinished = true;
      // What came with the end is not said to be taken.
      this.#onDrain();
      this.#settle();
    });
    this.#splitter.on('error', () => this.#fail(malformed('it ends before its last part does')));
  }

  /** The next piece of the body. `false`: no more before {@link FormFollower.onDrain}. */
  push(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    const openHead = this.#openHead;
    const isAround = this.#isFinished || this.#partCount === 0;
    if (!this.#isFinished) {
      const isBehind = this.#splitter.writableLength > 0;
      this.#splitter.write(chunk);
      this.#isWaiting = this.#splitter.writableLength > 0;
      if (!isBehind && openHead !== null && openHead === this.#openHead) this.#openHeadBytes += chunk.length;
    }
    if (isAround && (this.#isFinished || this.#partCount === 0)) this.#aroundBytes += chunk.length;
    if (this.#aroundBytes > this.#limits.formPartHeadMaxBytes)
      this.#fail(malformed('too much stands around its parts'));
    if (this.#openHeadBytes > this.#limits.formPartHeadMaxBytes) this.#failHead();
    return this.#isOver || !this.#isWaiting;
  }

  /** The body is complete. */
  end(): void {
    this.#isEnded = true;
    if (this.#isOver) return;
    if (!this.#isFinished) this.#splitter.end();
    this.#settle();
  }

  /** Nobody wants it any more. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const part of this.#arriving.splice(0)) part.stream.destroy();
    this.#current?.stream.destroy();
    this.#splitter.destroy();
  }

  #onPart(stream: Dicer.PartStream): void {
    // Of a part that is cut short, the whole form is told.
    stream.on('error', () => {});
    const part: ArrivingPart = { stream, head: null };
    if (this.#isOver) {
      stream.destroy();
      return;
    }
    if (++this.#partCount > this.#limits.formPartsMaxCount)
      return this.#failLimit('Too many parts', 'formPartsMaxCount', 'LIMIT_FORM_PARTS');
    this.#openHead = part;
    this.#openHeadBytes = 0;
    stream.once('header', (head: object) => {
      if (this.#openHead === part) this.#openHead = null;
      part.head = head as Record<string, string[]>;
    });
    this.#arriving.push(part);
    if (this.#current === null) void this.#readParts();
  }

  /** One after the other, so that a file's content lies in one piece. */
  async #readParts(): Promise<void> {
    try {
      for (let part = this.#arriving.shift(); part !== undefined && !this.#isOver; part = this.#arriving.shift()) {
        this.#current = part;
        await this.#readPart(part);
      }
    } catch (error) {
      // A part that is cut short; the splitter says so, too.
      if (!this.#isOver && !isCutShort(error)) this.#fail(unstorable(error), error);
    }
    this.#current = null;
    this.#settle();
  }

  async #readPart(arriving: ArrivingPart): Promise<void> {
    let part: StoredPart | null = null;
    const pieces: Uint8Array[] = [];
    for await (const piece of arriving.stream as AsyncIterable<Uint8Array>) {
      part ??= this.#begin(arriving);
      if (part === null) return;
      part.bytes += piece.length;
      const isFile = part.filename !== null;
      if (part.bytes > this.#maxBytesOf(part)) {
        if (isFile) this.#failLimit('File too large', 'formFileMaxBytes', 'LIMIT_FORM_FILE');
        else this.#failLimit('Field too long', 'formFieldMaxBytes', 'LIMIT_FORM_FIELD');
        return;
      }
      if (isFile) await this.#spool.append(piece);
      else {
        pieces.push(piece);
        if (!this.#spool.hold(piece.length)) {
          this.abort();
          return this.#follower.onMemorySpent();
        }
      }
      if (this.#isOver) return;
    }
    part ??= this.#begin(arriving);
    if (part === null) return;
    if (part.filename === null) part.value = Buffer.concat(pieces);
    this.parts.push(part);
  }

  #maxBytesOf({ name, filename }: StoredPart): number {
    const { formFileMaxBytes, formFieldMaxBytes } = this.#limits;
    if (filename !== null) return formFileMaxBytes;
    // A page has one.
    const isState = name === STATE_FIELD && this.parts.every((part) => part.name !== STATE_FIELD);
    return isState ? Math.max(formFieldMaxBytes, STATE_FIELD_MAX_CHARS) : formFieldMaxBytes;
  }

  /** @returns null when the form has failed */
  #begin({ head }: ArrivingPart): StoredPart | null {
    const names = head === null ? null : partNames(head['content-disposition']?.[0] ?? '');
    if (head === null || names === null) {
      this.#fail(malformed('one of its parts has no name'));
      return null;
    }
    const headers = Object.entries(head).flatMap(([name, values]) =>
      values.map((value): [string, string] => [name, value]),
    );
    // As it was sent: each with a colon, a blank and a line end.
    const headBytes = headers.reduce((bytes, [name, value]) => bytes + name.length + value.length + 4, 0);
    if (headBytes > this.#limits.formPartHeadMaxBytes) {
      this.#failHead();
      return null;
    }
    const isFile = names.filename !== null;
    if (isFile) this.#fileCount++;
    if (isFile && this.#fileCount > this.#limits.formFilesMaxCount) {
      this.#failLimit('Too many files', 'formFilesMaxCount', 'LIMIT_FORM_FILES');
      return null;
    }
    if (!isFile && this.parts.length - this.#fileCount >= this.#limits.formFieldsMaxCount) {
      this.#failLimit('Too many fields', 'formFieldsMaxCount', 'LIMIT_FORM_FIELDS');
      return null;
    }
    const type = parseParameterized(head['content-type']?.[0] ?? 'text/plain');
    return {
      ...names,
      headers,
      type: type?.value ?? 'application/octet-stream',
      charset: knownCharset(type?.parameters.get('charset')),
      bytes: 0,
      value: null,
      start: this.#spool.bytes,
    };
  }

  #onDrain(): void {
    if (!this.#isWaiting || this.#isOver) return;
    this.#isWaiting = false;
    this.#follower.onDrain();
  }

  #settle(): void {
    if (this.#isOver || !this.#isEnded || !this.#isFinished || this.#current !== null) return;
    this.#isOver = true;
    this.#follower.onRead();
  }

  #failHead(): void {
    this.#failLimit('Part header too long', 'formPartHeadMaxBytes', 'LIMIT_FORM_PART_HEAD');
  }

  #failLimit(title: string, limit: LimitName, code: string): void {
    const text = 'The form of this request is larger than this address takes.';
    this.#fail({ status: 413, title, text, code, detail: `limit ${limit}: ${this.#limits[limit]}` });
  }

  #fail(problem: ErrorPage, error?: unknown): void {
    if (this.#isOver) return;
    this.abort();
    this.#follower.onFailed(problem, error);
  }
}

/** A form that is not what it says that it is. */
export function malformed(state: string): ErrorPage {
  return {
    status: 400,
    title: 'Bad form',
    text: `The form of this request can not be read: ${state}.`,
    code: 'REQUEST_FORM',
  };
}

/** It has nowhere to go. */
function unstorable(error: unknown): ErrorPage {
  return {
    status: 503,
    title: 'Not available at the moment',
    text: 'This server has no room for the files of this request.',
    code: error instanceof SpoolFullError ? 'LIMIT_SPOOL' : 'CUSTODIAN_SPOOL',
    retryAfterSeconds: 10,
  };
}

function isCutShort(error: unknown): boolean {
  return error instanceof Error && /terminated early/.test(error.message);
}

function knownCharset(name: string | undefined): string {
  if (name === undefined) return 'utf-8';
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return 'utf-8';
  }
}
