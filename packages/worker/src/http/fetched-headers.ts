/** What fetch() undoes. If it does not know one of several codings, it undoes none. */
const UNDONE: ReadonlySet<string> = new Set(['br', 'deflate', 'gzip', 'x-gzip', 'zstd']);

/**
 * The headers that a Response is sent with. One that fetch() brought has a decoded body and its headers as they came:
 * their coding and length are not those of the body any more.
 */
export function headersToSend({ headers, url, body }: Response): Headers {
  // Only what was fetched has a URL.
  const coding = url === '' || body === null ? null : headers.get('content-encoding');
  if (coding === null || !coding.split(',').every((each) => UNDONE.has(each.trim().toLowerCase()))) return headers;
  const own = new Headers(headers);
  own.delete('content-encoding');
  own.delete('content-length');
  return own;
}
