import { RequestHead, STATE_FIELD, withoutPayload } from '@custodian/protocol';
import { parseCookies, RequestCookies } from '../cookie/request-cookies.ts';
import { Bindings, FormBinding, parseUrlencoded } from './bindings.ts';
import type { MultipartForm } from './multipart-form.ts';
import { headerOf, headersOf } from './raw-headers.ts';
import { BodyJsonError, type BodySource, ReceivedBody, refuseCoding } from './received-body.ts';
import { servedRequest } from './served-request.ts';

/** What a page keeps of a request. */
export interface SavedRequest {
  isSecure: boolean;
  /** Method, target, client address, then names and values of headers, a line each. */
  head: string;
  form: string | null;
}

/**
 * A request as a servlet sees it. Nothing is parsed before it is asked for.
 * @see Racket `request`
 */
export class ServletRequest {
  readonly #head: RequestHead;
  readonly #source: BodySource | null;
  #body: ReceivedBody | null = null;
  #rawHeaders: string[] | null = null;
  #query: Bindings | null = null;
  #bindings: Bindings | null = null;
  #cookies: RequestCookies | null = null;
  #gone: AbortController | null = null;
  #isGone = false;

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
    const form = this.#bindings === null ? (this.#body?.formBindings(this.#raw()) ?? null) : null;
    if (form !== null)
      this.#bindings = new Bindings(
        this.#received.isMultipart ? [...this.query.all, ...form] : [...form, ...this.query.all],
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
    return this.#received.bytes();
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
    refuseCoding(this.#raw());
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
    return { [Symbol.asyncIterator]: () => this.#received.pieces() };
  }

  /**
   * The same request in WHATWG's form, its body streaming. `base` is the site's origin, for example
   * `https://shop.example`; default: {@link origin}. Its `signal` is {@link signal}; give that to a `Request` that is made of this one.
   * @throws BodyUsedError
   * @throws TypeError for what the Fetch standard forbids: the methods CONNECT, TRACE and TRACK.
   */
  toRequest(base?: string): Request {
    const method = this.#head.method;
    const body = method === 'GET' || method === 'HEAD' ? null : this.#received.forFetch();
    return servedRequest(this, this.#absoluteUrl(base), {
      method,
      headers: this.#received.headersFor(this.headers),
      ...(body === null ? {} : { body, duplex: 'half' }),
    });
  }

  /** The thread's: the body of a request that {@link needsForm}, read in advance. */
  setForm(bytes: Uint8Array): void {
    this.#received.setForm(bytes);
  }

  /** The thread's: the body is a form that can't be read, since it {@link isCoded}. */
  setFormCoded(): void {
    this.#received.setFormCoded();
  }

  /** The thread's: the form that the host has read. */
  setMultipart(form: MultipartForm): void {
    this.#received.setMultipart(form);
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
    const fields = this.#body?.formBindings(rawHeaders)?.filter((binding) => binding instanceof FormBinding);
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

  /** Most requests have no body, and most servlets ask for none. */
  get #received(): ReceivedBody {
    this.#body ??= new ReceivedBody(this.#source);
    return this.#body;
  }

  #raw(): string[] {
    this.#rawHeaders ??= this.#head.rawHeaders;
    return this.#rawHeaders;
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

const HOST = /^[^\s/?#@\\]+$/;
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/** Where the path begins in a request target: not at 0 only in absolute-form. */
function pathStart(target: string): number {
  if (target.startsWith('/')) return 0;
  return ABSOLUTE_FORM.exec(target)?.[0].length ?? 0;
}
