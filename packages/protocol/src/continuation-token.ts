/**
 * A continuation's address in a URL: the path parameter `;k=<place>.<instance>.<continuation>.<nonce>`. The place,
 * `<replica>.<cell>`, says which thread holds it; the acceptor reads no more than that.
 */
export interface ContinuationToken {
  /** As in `r0.12-3`. */
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

/** A path without its continuation; other parameters stay, and the query goes. */
export function withoutToken(target: string): string {
  return pathOf(target).replace(PARAMETER, '');
}

/** A path that leads to a continuation. */
export function withToken(path: string, { place, instance, continuation, nonce }: ContinuationToken): string {
  return `${path};k=${place}.${instance}.${continuation}.${nonce}`;
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}
