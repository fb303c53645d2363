const PARAM =
  /[\t ]*(?:([!#$%&'*+\-.^_`|~0-9a-z]+)[\t ]*=[\t ]*(?:([!#$%&'*+\-.^_`|~0-9a-z]+)|"((?:[^"\\]|\\[^])*)")[\t ]*)?(?:,|$)/iy;

/**
 * The parameters of a challenge or of credentials, by their names in lower case; null for what is none, and where a name
 * comes twice.
 * @see RFC 9110 §11.2
 */
export function parseAuthParams(text: string): Map<string, string> | null {
  const params = new Map<string, string>();
  PARAM.lastIndex = 0;
  while (PARAM.lastIndex < text.length) {
    const match = PARAM.exec(text);
    if (match === null) return null;
    const [, name, token, quoted] = match;
    if (name === undefined) continue;
    const key = name.toLowerCase();
    if (params.has(key)) return null;
    params.set(key, token ?? (quoted as string).replace(/\\([^])/g, '$1'));
  }
  return params;
}

/** What stands behind the scheme's name in an `Authorization` header; null: it is of another scheme. */
export function credentialsOf(header: string | undefined, scheme: string): string | null {
  if (header === undefined || header.length <= scheme.length) return null;
  const isScheme = header.slice(0, scheme.length).toLowerCase() === scheme;
  return isScheme && /^[\t ]+/.test(header.slice(scheme.length)) ? header.slice(scheme.length).trim() : null;
}

/** A text between quotes. @throws TypeError for a line break or another control, which no header may have. */
export function quotedString(text: string): string {
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text))
    throw new TypeError(
      `Cannot write ${JSON.stringify(text.slice(0, 60))} into a header: it has a character that none may have`,
    );
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Text of a header, which has one character per byte: UTF-8 if it can be that, else latin1. */
export function decodedText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}
