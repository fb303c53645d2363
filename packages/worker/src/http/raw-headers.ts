/** Header lines as they came: name, value, name, value. Names are looked for in lower case. */

/** The value of the first header of that name. */
export function headerOf(rawHeaders: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return rawHeaders[index + 1];
  }
  return undefined;
}

/** The values of all headers of that name, in order. */
export function* headersOf(rawHeaders: readonly string[], lowerName: string): Generator<string> {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) yield rawHeaders[index + 1] as string;
  }
}

/** The content coding of the body that follows (RFC 9110 §8.4), in lower case; null: it has none. */
export function codingOf(rawHeaders: readonly string[]): string | null {
  const coding = headerOf(rawHeaders, 'content-encoding')?.trim().toLowerCase() ?? '';
  return coding === '' || coding === 'identity' ? null : coding;
}
