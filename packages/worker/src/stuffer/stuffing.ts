import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServletRequest } from '../http/request.ts';

/** What a state is stuffed for, or taken out for. */
export interface Stuffing {
  readonly request: ServletRequest;
  /** What stands around the payload: of the URL's path, what is before it. */
  readonly baseChars: number;
  /** What payload and base may be long together. */
  readonly maxChars: number;
  /** What must be done before the page may go out. */
  readonly writes: Promise<unknown>[];
}

/** The longest URL that every browser, proxy and server is known to take. */
export const URL_MAX_CHARS = 2048;

const current = new AsyncLocalStorage<Stuffing>();

/** Runs the stuffers of one page. */
export function whileStuffing<Result>(stuffing: Stuffing, run: () => Result): Result {
  return current.run(stuffing, run);
}

export function currentStuffing(): Stuffing | null {
  return current.getStore() ?? null;
}

/** What bytes are long in a URL's path: all but unreserved characters become three. */
export function charsInUrl(bytes: Uint8Array): number {
  let chars = 0;
  for (const byte of bytes) chars += isUnreserved(byte) ? 1 : 3;
  return chars;
}

function isUnreserved(byte: number): boolean {
  const lower = byte | 0x20;
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  );
}

/**
 * Would the page's URL be longer than 2,048 characters with these bytes in it? In a hidden field of a form there is
 * more room.
 * @see Racket `is-url-too-big?`
 *
 * @example
 * ```ts
 * isUrlTooBig(new Uint8Array(10)); // false
 * isUrlTooBig(new Uint8Array(3000)); // true
 * ```
 */
export function isUrlTooBig(bytes: Uint8Array): boolean {
  const stuffing = currentStuffing();
  return (stuffing?.baseChars ?? 0) + charsInUrl(bytes) > (stuffing?.maxChars ?? URL_MAX_CHARS);
}
