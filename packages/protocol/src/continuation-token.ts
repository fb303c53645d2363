/**
 * A continuation's address in a URL: the path parameter `;k=<place>.<instance>.<continuation>.<nonce>`. The place,
 * `<replica>.<cell>-<lease>-<random>`, says which thread held the instance first.
 */
export interface ContinuationToken {
  /** As in `r0.12-3-x0Fq_2ab`. */
  place: string;
  instance: number;
  continuation: number;
  /** 128 random bits, base64url. */
  nonce: string;
}

const TOKEN = /;k=(\w{1,16}\.[\w-]{1,32})\.([1-9]\d{0,8})\.([1-9]\d{0,8})\.([\w-]{22})(?=[;/]|$)/;
const PARAMETER = /;k(?:=[^;/]*)?(?=[;/]|$)/g;

/** The token in a request target; `null` when there is none, or what stands there is not one. */
export function readToken(target: string): ContinuationToken | null {
  if (!target.includes(';k=')) return null;
  const match = TOKEN.exec(pathOf(target));
  if (match === null) return null;
  return {
    place: match[1] as string,
    instance: Number(match[2]),
    continuation: Number(match[3]),
    nonce: match[4] as string,
  };
}

/** Names an instance wherever it is now: by the place that it was born at, and its number there. */
export function homeOf({ place, instance }: Pick<ContinuationToken, 'place' | 'instance'>): string {
  return `${place}.${instance}`;
}

const HOME = /^(\w{1,16}\.[\w-]{1,32})\.([1-9]\d{0,8})$/;

/** The place in an instance's name; null when it is none. */
export function placeOfHome(home: string): string | null {
  return HOME.exec(home)?.[1] ?? null;
}

/** A path without its continuation; other parameters stay, and the query goes. */
export function withoutToken(target: string): string {
  return pathOf(target).replace(PARAMETER, '');
}

/** A path that leads to a continuation. */
export function withToken(path: string, { place, instance, continuation, nonce }: ContinuationToken): string {
  return `${path};k=${place}.${instance}.${continuation}.${nonce}`;
}

/**
 * A stateless page's address: the path parameter `;c=<payload>`, which holds the rest of the run itself, or the key of
 * it in a store. Any thread can go on from it. `;at=<place>` beside it names the thread that has something in memory which
 * the page refers to.
 */
const PAYLOAD = /;c=((?:[\w.~!$&'()*+,:@-]|%[0-9A-Fa-f]{2})+)(?=[;/]|$)/;
const NEAR = /;at=(\w{1,16}\.[\w-]{1,32})(?=[;/]|$)/;
const PAYLOAD_PARAMETERS = /;(?:c|at)(?:=[^;/]*)?(?=[;/]|$)/g;

/** `;v=<version>` says in which version of its servlet a page began, where that is not the present one. */
const VERSION = /;v=([\w-]{12})(?=[;/]|$)/;
const VERSION_PARAMETER = /;v(?:=[^;/]*)?(?=[;/]|$)/g;

/** The version of the servlet that a request target asks for; `null`: the present one. */
export function readVersion(target: string): string | null {
  return target.includes(';v=') ? (VERSION.exec(pathOf(target))?.[1] ?? null) : null;
}

/** A path without its version; other parameters stay, and the query goes. */
export function withoutVersion(target: string): string {
  return pathOf(target).replace(VERSION_PARAMETER, '');
}

/** A request target that asks for a version, its query kept. */
export function withVersion(target: string, version: string): string {
  const path = pathOf(target);
  return `${withoutVersion(path)};v=${version}${target.slice(path.length)}`;
}

/** The field of a form that holds a page's state in the place of its URL; a visitor's own data can have another name. */
export const STATE_FIELD = 'kont';
/** It may be longer than a URL, and than other fields of a form with files; what is longer still goes to the store. */
export const STATE_FIELD_MAX_CHARS = 65_536;

/** The payload in a request target, one character a byte; `null` when there is none. */
export function readPayload(target: string): string | null {
  if (!target.includes(';c=')) return null;
  const match = PAYLOAD.exec(pathOf(target));
  return match === null ? null : unescaped(match[1] as string);
}

/** The thread that a stateless page would rather be answered by; `null`: any. */
export function readNear(target: string): string | null {
  return target.includes(';at=') ? (NEAR.exec(pathOf(target))?.[1] ?? null) : null;
}

/** A path without its payload; other parameters stay, and the query goes. */
export function withoutPayload(target: string): string {
  return pathOf(target).replace(PAYLOAD_PARAMETERS, '');
}

/** A path that leads to a payload, given one character a byte, and to a place, if it matters. */
export function withPayload(path: string, payload: string, near: string | null = null): string {
  return `${path};c=${escaped(payload)}${near === null ? '' : `;at=${near}`}`;
}

function escaped(payload: string): string {
  return payload.replaceAll(
    /[^\w.~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function unescaped(text: string): string {
  return text.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}
