import { RequestHead, withoutPayload } from '@custodian/protocol';
import { Bindings, parseUrlencoded } from './bindings.ts';

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

const FORM_TYPE = /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i;

/**
 * Must the body be read before the servlet is called? `request.bindings` is a plain property, so its fields must be
 * there by then.
 */
export function needsForm(head: RequestHead): boolean {
  return head.hasBody && head.method !== 'GET' && FORM_TYPE.test(headerOf(head.rawHeaders, 'content-type') ?? '');
}

/** Reads the body of a request that {@link needsForm}. @throws FormTooLargeError */
export function readForm(source: BodySource): Promise<Uint8Array> {
  return readWhole(source, FORM_MAX_BYTES);
}

/** What a page keeps of a request. */
export interface SavedRequest {
  /** Method, target, client address, then names and values of headers, a line each. */
  head: string;
  form: string | null;
}

/** In a stateless page's form the state stands in this field. */
export const STATE_FIELD = 'kont';

/**
 * A request as a servlet sees it. Nothing is parsed before it is asked for.
 * @see Racket `request`
 */
export class ServletRequest {
  readonly #head: RequestHead;
  readonly #source: BodySource | null;
  #rawHeaders: string[] | null = null;
  #query: Bindings | null = null;
  #bindings: Bindings | null = null;
  #form: Uint8Array | null = null;
  #whole: Promise<Uint8Array> | null = null;
  #isTaken = false;

  /** `source` is null when the request has no body. */
  constructor(head: RequestHead, source: BodySource | null) {
    this.#head = head;
    this.#source = source;
  }

  /** As sent, its case kept. */
  get method(): string {
    return this.#head.method;
  }

  /** The request target as sent: usually a path with a query, else an absolute URL or `*` (RFC 9112 §3.2). */
  get url(): string {
    return this.#head.url;
  }

  /** The path of {@link url}: still percent-encoded, without the query. */
  get path(): string {
    const target = this.#head.url;
    const start = pathStart(target);
    const end = target.indexOf('?', start);
    return target.slice(start, end === -1 ? undefined : end) || '/';
  }

  /** The address of the peer, which may be a proxy. */
  get clientIp(): string {
    return this.#head.clientIp;
  }

  /** Every header line in order, repeats and the names' case kept; one character per byte. */
  get headers(): [name: string, value: string][] {
    const raw = this.#raw();
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < raw.length; index += 2)
      headers.push([raw[index] as string, raw[index + 1] as string]);
    return headers;
  }

  /** The first header of that name, in any case. */
  header(name: string): string | undefined {
    return headerOf(this.#raw(), name.toLowerCase());
  }

  /** The fields of the URL's query. */
  get query(): Bindings {
    if (this.#query === null) {
      const target = this.#head.url;
      const start = target.indexOf('?');
      this.#query = new Bindings(start === -1 ? [] : parseUrlencoded(target.slice(start + 1)));
    }
    return this.#query;
  }

  /** All fields: those of a urlencoded body first (any method but GET), then those of the query. */
  get bindings(): Bindings {
    if (this.#form === null) return this.query;
    this.#bindings ??= new Bindings([...parseUrlencoded(asBuffer(this.#form).toString('latin1')), ...this.query]);
    return this.#bindings;
  }

  /** The whole body. May be asked for again; not after {@link body} was read. @throws BodyUsedError */
  bytes(): Promise<Uint8Array> {
    this.#whole ??= this.#readWhole();
    return this.#whole;
  }

  /** The whole body as UTF-8, a byte order mark dropped. @throws BodyUsedError */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** The body piece by piece, as it arrives; only once. @throws BodyUsedError on the second iteration. */
  get body(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => pieces(this.#take()) };
  }

  /**
   * The same request in WHATWG's form, its body streaming. `base` is the site's origin, for example
   * `https://shop.example`; without it the Host header says which, over http.
   * @throws BodyUsedError
   * @throws TypeError for what the Fetch standard forbids: the methods CONNECT, TRACE and TRACK.
   */
  toRequest(base?: string): Request {
    const method = this.#head.method;
    const hasBody = this.#source !== null && method !== 'GET' && method !== 'HEAD';
    return new Request(this.#absoluteUrl(base), {
      method,
      headers: this.headers,
      ...(hasBody ? { body: this.#form === null ? streamOf(this.#take()) : ownBytes(this.#form), duplex: 'half' } : {}),
    });
  }

  /** The thread's: the body of a request that {@link needsForm}, read in advance. */
  setForm(bytes: Uint8Array): void {
    this.#form = bytes;
  }

  /**
   * The library's: the request as a page can keep it. The state that it brought is left out: each page would hold all
   * that went before. So is a body that was not read in advance.
   */
  toSaved(): SavedRequest {
    const { method, url, clientIp, rawHeaders } = this.#head;
    const query = url.indexOf('?');
    const target = withoutPayload(url) + (query < 0 ? '' : url.slice(query));
    const fields = this.#form === null ? null : parseUrlencoded(asBuffer(this.#form).toString('latin1'));
    const form = fields === null ? null : fields.filter(([name]) => name !== STATE_FIELD);
    return {
      head: [method, target, clientIp, ...rawHeaders].join('\n'),
      form: form === null ? null : new URLSearchParams(form).toString(),
    };
  }

  /** The library's. */
  static fromSaved({ head, form }: SavedRequest): ServletRequest {
    const bytes = Buffer.from(`\0${head}`, 'latin1');
    const request = new ServletRequest(new RequestHead(bytes, 0, bytes.length), null);
    if (form !== null) request.setForm(Buffer.from(form, 'latin1'));
    return request;
  }

  #raw(): string[] {
    this.#rawHeaders ??= this.#head.rawHeaders;
    return this.#rawHeaders;
  }

  async #readWhole(): Promise<Uint8Array> {
    return this.#form ?? readWhole(this.#take(), Infinity);
  }

  #take(): BodySource {
    if (this.#isTaken) throw new BodyUsedError('Cannot read the body of the request: it was read before');
    this.#isTaken = true;
    return this.#form !== null ? sourceOf(this.#form) : (this.#source ?? sourceOf(null));
  }

  #absoluteUrl(base: string | undefined): string {
    const target = this.#head.url;
    if (base === undefined && pathStart(target) > 0 && URL.canParse(target)) {
      // Absolute-form goes before Host (RFC 9112 §3.2.2); the Fetch standard allows no credentials.
      const url = new URL(target);
      url.username = '';
      url.password = '';
      return url.href;
    }
    // Put together as text: resolving `//elsewhere/` against a base would leave the site.
    const rest = target.slice(pathStart(target));
    const path = rest.startsWith('/') ? rest : `/${rest}`;
    const host = this.header('host') ?? '';
    const url = `${base?.replace(/\/$/, '') ?? `http://${host}`}${path}`;
    const isUsable = base !== undefined || (HOST.test(host) && URL.canParse(url));
    return isUsable ? url : `http://localhost${path}`;
  }
}

const HOST = /^[^\s/?#@\\]+$/;
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/** Where the path begins in a request target: not at 0 only in absolute-form. */
function pathStart(target: string): number {
  if (target.startsWith('/')) return 0;
  return ABSOLUTE_FORM.exec(target)?.[0].length ?? 0;
}

function headerOf(rawHeaders: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return rawHeaders[index + 1];
  }
  return undefined;
}

async function readWhole(source: BodySource, maxBytes: number): Promise<Uint8Array> {
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

async function* pieces(source: BodySource): AsyncGenerator<Uint8Array, void, undefined> {
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
