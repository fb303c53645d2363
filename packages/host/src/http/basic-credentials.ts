const BASIC = /^basic +([A-Za-z0-9+/=_-]+) *$/i;

/** User and password of an Authorization header's Basic scheme (RFC 7617); null when it has none. */
export function basicCredentials(authorization: string | undefined): { user: string; password: string } | null {
  const [, encoded] = BASIC.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
