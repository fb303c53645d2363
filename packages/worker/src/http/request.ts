import { RequestHead, withoutPayload } from '@custodian/protocol';
import { type Binding, Bindings, FormBinding, parseUrlencoded } from './bindings.ts';
import { parseCookies, RequestCookies } from '../cookie/request-cookies.ts';
import type { MultipartForm } from './multipart-form.ts';
import { servedRequest } from './served-request.ts';

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

function codingOf(rawHeaders: readonly string[]): string | null {
  const coding = headerOf(rawHeaders, 'content-encoding')?.trim().toLowerCase() ?? '';
  return coding === '' || coding === 'identity' ? null : coding;
}

/** Reads the body of a request that {@link needsForm}. @throws FormTooLargeError */
export function readForm(source: BodySource): Promise<Uint8Array> {
  return readWhole(source, FORM_MAX_BYTES);
}

/** What a page keeps of a request. */
export interface SavedRequest {
  isSecure: boolean;
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
  #cookies: RequestCookies | null = null;
  #form: Uint8Array | null = null;
  #multipart: MultipartForm | null = null;
  #isFormCoded = false;
  #gone: AbortController | null = null;
  #isGone = false;
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

  /** The address of the peer, which may be a proxy. @see Racket `request-client-ip` */
  get clientIp(): string {
    return this.#head.clientIp;
  }

  /** The address of this host that the client has connected to. @see Racket `request-host-ip` */
  get hostIp(): string {
    return this.#head.hostIp;
  }

  /** The port of this host that the client has connected to. @see Racket `request-host-port` */
  get hostPort(): number {
    return this.#head.hostPort;
  }

  /** The client has connected to this host by TLS. What a proxy has before it is not looked at. */
  get isSecure(): boolean {
    return this.#head.isSecure;
  }

  /**
   * The site that was asked, `https://shop.example`: that of an absolute {@link url}, else by {@link isSecure} and the Host
   * header, which any client can write. Without a usable one it is `localhost`.
   */
  get origin(): string {
    const target = this.#head.url;
    if (pathStart(target) > 0 && URL.canParse(target)) {
      const { protocol, host } = new URL(target);
      return `${protocol}//${host}`;
    }
    const scheme = this.#head.isSecure ? 'https' : 'http';
    const host = this.header('host') ?? '';
    return HOST.test(host) && URL.canParse(`${scheme}://${host}`) ? `${scheme}://${host}` : `${scheme}://localhost`;
  }

  /**
   * Aborted when the client goes away before it has its answer, and when a shared thread's request has run out of time. A client that has
   * closed its side only counts as gone, since TCP tells no difference; if it still reads, it gets the answer.
   * @example await fetch(url, { signal: request.signal })
   */
  get signal(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#isGone) this.#gone.abort();
    return this.#gone.signal;
  }

