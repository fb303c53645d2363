import { ProtocolError, type FrameWriter } from './frame.ts';
import { HEAD_MAX_BYTES } from './limits.ts';
import { ToHost } from './to-host.ts';

/** What a request cost, as its thread saw it. */
export interface Usage {
  cpuMicros: number;
  wallMicros: number;
}

/**
 * A response's head on the wire: `u32 cpu us | u32 wall us | u16 status | u8 reason bytes | u8 0 | u32 header bytes |
 * u32 body length + 1, or 0 when unknown`, then the reason, then header lines (`Name: value CR LF …`), both latin1.
 * A whole reply has its body behind that.
 */
export const REPLY_HEAD_BYTES = 20;

/** A response to that method, of that status, has no body, whatever a servlet returned (RFC 9110 §6.4.1). */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 205 || status === 304;
}

/** A decoded head; the body, if any, is `buffer[bodyStart, end)`. */
export interface ReplyFrame extends Usage {
  status: number;
  /** Empty: the usual phrase for the status. */
  reason: string;
  /** Complete header lines, each with its CRLF; checked. */
  headerLines: string;
  /** The servlet has set `Date` itself. */
  hasDate: boolean;
  /** Declared length of a body that follows in chunks; -1 when unknown. */
  bodyBytes: number;
  bodyStart: number;
}

/** Writes a whole response. `body` text is sent as UTF-8. @throws RangeError when head or body are too long for one frame. */
export function writeReply(
  writer: FrameWriter,
  id: number,
  usage: Usage,
  status: number,
  reason: string,
  headerLines: string,
  body: string | Uint8Array,
): void {
  const bodyMax = typeof body === 'string' ? body.length * 3 : body.length;
  const start = writer.begin(ToHost.Reply, id, REPLY_HEAD_BYTES + reason.length + headerLines.length + bodyMax);
  let at = writeFields(writer.buffer, start, usage, status, reason, headerLines, 0);
  if (typeof body === 'string') at += writer.buffer.write(body, at, 'utf8');
  else {
    writer.buffer.set(body, at);
    at += body.length;
  }
  writer.end(at);
}

/** Writes a head whose body follows in chunks. `bodyBytes` is -1 when the length is not known. */
export function writeHead(
  writer: FrameWriter,
  id: number,
  usage: Usage,
  status: number,
  reason: string,
  headerLines: string,
  bodyBytes: number,
): void {
  const start = writer.begin(ToHost.Head, id, REPLY_HEAD_BYTES + reason.length + headerLines.length);
  writer.end(writeFields(writer.buffer, start, usage, status, reason, headerLines, bodyBytes + 1));
}

function writeFields(
  buffer: Buffer,
  start: number,
  usage: Usage,
  status: number,
  reason: string,
  headerLines: string,
  lengthField: number,
): number {
  buffer.writeUInt32BE(usage.cpuMicros, start);
  buffer.writeUInt32BE(usage.wallMicros, start + 4);
  buffer.writeUInt16BE(status, start + 8);
  buffer[start + 10] = reason.length;
  buffer[start + 11] = 0;
  buffer.writeUInt32BE(headerLines.length, start + 12);
  // Up to 2^53 in principle; a body of 4 GB and more goes out without a declared length.
  buffer.writeUInt32BE(lengthField > 0xffffffff ? 0 : lengthField, start + 16);
  let at = start + REPLY_HEAD_BYTES;
  if (reason.length > 0) at += buffer.write(reason, at, 'latin1');
  return at + buffer.write(headerLines, at, 'latin1');
}

/** Decodes and checks a head that came from a cell. @throws ProtocolError on anything that a thread's runtime never sends. */
export function readReply(buffer: Buffer, start: number, end: number): ReplyFrame {
  if (end - start < REPLY_HEAD_BYTES) throw new ProtocolError('Cannot read a response: it is cut short');
  const status = buffer.readUInt16BE(start + 8);
  if (status < 200 || status > 999) throw new ProtocolError(`Cannot read a response: its status is ${status}`);
  const reasonBytes = buffer[start + 10] as number;
  const headerBytes = buffer.readUInt32BE(start + 12);
  const headersStart = start + REPLY_HEAD_BYTES + reasonBytes;
  if (headerBytes > HEAD_MAX_BYTES || headersStart + headerBytes > end) {
    throw new ProtocolError(`Cannot read a response: its headers take ${headerBytes} bytes`);
  }
  const reason = reasonBytes === 0 ? '' : buffer.toString('latin1', headersStart - reasonBytes, headersStart);
  if (reasonBytes > 0 && !REASON.test(reason))
    throw new ProtocolError('Cannot read a response: its reason phrase is malformed');
  const headerLines = buffer.toString('latin1', headersStart, headersStart + headerBytes);
  if (headerLines !== lastChecked) {
    checkHeaderLines(headerLines);
    lastChecked = headerLines;
    lastHasDate = /(?:^|\n)date: /i.test(headerLines);
  }
  return {
    cpuMicros: buffer.readUInt32BE(start),
    wallMicros: buffer.readUInt32BE(start + 4),
    status,
    reason,
    headerLines,
    hasDate: lastHasDate,
    bodyBytes: buffer.readUInt32BE(start + 16) - 1,
    bodyStart: headersStart + headerBytes,
  };
}

/** Reads the usage that `End` and `Fail` frames begin with. @throws ProtocolError when it is cut short. */
export function readUsage(buffer: Buffer, start: number, end: number): Usage {
  if (end - start < 8) throw new ProtocolError('Cannot read a usage: it is cut short');
  return { cpuMicros: buffer.readUInt32BE(start), wallMicros: buffer.readUInt32BE(start + 4) };
}

// A servlet tends to send the same head again and again; the check of the last good one is not repeated.
let lastChecked = '';
let lastHasDate = false;

const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
// RFC 9110 §5.1 and §5.5: a token, then visible characters, blanks and obs-text.
const HEADER_LINES = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/;
// Framing and the connection belong to the acceptor: a guest that could set them could answer for its neighbours.
const OWN_HEADERS =
  /(?:^|\n)(?:content-length|transfer-encoding|connection|keep-alive|upgrade|trailer|te|proxy-connection): /i;

/** @throws ProtocolError when the lines are malformed or set a header that is the acceptor's. */
export function checkHeaderLines(lines: string): void {
  if (!HEADER_LINES.test(lines)) throw new ProtocolError('Cannot read a response: a header line is malformed');
  if (OWN_HEADERS.test(lines)) throw new ProtocolError('Cannot read a response: it sets a header of the connection');
}
