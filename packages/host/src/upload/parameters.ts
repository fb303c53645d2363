/** A header value of the shape `value; name=token; name="quoted"`, as Content-Type and Content-Disposition have it. */
export interface ParameterizedValue {
  /** In lower case. */
  value: string;
  /** Names in lower case; the first of a name counts. Values as they stand there, one character per byte. */
  parameters: Map<string, string>;
}

// A name, then a quoted string, where a backslash escapes only itself and the quote: old browsers send Windows paths.
const PARAMETER = /;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^])*)"|([^;"\s]*))[ \t]*/y;

/** @returns null when it is malformed (RFC 9110 §5.6.6, RFC 6266 §4.1) */
export function parseParameterized(header: string): ParameterizedValue | null {
  const value = /^[ \t]*([^;\s"]+)[ \t]*/.exec(header);
  if (value === null) return null;
  const parameters = new Map<string, string>();
  let at = value[0].length;
  while (at < header.length) {
    // An empty parameter, as in `form-data; ; name="a"` or at the end, is none.
    const empty = /;[ \t]*(?=;|$)/y;
    empty.lastIndex = at;
    if (empty.test(header)) {
      at = empty.lastIndex;
      continue;
    }
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(header);
    if (match === null) return null;
    at = PARAMETER.lastIndex;
    const name = (match[1] as string).toLowerCase();
    const text = match[2] === undefined ? (match[3] as string) : match[2].replace(/\\(["\\])/g, '$1');
    if (!parameters.has(name)) parameters.set(name, text);
  }
  return { value: (value[1] as string).toLowerCase(), parameters };
}

/** What Content-Disposition says of a form's part. */
export interface PartNames {
  name: string;
  /** null: it is no file. Without directories. */
  filename: string | null;
}

/**
 * @returns null when the header is malformed, is not of `form-data`, or has no name
 * @see https://html.spec.whatwg.org/#multipart-form-data for the escapes, RFC 5987 for `filename*`
 */
export function partNames(contentDisposition: string): PartNames | null {
  const parsed = parseParameterized(contentDisposition);
  const name = parsed?.parameters.get('name');
  if (parsed === null || parsed.value !== 'form-data' || name === undefined) return null;
  const extended = extendedValue(parsed.parameters.get('filename*'));
  const filename = extended ?? unescaped(parsed.parameters.get('filename'));
  return { name: unescaped(name) as string, filename: filename === null ? null : withoutDirectories(filename) };
}

/** Bytes as UTF-8; browsers encode what can't stand in quotes, and nothing else. */
function unescaped(text: string | undefined): string | null {
  if (text === undefined) return null;
  const utf8 = Buffer.from(text, 'latin1').toString('utf8');
  return utf8.replace(/%(22|0A|0D)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** `UTF-8''na%C3%AFve.txt` */
function extendedValue(text: string | undefined): string | null {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(text ?? '')?.[1];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** A name that leads out of the directory where an author puts it would be a trap. */
function withoutDirectories(filename: string): string {
  const name = filename
    .slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1)
    // First: with a NUL between them, two dots would pass.
    .replaceAll('\0', '');
  return name === '.' || name === '..' ? '' : name;
}
