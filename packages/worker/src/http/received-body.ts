import type { RequestHead } from '@custodian/protocol';
import { type Binding, parseUrlencoded } from './bindings.ts';
import type { MultipartForm } from './multipart-form.ts';
import { codingOf, headerOf } from './raw-headers.ts';

/** Where a request's body comes from. */
export interface BodySource {
  /** The next piece; null at the end. Throws when the client is gone. */
  next(): Promise<Uint8Array | null>;
}

/** The largest urlencoded body that is read before the servlet is called. */
export const FORM_MAX_BYTES: number = 1 << 20;

/** A urlencoded body is longer than {@link FORM_MAX_BYTES}. */
export class FormTooLargeError extends Error {
  override readonly name = 'FormTooLargeError';
  readonly code = 'SERVLET_FORM_TOO_LARGE';
}

/** The request's body was read before, and it comes only once. */
export class BodyUsedError extends TypeError {
  override readonly name = 'BodyUsedError';
  readonly code = 'SERVLET_BODY_USED';
}

/** The request's body is not the JSON that it was asked for as. */
export class BodyJsonError extends Error {
  override readonly name = 'BodyJsonError';
  readonly code = 'SERVLET_BODY_JSON';
}

/** A form, or JSON, was asked for of a body that has a content coding, such as gzip: nothing is decompressed here. */
export class BodyCodingError extends Error {
  override readonly name = 'BodyCodingError';
  readonly code = 'SERVLET_BODY_CODING';
}

const FORM_TYPE = /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i;

/**
 * Must the body be read before the servlet is called? `request.bindings` is a plain property, so its fields must be
 * there by then.
 */
export function needsForm(head: RequestHead): boolean {
  return head.hasBody && head.method !== 'GET' && FORM_TYPE.test(headerOf(head.rawHeaders, 'content-type') ?? '');
}

/** Has the request's body a content coding (RFC 9110 §8.4)? */
export function isCoded(head: RequestHead): boolean {
  return codingOf(head.rawHeaders) !== null;
}

/** Reads the body of a request that {@link needsForm}. @throws FormTooLargeError */
export function readForm(source: BodySource): Promise<Uint8Array> {
  return readWhole(source, FORM_MAX_BYTES);
}

/** What a request has brought after its head. It comes once; what was read as a whole is kept. */
export class ReceivedBody {
  readonly #source: BodySource | null;
  #form: Uint8Array | null = null;
  #multipart: MultipartForm | null = null;
  #isFormCoded = false;
  #whole: Promise<Uint8Array> | null = null;
  #isTaken = false;

  /** `source` is null when the request has no body. */
  constructor(source: BodySource | null) {
    this.#source = source;
  }

  /** The body of a request that {@link needsForm}, read in advance. */
  setForm(bytes: Uint8Array): void {
    this.#form = bytes;
  }

  /** It is a form that can't be read, since it {@link isCoded}. */
  setFormCoded(): void {
    this.#isFormCoded = true;
  }

  /** The form that the host has read. */
  setMultipart(form: MultipartForm): void {
    this.#multipart = form;
  }

  /** The fields and files of a form in it; null when it is none. @throws BodyCodingError */
  formBindings(rawHeaders: readonly string[]): readonly Binding[] | null {
    if (this.#multipart !== null) return this.#multipart.bindings;
    if (this.#form !== null) return parseUrlencoded(asBuffer(this.#form).toString('latin1'));
    if (this.#isFormCoded) refuseCoding(rawHeaders);
    return null;
  }

  /** Do its bindings come behind those of the query? */
  get isMultipart(): boolean {
    return this.#multipart !== null;
  }

  /** All of it. May be asked for again; not after it was read in pieces. @throws BodyUsedError */
  bytes(): Promise<Uint8Array> {
    this.#whole ??= this.#readWhole();
    return this.#whole;
  }

  /** As it arrives. @throws BodyUsedError when it was read before */
  pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    return piecesOf(this.#take());
  }

  /** As a `Request` takes it. @throws BodyUsedError when it was read before */
  forFetch(): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#source === null) return null;
    return this.#form === null ? streamOf(this.#take()) : ownBytes(this.#form);
  }

  /** Headers for it as it is read here: a form that is put together again has a length of its own. */
  headersFor(headers: [string, string][]): [string, string][] {
    return this.#multipart === null ? headers : withLength(headers, this.#multipart.bodyBytes);
  }

  async #readWhole(): Promise<Uint8Array> {
    return this.#form ?? readWhole(this.#take(), Infinity);
  }

  #take(): BodySource {
    if (this.#isTaken) throw new BodyUsedError('Cannot read the body of the request: it was read before');
    this.#isTaken = true;
    if (this.#multipart !== null) return iteratorSource(this.#multipart.body());
    return this.#form !== null ? sourceOf(this.#form) : (this.#source ?? sourceOf(null));
  }
}

/** @throws BodyCodingError for a body that has a content coding */
export function refuseCoding(rawHeaders: readonly string[]): void {
  const coding = codingOf(rawHeaders);
  if (coding !== null)
    throw new BodyCodingError(`Cannot read the body of the request: it is coded with ${JSON.stringify(coding)}`);
}

function withLength(headers: [string, string][], bytes: number): [string, string][] {
  return headers.map(([name, value]) => [name, name.toLowerCase() === 'content-length' ? String(bytes) : value]);
}

/** Reads a body to its end. @throws FormTooLargeError when it is longer than `maxBytes` */
export async function readWhole(source: BodySource, maxBytes: number): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const piece = await source.next();
    if (piece === null) return read.length === 1 ? (read[0] as Uint8Array) : Buffer.concat(read, bytes);
    read.push(piece);
    bytes += piece.length;
    if (bytes > maxBytes) throw new FormTooLargeError(`Cannot read a form: it is longer than ${maxBytes} bytes`);
  }
}

/** A source of bytes that are here already. */
function sourceOf(bytes: Uint8Array | null): BodySource {
  let rest = bytes;
  return {
    async next() {
      const piece = rest;
      rest = null;
      return piece;
    },
  };
}

function iteratorSource(iterator: AsyncIterator<Uint8Array, void>): BodySource {
  return {
    async next() {
      const { done, value } = await iterator.next();
      return done === true ? null : value;
    },
  };
}

async function* piecesOf(source: BodySource): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = await source.next(); piece !== null; piece = await source.next()) yield piece;
}

function streamOf(source: BodySource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(
    {
      async pull(controller) {
        const piece = await source.next();
        if (piece === null) controller.close();
        else controller.enqueue(ownBytes(piece));
      },
    },
    { highWaterMark: 0 },
  );
}

/** The same bytes, typed as the Fetch standard wants them: pieces of a body never lie in shared memory. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
