import type { ServletRequest } from '../http/request.ts';
import { credentialsOf, decodedText, quotedString } from './auth-params.ts';

/** Who a visitor says to be. */
export interface BasicCredentials {
  user: string;
  password: string;
}

/**
 * The header of a 401 with which a browser asks its user for name and password.
 * @param realm says to what; latin1
 * @see Racket `make-basic-auth-header`; RFC 7617
 *
 * @example
 * ```ts
 * createBasicAuthHeader('the cellar');
 * // { 'WWW-Authenticate': 'Basic realm="the cellar", charset="UTF-8"' }
 * ```
 */
export function createBasicAuthHeader(realm: string): { 'WWW-Authenticate': string } {
  return { 'WWW-Authenticate': `Basic realm=${quotedString(realm)}, charset="UTF-8"` };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * Name and password that came with a request; null: none came, or none that can be read. The password may hold colons.
 * They are only what the visitor says: compare them with {@link isSameText}, or look the password's hash up.
 * @see Racket `request->basic-credentials`; RFC 7617 §2
 *
 * @example
 * ```ts
 * function cellar(request: ServletRequest) {
 *   const visitor = basicCredentials(request);
 *   if (visitor?.user === 'ada' && isSameText(visitor.password, 'opensesame')) return 'Come in.';
 *   return { status: 401, headers: createBasicAuthHeader('the cellar'), body: 'Who are you?' };
 * }
 * ```
 */
export function basicCredentials(request: ServletRequest): BasicCredentials | null {
  const encoded = credentialsOf(request.header('authorization'), 'basic');
  if (encoded === null || !BASE64.test(encoded)) return null;
  const text = decodedText(Buffer.from(encoded, 'base64'));
  const colon = text.indexOf(':');
  // Neither may have controls.
  if (colon === -1 || /\p{Cc}/u.test(text)) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
