/** A cookie can't be set as it was asked for. */
export class CookieError extends TypeError {
  override readonly name = 'CookieError';
  readonly code = 'SERVLET_COOKIE';
}

/** What a browser is told about a cookie. */
export interface CookieOptions {
  /** Sent to this host and to all below it; without it, to the host that set it alone. */
  domain?: string;
  /** Sent to this path and to all below it; without it, to the directory of the page that set it. */
  path?: string;
  /** How long it is kept, from 1. Without this and `expires`, until the browser is closed. */
  maxAgeSeconds?: number;
  /** Until when it is kept: a date, or its text as in `Wed, 21 Oct 2026 07:28:00 GMT` (RFC 9110 §5.6.7). */
  expires?: Date | string;
  /** Sent over HTTPS only. */
  secure?: boolean;
  /** Hidden from the scripts of a page. */
  httpOnly?: boolean;
  /** Whether it is sent with requests that other sites begin: never, with links only, or always. */
  sameSite?: 'Strict' | 'Lax' | 'None';
  /** Kept apart for each site that shows this one in a frame. */
  partitioned?: boolean;
  /** An attribute that the others don't cover, such as `Priority=High`. */
  extension?: string;
}

/** A cookie to set, made by `createCookie` and its like. */
export class Cookie {
  readonly name: string;
  readonly value: string;
  readonly options: Readonly<CookieOptions>;
  /** The value of its `Set-Cookie` header. */
  readonly header: string;

  /** @throws CookieError */
  constructor(name: string, value: string, options: Readonly<CookieOptions>) {
    this.name = name;
    this.value = value;
    this.options = options;
    this.header = headerOf(name, value, options);
  }
}

/**
 * Makes a cookie. Name and value are checked, not encoded: a value is visible ASCII without blanks, quotes, commas,
 * semicolons and backslashes; `encodeURIComponent` makes one of any text.
 * @throws CookieError for what RFC 6265 §4.1.1 does not allow, and for what a browser would not keep: names that begin
 *   `__Host-` or `__Secure-` without what they promise, `SameSite=None` and `Partitioned` without `Secure`
 * @see Racket `make-cookie`
 *
 * @example
 * ```ts
 * createCookie('theme', 'dark', { path: '/', maxAgeSeconds: 86_400 }).header; // 'theme=dark; Max-Age=86400; Path=/'
 * createCookie('a b', 'x'); // throws CookieError
 * ```
 */
export function createCookie(name: string, value: string, options: Readonly<CookieOptions> = {}): Cookie {
  return new Cookie(name, value, options);
}

/**
 * A cookie as a header: a name and a value, for the `headers` of a response.
 * @see Racket `cookie->header`
 *
 * @example
 * ```ts
 * cookieHeader(createCookie('theme', 'dark')); // ['Set-Cookie', 'theme=dark']
 * ```
 */
export function cookieHeader(cookie: Cookie): [name: 'Set-Cookie', value: string] {
  return ['Set-Cookie', cookie.header];
}

// RFC 9110 §5.6.2, RFC 6265 §4.1.1.
export const COOKIE_NAME: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
export const COOKIE_VALUE: RegExp = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const QUOTED_VALUE = /^"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"$/;
const DOMAIN = /^\.?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const ATTRIBUTE_VALUE = /^[\x20-\x3a\x3c-\x7e]*$/;
const SAME_SITE: ReadonlySet<unknown> = new Set(['Strict', 'Lax', 'None']);
/** Browsers keep no larger ones. */
const PAIR_MAX_BYTES = 4096;
const ATTRIBUTE_MAX_BYTES = 1024;

