import { ConfigError } from '../config-error.ts';
import { plainJson } from '../plain-text.ts';

/** A request as a log format sees it. */
export interface LoggedRequest {
  method: string;
  /** The target as it was sent. */
  url: string;
  /** As in `1.1`. */
  httpVersion: string;
  clientIp: string;
  /** Where it was received. */
  hostIp: string;
  hostPort: number;
  /** The first header of that name, in lower case. */
  header(name: string): string | undefined;
}

/** How it was answered. */
export interface LoggedResponse {
  status: number;
  /** Bytes of the body that were sent. */
  bodyBytes: number;
  /** From the request's head to the last byte, in ms. */
  totalMs: number;
  /** When it was over. */
  at: Date;
  /** The code of docs/errors.md when the host refused. */
  code: string;
}

/** Makes the line of a request, without its end. What it throws is that line's loss. */
export type LogFormatter = (request: LoggedRequest, response: LoggedResponse) => string;

const FORMATTERS: Readonly<Record<LogFormat, LogFormatter>> = {
  /** The Common Log Format, as Apache writes it. */
  'apache-default': (request, response) =>
    `${request.clientIp} - - [${apacheTime(response.at)}] "${requestLine(request)}" ${response.status} ${response.bodyBytes || '-'}`,
  /** The same with where the client came from and what it says that it is. */
  combined: (request, response) =>
    `${FORMATTERS['apache-default'](request, response)} "${quoted(request.header('referer') ?? '-')}" "${quoted(request.header('user-agent') ?? '-')}"`,
  'parenthesized-default': (request, response) =>
    `(from ${datum(request.clientIp)} to ${datum(request.hostIp)} for ${datum(request.url)} at ${datum(response.at.toUTCString())})`,
  extended: (request, response) => {
    const referer = request.header('referer');
    return (
      `((client-ip ${datum(request.clientIp)}) (host-ip ${datum(request.hostIp)}) ` +
      `(referer ${referer === undefined ? '#f' : datum(referer)}) (uri ${datum(request.url)}) ` +
      `(time ${Math.floor(response.at.getTime() / 1000)}))`
    );
  },
  json: (request, response) =>
    plainJson(
      JSON.stringify({
        time: response.at.getTime(),
        clientIp: request.clientIp,
        method: request.method,
        url: request.url,
        status: response.status,
        ...(response.code === '' ? {} : { code: response.code }),
        bodyBytes: response.bodyBytes,
        totalMs: Math.round(response.totalMs * 1000) / 1000,
        referer: request.header('referer'),
        userAgent: request.header('user-agent'),
      }),
    ),
};

/** Racket's four, and lines of JSON. */
export type LogFormat = 'apache-default' | 'parenthesized-default' | 'extended' | 'combined' | 'json';

export const LOG_FORMATS: readonly LogFormat[] = Object.keys(FORMATTERS) as LogFormat[];

/** @throws ConfigError for a name that is none */
export function formatterOf(format: LogFormat | LogFormatter): LogFormatter {
  if (typeof format === 'function') return format;
  if (!LOG_FORMATS.includes(format)) throw new ConfigError(`Cannot log: there is no format "${String(format)}"`);
  return FORMATTERS[format];
}

function requestLine({ method, url, httpVersion }: LoggedRequest): string {
  // What could not be read as a request has no line.
  return method === '' ? '-' : quoted(`${method} ${url} HTTP/${httpVersion}`);
}

/** A client chooses these texts: none may end a field, or a line. */
function quoted(text: string): string {
  return text.replace(/["\\]/g, '\\$&').replace(/[^\x20-\x7e]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** As Racket would print the string. */
function datum(text: string): string {
  return `"${quoted(text)}"`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
let second = 0;
let text = '';

/** `21/Nov/2026:06:01:45 +0000`, made once a second. */
function apacheTime(at: Date): string {
  const now = Math.floor(at.getTime() / 1000);
  if (now !== second) {
    second = now;
    const [date = '', time = ''] = at.toISOString().split(/[T.]/);
    const [year = '', month, day = ''] = date.split('-');
    text = `${day}/${MONTHS[Number(month) - 1]}/${year}:${time} +0000`;
  }
  return text;
}