  /** Every header line in order, repeats and the names' case kept; one character per byte. */
  get headers(): [name: string, value: string][] {
    const raw = this.#raw();
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < raw.length; index += 2)
      headers.push([raw[index] as string, raw[index + 1] as string]);
    return headers;
  }

  /** The first header of that name, in any case. @see Racket `headers-assq*` */
  header(name: string): string | undefined {
    return headerOf(this.#raw(), name.toLowerCase());
  }

  /** Every header of that name, in any case, in order. */
  headerAll(name: string): string[] {
    const lowerName = name.toLowerCase();
    return this.headers.flatMap(([found, value]) => (found.toLowerCase() === lowerName ? [value] : []));
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

  /**
   * All fields. Of a urlencoded body they come first, then those of the query; of a multipart body those of the query
   * come first, then its fields and files. A GET's body is not looked at.
   * @throws BodyCodingError for a form that is compressed, for which the client gets 415
   * @see Racket `request-bindings/raw`
   */
  get bindings(): Bindings {
    const form = this.#bindings === null ? this.#formBindings() : null;
    if (form !== null)
      this.#bindings = new Bindings(
        this.#multipart === null ? [...form, ...this.query.all] : [...this.query.all, ...form],
      );
    return this.#bindings ?? this.query;
  }

  /** The cookies that came, of all `Cookie` headers in order. */
  get cookies(): RequestCookies {
    this.#cookies ??= new RequestCookies(parseCookies(headersOf(this.#raw(), 'cookie')));
    return this.#cookies;
  }

  /**
   * The whole body. May be asked for again; not after {@link body} was read.
   * @throws BodyUsedError
   * @see Racket `request-post-data/raw`
   */
  bytes(): Promise<Uint8Array> {
    this.#whole ??= this.#readWhole();
    return this.#whole;
  }

  /** The whole body as UTF-8, a byte order mark dropped. @throws BodyUsedError */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /**
   * The value that the whole body is the JSON of, whatever its media type is.
   * @throws BodyJsonError, for which the client gets 400
   * @throws BodyCodingError for one that is compressed, for which the client gets 415
   * @throws BodyUsedError
   */
  async json(): Promise<unknown> {
    this.#refuseCoding();
    const text = await this.text();
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new BodyJsonError('Cannot read the body of the request: it is not JSON', { cause });
    }
  }

  /**
   * The body piece by piece, as it arrives; only once. A multipart form, which the host has read before, is put together
   * again from its parts: `export const requestBody = 'raw'` in the servlet's module has it as it arrives instead.
   * @throws BodyUsedError on the second iteration
   */
  get body(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => pieces(this.#take()) };
  }

  /**
   * The same request in WHATWG's form, its body streaming. `base` is the site's origin, for example
   * `https://shop.example`; default: {@link origin}. Its `signal` is {@link signal}; give that to a `Request` that is made of this one.
   * @throws BodyUsedError
   * @throws TypeError for what the Fetch standard forbids: the methods CONNECT, TRACE and TRACK.
   */
  toRequest(base?: string): Request {
    const method = this.#head.method;
    const hasBody = this.#source !== null && method !== 'GET' && method !== 'HEAD';
    return servedRequest(this, this.#absoluteUrl(base), {
      method,
      headers: this.#multipart === null ? this.headers : withLength(this.headers, this.#multipart.bodyBytes),
      ...(hasBody ? { body: this.#form === null ? streamOf(this.#take()) : ownBytes(this.#form), duplex: 'half' } : {}),
    });
  }

  /** The thread's: the body of a request that {@link needsForm}, read in advance. */
  setForm(bytes: Uint8Array): void {
    this.#form = bytes;
  }

  /** The thread's: the body is a form that can't be read, since it {@link isCoded}. */
  setFormCoded(): void {
    this.#isFormCoded = true;
  }

  /** The thread's: the form that the host has read. */
  setMultipart(form: MultipartForm): void {
    this.#multipart = form;
  }

  /** The thread's: the client has gone away. */
  setGone(): void {
    this.#isGone = true;
    this.#gone?.abort();
  }

  /**
   * The library's: the request as a page can keep it. The state that it brought is left out: each page would hold all
   * that went before. So are files, and a body that was not read in advance.
   */
  toSaved(): SavedRequest {
    const { method, url, clientIp, hostIp, hostPort, rawHeaders, isSecure } = this.#head;
    const query = url.indexOf('?');
    const target = withoutPayload(url) + (query < 0 ? '' : url.slice(query));
    const fields = this.#formBindings()?.filter((binding) => binding instanceof FormBinding);
    const kept = fields?.filter((field) => field.name !== STATE_FIELD).map(({ name, value }) => [name, value]);
    return {
      isSecure,
      head: [method, target, clientIp, hostIp, String(hostPort), ...rawHeaders].join('\n'),
      form: kept === undefined ? null : new URLSearchParams(kept as [string, string][]).toString(),
    };
  }

  /** The library's. */
  static fromSaved({ head, form, isSecure }: SavedRequest): ServletRequest {
    const request = new ServletRequest(RequestHead.of(head, isSecure), null);
    if (form !== null) request.setForm(Buffer.from(form, 'latin1'));
    return request;
  }

  /** The body's alone; null when it is no form. */
  #formBindings(): readonly Binding[] | null {
    if (this.#multipart !== null) return this.#multipart.bindings;
    if (this.#form !== null) return parseUrlencoded(asBuffer(this.#form).toString('latin1'));
    if (this.#isFormCoded) this.#refuseCoding();
    return null;
  }

  #refuseCoding(): void {
    const coding = codingOf(this.#raw());
    if (coding !== null)
      throw new BodyCodingError(`Cannot read the body of the request: it is coded with ${JSON.stringify(coding)}`);
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
    if (this.#multipart !== null) return iteratorSource(this.#multipart.body());
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
    return `${base?.replace(/\/$/, '') ?? this.origin}${path}`;
  }
}

function withLength(headers: [string, string][], bytes: number): [string, string][] {
  return headers.map(([name, value]) => [name, name.toLowerCase() === 'content-length' ? String(bytes) : value]);
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

function* headersOf(rawHeaders: readonly string[], lowerName: string): Generator<string> {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) yield rawHeaders[index + 1] as string;
  }
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
