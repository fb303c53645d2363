const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
// A file's name can hold neither; on Windows a colon leads to another drive or stream besides.
const FORBIDDEN: RegExp = process.platform === 'win32' ? /[/\\\0:]/ : /[/\\\0]/;

/**
 * The decoded elements of a request target's path (RFC 9112 §3.2), without empty ones: `/a//b%20c/` is `['a', 'b c', '']`, whose
 * last element says that it ends with a slash. Path parameters (`;k=…`), the query and the origin are left out.
 * `null` for a path that names nothing: it has a dot segment (`.`, `..`), can't be decoded, or has a slash, backslash or
 * NUL inside an element. A servlet's `new URL()` takes dot segments out: `/./office` would be `/office` there and not here.
 */
export function pathElements(target: string): string[] | null {
  const query = target.search(/[?#]/);
  const path = (query < 0 ? target : target.slice(0, query)).replace(ORIGIN, '');
  const elements: string[] = [];
  const parts = path.split('/');
  for (const [index, part] of parts.entries()) {
    const parameter = part.indexOf(';');
    const element = decode(parameter < 0 ? part : part.slice(0, parameter));
    if (element === null || isDots(element) || FORBIDDEN.test(element)) return null;
    if (element !== '' || (index === parts.length - 1 && elements.length > 0)) elements.push(element);
  }
  return elements;
}

/**
 * The decoded path of a request target in which an element may have a slash, as values that servlets read may: for
 * regexps alone, never for files. `null` for a path that has a dot segment or can't be decoded.
 */
export function slashedPath(target: string): string | null {
  const query = target.search(/[?#]/);
  const path = (query < 0 ? target : target.slice(0, query)).replace(ORIGIN, '');
  const elements = path.split('/').map((part) => decode(part.split(';', 1)[0] as string));
  return elements.some((element) => element === null || isDots(element)) ? null : elements.join('/');
}

/** Browsers and WHATWG URLs never have one: they resolve it, also where its dots are encoded. */
function isDots(element: string): boolean {
  return element === '.' || element === '..';
}

function decode(part: string): string | null {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** The path that {@link pathElements} reads, encoded again. Never another site's: it begins with one slash. */
export function encodePath(elements: readonly string[]): string {
  return `/${elements.map(encodeURIComponent).join('/')}`;
}

/** The query of a request target with its question mark, or nothing. */
export function queryOf(target: string): string {
  const start = target.indexOf('?');
  return start < 0 ? '' : target.slice(start);
}
