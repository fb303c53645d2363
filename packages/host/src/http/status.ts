import { STATUS_CODES } from 'node:http';

const lines: string[] = [];

/** `HTTP/1.1 200 OK CR LF`. The usual phrase for the status unless `reason` overrides it; "OK" for an unknown one, as Racket does. */
export function statusLine(status: number, reason: string): string {
  if (reason !== '') return `HTTP/1.1 ${status} ${reason}\r\n`;
  return (lines[status] ??= `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'OK'}\r\n`);
}

let second = 0;
let line = '';

/** `Date: … CR LF` for now (RFC 9110 §6.6.1), made once a second. */
export function dateLine(nowMs: number): string {
  const now = Math.floor(nowMs / 1000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return line;
}
