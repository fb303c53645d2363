import type { Limits } from '../limits.ts';
import type { ErrorPage } from './error-page.ts';
import type { Exchange } from './exchange.ts';
import { MULTIPART } from './receive-body.ts';

/** Of a version whose messages this server can't read (RFC 9110 §15.6.6). */
export const VERSION_PAGE: ErrorPage = {
  status: 505,
  title: 'Version not supported',
  text: 'This server speaks HTTP/1.1 and HTTP/1.0.',
  code: 'REQUEST_VERSION',
};

/**
 * Reads from the headers how the request is framed, and holds its head to the limits. Node's parser has refused what
 * is malformed or ambiguous (RFC 9112 §6.3) before.
 * @returns the page to refuse the request with, or `null`
 */
export function requestProblem(exchange: Exchange, limits: Limits): ErrorPage | null {
  const { rawHeaders } = exchange;
  if (exchange.url.length > limits.requestLineMaxBytes) {
    return limitPage(
      414,
      'Address too long',
      'The address of this request is longer than this server takes.',
      'LIMIT_REQUEST_LINE',
      'requestLineMaxBytes',
      limits,
    );
  }
  if (rawHeaders.length > limits.headersMaxCount * 2) {
    return limitPage(
      431,
      'Too many headers',
      'This request has more header lines than this server takes.',
      'LIMIT_HEADERS_COUNT',
      'headersMaxCount',
      limits,
    );
  }
  let hostCount = 0;
  let isForm = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const value = rawHeaders[at + 1] as string;
    if (name.length + value.length > limits.headerMaxBytes) {
      return limitPage(
        431,
        'Header too long',
        `The header "${name.slice(0, 40)}" is longer than this server takes.`,
        'LIMIT_HEADER',
        'headerMaxBytes',
        limits,
      );
    }
    // Only the names that matter here, told apart by their lengths first.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') {
          hostCount++;
          if (value !== lastHost && !HOST.test(value)) return hostPage('the name in it is none');
          lastHost = value;
        }
        break;
      case 6:
        if (name.toLowerCase() === 'expect') {
          if (value.toLowerCase() !== '100-continue') {
            return {
              status: 417,
              title: 'Expectation failed',
              text: `This server can not meet "${value.slice(0, 40)}".`,
              code: 'REQUEST_EXPECTATION',
            };
          }
          exchange.expectsContinue = exchange.httpVersionMinor >= 1;
        }
        break;
      case 12:
        if (name.toLowerCase() === 'content-type') isForm = MULTIPART.test(value);
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') {
          exchange.bodyBytes = Number(value);
          exchange.hasBody = exchange.bodyBytes > 0;
        }
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') {
          if (value.toLowerCase() !== 'chunked') {
            return {
              status: 501,
              title: 'Not implemented',
              text: 'This server takes no transfer coding but "chunked".',
              code: 'REQUEST_TRANSFER_ENCODING',
            };
          }
          exchange.hasBody = true;
          // A proxy of that age may have passed it on without knowing what it frames (RFC 9112 §6.1).
          if (exchange.httpVersionMinor === 0) exchange.keepAlive = false;
        }
        break;
    }
  }
  // Two may be read differently by a proxy and by us (RFC 9112 §3.2).
  if (hostCount > 1) return hostPage('it has more than one');
  // A form has its closing line at least: what comes next on the connection may be the form, and no request.
  if (
    isForm &&
    !exchange.hasBody &&
    exchange.bodyBytes < 0 &&
    exchange.method !== 'GET' &&
    exchange.method !== 'HEAD'
  ) {
    return {
      status: 411,
      title: 'Length required',
      text: 'This request says that it brings a form, and not how long it is.',
      code: 'REQUEST_LENGTH',
    };
  }
  if (exchange.method === 'CONNECT') {
    return { status: 501, title: 'Not implemented', text: 'This server is no proxy.', code: 'REQUEST_METHOD' };
  }
  if (exchange.httpVersionMajor !== 1) {
    return VERSION_PAGE;
  }
  return null;
}

/** RFC 3986 §3.2.2 and §3.2.3; a host may be empty (RFC 9110 §7.2). */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.v]+\])(?::\d*)?$/i;
/** Clients ask for few hosts, and a good one is not looked at twice in a row. */
let lastHost = '';

function hostPage(state: string): ErrorPage {
  return {
    status: 400,
    title: 'Bad request',
    text: `The Host header of this request can not be relied on: ${state}.`,
    code: 'REQUEST_HOST',
  };
}

function limitPage(
  status: number,
  title: string,
  text: string,
  code: string,
  name: keyof Limits,
  limits: Limits,
): ErrorPage {
  return { status, title, text, code, detail: `limit ${name}: ${limits[name]}` };
}
