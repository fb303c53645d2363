import { ServiceError } from '../service/service.ts';

export type RedirectMode = 'follow' | 'error' | 'manual';

/** What a thread wants to have fetched, checked. */
export interface FetchOrder {
  url: URL;
  method: string;
  /** As undici takes them: names and values in turn. */
  headers: string[];
  redirect: RedirectMode;
  /** Of its body; null: not known in advance, or none. */
  bodyBytes: number | null;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a header's value may have in it: no line ends, and no NUL. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const METHODS_DENIED = new Set(['CONNECT', 'TRACE', 'TRACK']);
/** They belong to the connection, which is the host's. */
const HOP_BY_HOP = new Set(
  'connection content-length expect host http2-settings keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade'.split(
    ' ',
  ),
);
/** They are for one origin. */
const CREDENTIALS = new Set(['authorization', 'cookie', 'cookie2', 'host', 'proxy-authorization']);
const CONTENT = /^content-/;

/** @throws ServiceError `FETCH_INVALID` */
export function readFetchOrder(json: Record<string, unknown>): FetchOrder {
  const { url, method, headers, redirect, bodyBytes } = json;
  if (typeof url !== 'string' || !URL.canParse(url)) throw invalid('its address is none');
  if (typeof method !== 'string' || !TOKEN.test(method) || METHODS_DENIED.has(method.toUpperCase()))
    throw invalid('its method is none that may be sent');
  if (redirect !== 'follow' && redirect !== 'error' && redirect !== 'manual')
    throw invalid('its redirect mode is none');
  if (bodyBytes !== null && !Number.isSafeInteger(bodyBytes)) throw invalid('its length is none');
  const parsed = new URL(url);
  if (parsed.username !== '' || parsed.password !== '') throw invalid('its address has a password in it');
  return { url: parsed, method, headers: readHeaders(headers), redirect, bodyBytes: bodyBytes as number | null };
}

function readHeaders(given: unknown): string[] {
  if (!Array.isArray(given)) throw invalid('its headers are no list');
  const headers: string[] = [];
  for (const pair of given as unknown[]) {
    const [name, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof name !== 'string' || typeof value !== 'string' || !TOKEN.test(name) || !VALUE.test(value))
      throw invalid('one of its headers is none');
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}

/**
 * What is sent to where a redirection leads; null when it is not to be followed. The body is dropped as the Fetch
 * standard says, credentials when the origin is another.
 */
export function redirected(order: FetchOrder, status: number, location: string): FetchOrder {
  if (!URL.canParse(location, order.url.href))
    throw new ServiceError('FETCH_FAILED', 'Cannot fetch: it is redirected to nowhere');
  const url = new URL(location, order.url);
  const dropsBody =
    ((status === 301 || status === 302) && order.method === 'POST') ||
    (status === 303 && order.method !== 'GET' && order.method !== 'HEAD');
  const isElsewhere = url.origin !== order.url.origin;
  const headers = order.headers.flatMap((text, at) => {
    if (at % 2 === 1) return [];
    const name = text.toLowerCase();
    if ((dropsBody && CONTENT.test(name)) || (isElsewhere && CREDENTIALS.has(name))) return [];
    return [text, order.headers[at + 1] as string];
  });
  return { ...order, url, headers, ...(dropsBody ? { method: 'GET', bodyBytes: null } : {}) };
}

function invalid(what: string): ServiceError {
  return new ServiceError('FETCH_INVALID', `Cannot fetch: ${what}`);
}
