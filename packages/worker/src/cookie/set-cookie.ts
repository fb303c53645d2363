import { headersToSend } from '../http/fetched-headers.ts';
import { headerPairs } from '../http/reply-head.ts';
import { isPlainReply, isResponse, type PlainBody, type PlainReply, type ServletResult } from '../http/reply.ts';
import { type Cookie, cookieHeader } from './cookie.ts';

/**
 * The same answer, setting cookies besides: each has a header line of its own, after those that are there.
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
  if (typeof page === 'object' && isResponse(page)) {
    const { status, statusText } = page;
    const copy = new Response(page.body, { status, statusText, headers: headersToSend(page) });
    for (const { header } of cookies) copy.headers.append('Set-Cookie', header);
    return copy;
  }
  const lines = cookies.map(cookieHeader);
  if (typeof page === 'object' && isPlainReply(page))
    return { ...page, headers: [...headerPairs(page.headers), ...lines] };
  return { headers: lines, body: page as PlainBody };
}
