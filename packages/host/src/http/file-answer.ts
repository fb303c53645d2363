import { randomBytes } from 'node:crypto';
import type { ReplyFrame } from '@custodian/protocol';
import { checkConditions, isRangeFresh, type Validators } from './conditions.ts';
import type { Exchange } from './exchange.ts';
import { FileBody } from './file-body.ts';
import { prepareAnswer } from './host-answer.ts';
import type { OpenFile } from './open-file.ts';
import { type ByteRange, parseRanges } from './range.ts';

/** A file that has just changed may change again without its time showing it: its tag is weak until then. */
const ETAG_IS_STRONG_AFTER_MS = 2000;

export interface FileAnswerOptions {
  /** Null: the answer has no Content-Type. */
  type: string | null;
  etag: 'strong' | 'weak' | false;
  headers: Readonly<Record<string, string>>;
  rangesMaxCount: number;
}

/** Answers GET or HEAD with a file: whole, in parts (206), not modified (304), or refused (412, 416). RFC 9110 §13 and §14. */
export async function sendFile(exchange: Exchange, file: OpenFile, options: FileAnswerOptions): Promise<void> {
  const { type, headers } = options;
  const { size } = file;
  const now = Date.now();
  const validators = validatorsOf(file, options.etag, now);
  const known = { ...(validators.etag === null ? {} : { ETag: validators.etag }), ...headers };
  const lastModified = { 'Last-Modified': new Date(validators.lastModifiedMs).toUTCString() };
  switch (checkConditions(exchange, validators)) {
    case 'failed':
      return exchange.refuseKept({
        status: 412,
        title: 'Precondition failed',
        text: 'This file is not the version that was asked for.',
        code: 'REQUEST_PRECONDITION',
      });
    case 'not-modified':
      return exchange.respond({ status: 304, headers: known });
    case 'go':
  }
  const all = { ...lastModified, ...known, 'Accept-Ranges': 'bytes' };
  const typed = type === null ? all : { 'Content-Type': type, ...all };
  const ranges = rangesOf(exchange, size, validators, now, options.rangesMaxCount);
  if (ranges === null) return send(exchange, file, 200, typed, [{ start: 0, end: size }]);
  const [first, ...others] = ranges;
  if (first === undefined)
    return exchange.refuseKept({
      status: 416,
      title: 'Range not satisfiable',
      text: 'This file has no such part.',
      code: 'REQUEST_RANGE',
      headers: { 'Content-Range': `bytes */${size}` },
    });
  if (others.length === 0)
    return send(exchange, file, 206, { ...typed, 'Content-Range': contentRange(first, size) }, [first]);
  const boundary = randomBytes(15).toString('base64url');
  const multipart = { ...all, 'Content-Type': `multipart/byteranges; boundary=${boundary}` };
  return send(exchange, file, 206, multipart, partsOf(ranges, type, size, boundary));
}

function validatorsOf(file: OpenFile, etag: FileAnswerOptions['etag'], now: number): Validators {
  const modifiedMs = Number(file.modifiedNs / 1_000_000n);
  const tag = `"${file.size.toString(36)}-${file.modifiedNs.toString(36)}"`;
  const isWeak = etag === 'weak' || now - modifiedMs < ETAG_IS_STRONG_AFTER_MS;
  return {
    etag: etag === false ? null : isWeak ? `W/${tag}` : tag,
    // Never later than now (RFC 9110 §8.8.2.1).
    lastModifiedMs: Math.floor(Math.min(modifiedMs, now) / 1000) * 1000,
  };
}

function rangesOf(
  exchange: Exchange,
  size: number,
  validators: Validators,
  now: number,
  maxCount: number,
): ByteRange[] | null {
  const range = exchange.method === 'GET' ? exchange.headers('range') : undefined;
  if (range === undefined || !isRangeFresh(exchange, validators, now)) return null;
  return parseRanges(range, size, maxCount);
}

function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}

/** The parts of a multipart/byteranges, with the texts between them (RFC 9110 §14.6). */
function partsOf(
  ranges: readonly ByteRange[],
  type: string | null,
  size: number,
  boundary: string,
): (string | ByteRange)[] {
  const typeLine = type === null ? '' : `Content-Type: ${type}\r\n`;
  const parts = ranges.flatMap((range, index) => [
    `${index === 0 ? '' : '\r\n'}--${boundary}\r\n${typeLine}Content-Range: ${contentRange(range, size)}\r\n\r\n`,
    range,
  ]);
  return [...parts, `\r\n--${boundary}--\r\n`];
}

/** A small file is read at once and goes out in one write with its head. */
async function send(
  exchange: Exchange,
  file: OpenFile,
  status: number,
  headers: Readonly<Record<string, string>>,
  parts: readonly (string | ByteRange)[],
): Promise<void> {
  const bytes = parts.reduce((sum, part) => sum + (typeof part === 'string' ? part.length : part.end - part.start), 0);
  const { headerLines, hasDate } = prepareAnswer({ status, headers });
  const reply: ReplyFrame = {
    status,
    reason: '',
    headerLines,
    hasDate,
    bodyBytes: bytes,
    bodyStart: 0,
    cpuMicros: 0,
    wallMicros: 0,
  };
  if (exchange.method === 'HEAD') {
    exchange.beginAnswer(reply);
    exchange.endAnswer(reply);
    return;
  }
  const [only] = parts;
  if (file.isSmall && parts.length === 1 && typeof only === 'object') {
    const whole = await file.whole();
    if (exchange.isDone) return;
    // It has shrunk since it was opened.
    if (whole === null) return exchange.cut();
    exchange.answer({ ...reply, bodyStart: only.start }, whole, only.end);
    return;
  }
  exchange.beginAnswer(reply);
  new FileBody(exchange, file, parts).start();
}