function headerOf(name: string, value: string, options: Readonly<CookieOptions>): string {
  if (typeof name !== 'string' || !COOKIE_NAME.test(name)) throw refused(name, 'its name is no token');
  if (typeof value !== 'string' || !(COOKIE_VALUE.test(value) || QUOTED_VALUE.test(value)))
    throw refused(name, 'its value has a character that a cookie may not have (encodeURIComponent(text) has none)');
  if (name.length + value.length > PAIR_MAX_BYTES)
    throw refused(name, `name and value have more than ${PAIR_MAX_BYTES} bytes, and browsers drop it`);
  checkPromises(name, options);
  const { secure, httpOnly, sameSite, partitioned, extension } = options;
  let header = `${name}=${value}`;
  if (options.expires !== undefined) header += `; Expires=${dateText(name, options.expires)}`;
  if (options.maxAgeSeconds !== undefined) header += `; Max-Age=${seconds(name, options.maxAgeSeconds)}`;
  if (options.domain !== undefined) header += `; Domain=${domain(name, options.domain)}`;
  if (options.path !== undefined) header += `; Path=${path(name, options.path)}`;
  if (secure === true) header += '; Secure';
  if (httpOnly === true) header += '; HttpOnly';
  if (sameSite !== undefined) {
    if (!SAME_SITE.has(sameSite))
      throw refused(name, `sameSite is ${JSON.stringify(sameSite)}, not Strict, Lax or None`);
    header += `; SameSite=${sameSite}`;
  }
  if (partitioned === true) header += '; Partitioned';
  if (extension !== undefined) header += `; ${attribute(name, 'extension', extension)}`;
  return header;
}

/** What a browser asks of a cookie before it keeps it. @see https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html */
function checkPromises(
  name: string,
  { secure, path: scope, domain: host, sameSite, partitioned }: CookieOptions,
): void {
  if (secure !== true) {
    if (/^__(?:host|secure)-/i.test(name)) throw refused(name, 'a name that begins like this asks for secure');
    if (sameSite === 'None') throw refused(name, 'SameSite=None asks for secure');
    if (partitioned === true) throw refused(name, 'Partitioned asks for secure');
  }
  if (/^__host-/i.test(name) && (scope !== '/' || host !== undefined))
    throw refused(name, 'a name that begins like this asks for the path "/" and no domain');
}

function dateText(name: string, expires: Date | string): string {
  const date = typeof expires === 'string' ? new Date(expires) : expires;
  if (!(date instanceof Date) || Number.isNaN(date.getTime())) throw refused(name, 'expires is no date');
  const text = date.toUTCString();
  if (typeof expires === 'string' && text !== expires)
    throw refused(name, `expires is ${JSON.stringify(expires.slice(0, 60))}, not a date like "${text}"`);
  // The algorithm with which browsers read it begins in 1601 (RFC 6265 §5.1.1).
  if (!/ (?:1[6-9]|[2-9]\d)\d\d \d\d:/.test(text) || date.getUTCFullYear() < 1601)
    throw refused(name, 'expires is not from the years 1601 to 9999');
  return text;
}

function seconds(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw refused(name, `maxAgeSeconds is ${String(value)}, not a whole number from 1 (a date in the past deletes)`);
}

function domain(name: string, value: string): string {
  if (typeof value === 'string' && value.length <= 253 && DOMAIN.test(value)) return value;
  throw refused(name, `its domain is ${JSON.stringify(value)}, no host's name`);
}

function path(name: string, value: string): string {
  if (typeof value === 'string' && value.startsWith('/')) return attribute(name, 'path', value);
  throw refused(name, `its path is ${JSON.stringify(value)}, which does not begin with a slash`);
}

function attribute(name: string, what: string, value: string): string {
  if (typeof value === 'string' && ATTRIBUTE_VALUE.test(value) && value.length <= ATTRIBUTE_MAX_BYTES) return value;
  throw refused(
    name,
    `its ${what} has a semicolon, a control, a character beyond ASCII, or more than ${ATTRIBUTE_MAX_BYTES}`,
  );
}

function refused(name: unknown, state: string): CookieError {
  return new CookieError(`Cannot make the cookie ${JSON.stringify(String(name).slice(0, 60))}: ${state}`);
}
