import type { Exchange } from './exchange.ts';
import { parseHttpDate } from './http-date.ts';

/** What tells one version of a file from another. */
export interface Validators {
  /** With its quotes, and `W/` before them when it is weak; null when the file has none. */
  etag: string | null;
  /** ms since 1970, of a whole second. */
  lastModifiedMs: number;
}

const ENTITY_TAGS = /[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)|[ \t]*(?:,|$)/y;
/** A file that has changed in the last seconds may change again within the same one (RFC 9110 §8.8.2.2). */
const DATE_IS_STRONG_AFTER_MS = 2000;

/**
 * May a GET or HEAD go on? In the order of RFC 9110 §13.2.2: `failed` is to be answered with 412, `not-modified` with 304.
 */
export function checkConditions(exchange: Exchange, validators: Validators): 'go' | 'failed' | 'not-modified' {
  const { etag, lastModifiedMs } = validators;
  const ifMatch = exchange.headers('if-match');
  if (ifMatch !== undefined) {
    if (!hasMember(ifMatch, etag, true)) return 'failed';
  } else {
    const since = dateOf(exchange, 'if-unmodified-since');
    if (since !== null && lastModifiedMs > since) return 'failed';
  }
  const ifNoneMatch = exchange.headers('if-none-match');
  if (ifNoneMatch !== undefined) return hasMember(ifNoneMatch, etag, false) ? 'not-modified' : 'go';
  const since = dateOf(exchange, 'if-modified-since');
  return since !== null && lastModifiedMs <= since ? 'not-modified' : 'go';
}

/** Does what If-Range names still hold, so that parts fit to what the client has? (RFC 9110 §13.1.5) */
export function isRangeFresh(exchange: Exchange, { etag, lastModifiedMs }: Validators, nowMs: number): boolean {
  const ifRange = exchange.headers('if-range');
  if (ifRange === undefined) return true;
  if (/^(?:W\/)?"/.test(ifRange)) return ifRange === etag && !etag.startsWith('W/');
  return parseHttpDate(ifRange) === lastModifiedMs && nowMs - lastModifiedMs >= DATE_IS_STRONG_AFTER_MS;
}

function hasMember(list: string, etag: string | null, isStrong: boolean): boolean {
  if (list === '*') return true;
  if (etag === null || (isStrong && etag.startsWith('W/'))) return false;
  ENTITY_TAGS.lastIndex = 0;
  for (;;) {
    const at = ENTITY_TAGS.lastIndex;
    const match = at < list.length ? ENTITY_TAGS.exec(list) : null;
    // What is no list of tags any more has no further members.
    if (match === null || ENTITY_TAGS.lastIndex === at) return false;
    const tag = match[1];
    if (tag !== undefined && (isStrong ? tag === etag : opaque(tag) === opaque(etag))) return true;
  }
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}

function dateOf(exchange: Exchange, name: string): number | null {
  const value = exchange.headers(name);
  return value === undefined ? null : parseHttpDate(value);
}
