import { headersToSend } from '../http/fetched-headers.ts';
import { headerPairs, ResponseTypeError } from '../http/reply-head.ts';
import {
  describeBody,
  isPlainReply,
  isResponse,
  type PlainBody,
  type PlainReply,
  type ServletResult,
} from '../http/reply.ts';
import { type Cookie, CookieError, cookieHeader } from './cookie.ts';

/**
 * The same answer, setting cookies besides: each has a header line of its own, after those that are there.
 * @throws ResponseTypeError for what is no answer, CookieError for what `createCookie` and its like have not made
 * @see Racket `#:cookies` of `response/xexpr`
 *
 * @example
 * ```ts
 * setCookie('Hello', createCookie('theme', 'dark'));
 * // { headers: [['Set-Cookie', 'theme=dark']], body: 'Hello' }
 * ```
 */
export function setCookie(page: Response, ...cookies: Cookie[]): Response;
export function setCookie(page: ServletResult, ...cookies: Cookie[]): PlainReply;
export function setCookie(page: ServletResult, ...cookies: Cookie[]): PlainReply | Response {
  if (page === null || page === undefined || typeof page === 'function')
    throw new ResponseTypeError(`Cannot set a cookie: there is no answer to set it with, but ${typeOf(page)}`);
  for (const cookie of cookies)
    // By its header: two copies of the library may be loaded.
    if (typeof (cookie as Partial<Cookie> | null)?.header !== 'string')
      throw new CookieError(`Cannot set a cookie: ${typeOf(cookie)} is none (createCookie(name, value) makes one)`);
  if (typeof page === 'object' && isResponse(page)) {
    const { status, statusText } = page;
    const copy = new Response(page.body, { status, statusText, headers: headersToSend(page) });
    for (const { header } of cookies) copy.headers.append('Set-Cookie', header);
    return copy;
  }
  const lines = cookies.map(cookieHeader);
  if (typeof page === 'object' && isPlainReply(page))
    return { ...page, headers: [...headerPairs(page.headers), ...lines] };
  const wrong = describeBody(page);
  if (wrong !== null) throw new ResponseTypeError(`Cannot set a cookie: what it is to go with is ${wrong}`);
  return { headers: lines, body: page as PlainBody };
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : `a value of type ${typeof value}`;
}
