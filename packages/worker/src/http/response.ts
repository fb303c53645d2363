import {
  checkedReason,
  describeStatus,
  type HeaderValues,
  headerLines,
  isStatus,
  redirectionHeaders,
  ResponseTypeError,
} from './reply-head.ts';
import { describeBody, type PlainReply } from './reply.ts';

/**
 * A response, checked where it is made: whoever gives a wrong status, header or body hears of it here.
 * @throws ResponseTypeError, HeaderError
 * @see Racket `response`, `response/full` (a string or bytes), `response/output` (a function), `response/xexpr` (an array)
 *
 * @example
 * ```ts
 * response({ status: 201, headers: { Location: '/posts/7' }, body: html`<p>Kept.</p>` }).status; // 201
 * response({ status: 99 }); // throws ResponseTypeError
 * const slow = response({ headers: { 'Content-Type': 'text/plain' }, body: (writer) => writer.write('slowly') });
 * ```
 */
export function response(options: PlainReply = {}): PlainReply {
  const { status = 200, statusText, headers, body = null } = options;
  if (!isStatus(status))
    throw new ResponseTypeError(`Cannot make a response: its status is ${describeStatus(status)}, not from 200 to 999`);
  if (statusText !== undefined) checkedReason(statusText);
  headerLines(headers);
  const wrong = describeBody(body);
  if (wrong !== null) throw new ResponseTypeError(`Cannot make a response: its body is ${wrong}`);
  return { ...options, status, body };
}

/**
 * A response without a body: 204, unless another status is given.
 * @throws ResponseTypeError, HeaderError
 * @see Racket `response/empty`
 *
 * @example
 * ```ts
 * empty().status; // 204
 * empty({ status: 205 }).status; // 205
 * ```
 */
export function empty(options: { status?: number; headers?: HeaderValues } = {}): PlainReply {
  return response({ status: 204, ...options });
}

/** What a redirection says of the new address, as Racket calls it, and as HTTP does. */
const REDIRECTIONS = {
  /** For good; a browser repeats a POST as a GET. */
  permanently: 301,
  /** For now; a browser repeats a POST as a GET. */
  temporarily: 302,
  /** The answer is there, to be had by GET. */
  'see-other': 303,
  /** For now, and with the same method and body. */
  'same-method': 307,
} as const;

export type Redirection = keyof typeof REDIRECTIONS | 301 | 302 | 303 | 307 | 308;

/** A header has one character per byte, and browsers read it as UTF-8 (RFC 3986 has neither). */
const NOT_ASCII = /[^\0-\x7f]+/g;

const STATUSES: ReadonlySet<unknown> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends the client to another address, which goes out as it is given, but that what is no ASCII is percent-encoded. Never one
 * that a visitor has chosen: it may lead to any site.
 * @param status `'permanently'` 301, `'temporarily'` 302 (default), `'see-other'` 303, `'same-method'` 307, or the number; 308 also
 * @param options `headers` go out as well, but for a `Location`
 * @throws TypeError for an empty address or an unknown status; HeaderError for what can't stand in a header
 * @see Racket `redirect-to`
 *
 * @example
 * ```ts
 * redirectTo('/orders/7', 'see-other').status; // 303
 * redirectTo('/städte').headers; // [['Location', '/st%C3%A4dte']]
 * redirectTo(''); // throws TypeError
 * ```
 */
export function redirectTo(
  url: string | URL,
  status: Redirection = 'temporarily',
  options: { headers?: HeaderValues } = {},
): PlainReply {
  const location = String(url);
  if ((typeof url !== 'string' && !(url instanceof URL)) || location === '')
    throw new TypeError('Cannot redirect: the address is empty, or no string and no URL');
  const code = typeof status === 'string' && Object.hasOwn(REDIRECTIONS, status) ? REDIRECTIONS[status] : status;
  if (typeof code === 'string' || !STATUSES.has(code))
    throw new TypeError(`Cannot redirect: ${JSON.stringify(status)} is no redirection's status`);
  const sent = location.replace(NOT_ASCII, (text) => encodeURIComponent(text.toWellFormed()));
  return response({ status: code, headers: redirectionHeaders(sent, options.headers) });
}
