import { headerPairs, type HeaderValues } from './reply-head.ts';
import type { PlainReply } from './reply.ts';

/**
 * An answer in JSON, with the media type `application/json; charset=utf-8` unless `headers` names another.
 * @throws TypeError for what has no JSON: undefined, a function, a cycle, a bigint.
 * @see Racket `response/jsexpr`
 *
 * @example
 * ```ts
 * json({ tea: 4 }).body; // '{"tea":4}'
 * json(null, { status: 404 }).status; // 404
 * json(undefined); // throws TypeError
 * ```
 */
export function json(value: unknown, options: { status?: number; headers?: HeaderValues } = {}): PlainReply {
  const body: string | undefined = JSON.stringify(value);
  if (body === undefined) throw new TypeError(`Cannot answer with JSON: ${typeof value} has none`);
  const headers = [...headerPairs(options.headers)];
  if (!headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.unshift(['Content-Type', 'application/json; charset=utf-8']);
  }
  return { status: options.status ?? 200, headers, body };
}
