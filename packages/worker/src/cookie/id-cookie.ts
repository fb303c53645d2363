import type { ServletRequest } from '../http/request.ts';
import { Cookie, CookieError, type CookieOptions } from './cookie.ts';
import { isSigned, type KeyRing, keysOf, signature } from './key-ring.ts';

/** How an id cookie is made. */
export interface IdCookieOptions extends CookieOptions {
  /** Who has one of these can make such cookies. The first signs. */
  key: KeyRing;
  /** When it was made, in milliseconds since 1970. Default: now. */
  nowMs?: number;
}

/** Which id cookies are good. */
export interface IdCookieCheck {
  key: KeyRing;
  /** Older ones are none. Default: however old. */
  shelfLifeSeconds?: number;
  nowMs?: number;
}

/** What is `undefined` is not said, and hides no default. */
function withDefaults({ path = '/', httpOnly = true, sameSite = 'Lax', ...others }: CookieOptions): CookieOptions {
  return { ...others, path, httpOnly, sameSite };
}

/**
 * Makes a cookie that can't be forged: its data is readable by all, signed with HMAC-SHA-256 together with the cookie's
 * name and the time. Hidden from scripts, sent to the whole site and not with the forms of others, unless the options
 * say otherwise. Behind HTTPS, set `secure`, and let the name begin with `__Host-`.
 * @throws CookieError, RangeError for a key that could be guessed
 * @see Racket `make-id-cookie`
 *
 * @example
 * ```ts
 * const key = 'a secret of thirty-two bytes or more';
 * createIdCookie('id', 'ada', { key, nowMs: 0 }).header;
 * // 'id=0S96lBlKZC-f_f1WKQeAp1PFEqq_0036KWcyNr3wgtY&0&ada; Path=/; HttpOnly; SameSite=Lax'
 * ```
 */
export function createIdCookie(name: string, data: string, options: IdCookieOptions): Cookie {
  const { key, nowMs = Date.now(), ...rest } = options;
  const seconds = Math.floor(nowMs / 1000);
  const encoded = encodedData(name, data);
  const digest = signature(keysOf(key)[0], signedText(name, String(seconds), encoded));
  return new Cookie(name, `${digest}&${seconds}&${encoded}`, withDefaults(rest));
}

/**
 * The data of the first good id cookie of that name that came with a request; null: there is none.
 * @see Racket `request-id-cookie`
 *
 * @example
 * ```ts
 * const key = 'a secret of thirty-two bytes or more';
 * function visitor(request: ServletRequest) {
 *   return requestIdCookie(request, 'id', { key, shelfLifeSeconds: 3600 }) ?? 'a stranger';
 * }
 * ```
 */
export function requestIdCookie(request: ServletRequest, name: string, check: IdCookieCheck): string | null {
  for (const value of request.cookies.getAll(name)) {
    const data = validIdCookie({ name, value }, check);
    if (data !== null) return data;
  }
  return null;
}

const ID_VALUE = /^([\w-]{43})&(\d{1,15})&(.*)$/;

/**
 * The data of an id cookie; null: it is not good.
 * @throws RangeError for a shelf life that is no number from 0, which would not end
 * @see Racket `valid-id-cookie?`
 *
 * @example
 * ```ts
 * const key = 'a secret of thirty-two bytes or more';
 * const cookie = createIdCookie('id', 'ada', { key, nowMs: 0 });
 * validIdCookie(cookie, { key }); // 'ada'
 * validIdCookie(cookie, { key: ['a newer secret of many bytes', key] }); // 'ada'
 * validIdCookie(cookie, { key: 'the secret of somebody else' }); // null
 * validIdCookie(cookie, { key, shelfLifeSeconds: 60, nowMs: 61_000 }); // null
 * ```
 */
export function validIdCookie(
  cookie: { readonly name: string; readonly value: string },
  check: IdCookieCheck,
): string | null {
  const keys = keysOf(check.key);
  const { shelfLifeSeconds = Infinity, nowMs = Date.now() } = check;
  if (typeof shelfLifeSeconds !== 'number' || !(shelfLifeSeconds >= 0))
    throw new RangeError(
      `Cannot check an id cookie: shelfLifeSeconds is ${String(shelfLifeSeconds)}, not a number from 0`,
    );
  const [, digest, seconds, encoded] = ID_VALUE.exec(cookie.value) ?? [];
  if (digest === undefined || seconds === undefined || encoded === undefined) return null;
  if (!isSigned(keys, signedText(cookie.name, seconds, encoded), digest)) return null;
  if (nowMs / 1000 - Number(seconds) > shelfLifeSeconds) return null;
  return decodeURIComponent(encoded);
}

/**
 * A cookie that takes the place of an id cookie and expires at once: the browser forgets it. Give it the path and the
 * domain with which the cookie was made. Who has kept a copy of the cookie still has it: only its shelf life, or what
 * the server remembers, ends that.
 * @see Racket `logout-id-cookie`
 *
 * @example
 * ```ts
 * logoutIdCookie('id').header;
 * // 'id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; SameSite=Lax'
 * ```
 */
export function logoutIdCookie(name: string, options: Omit<CookieOptions, 'expires' | 'maxAgeSeconds'> = {}): Cookie {
  return new Cookie(name, '', { ...withDefaults(options), expires: new Date(0) });
}

/** No part can be read as belonging to the next: none has a line break. */
function signedText(name: string, seconds: string, encoded: string): string {
  return `custodian id cookie\n${name}\n${seconds}\n${encoded}`;
}

function encodedData(name: string, data: string): string {
  try {
    return encodeURIComponent(data);
  } catch {
    throw new CookieError(`Cannot make the cookie ${JSON.stringify(name)}: its data is no text that can be encoded`);
  }
}
