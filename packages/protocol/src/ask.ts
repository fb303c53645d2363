import { ProtocolError, type FrameWriter } from './frame.ts';
import { ToHost } from './to-host.ts';
import { ToWorker } from './to-worker.ts';

/**
 * A thread asks its acceptor for something, under a number of the thread's own choice, and is answered over the same
 * channel. `Ask` opens it; `AskBody` and `AskEnd` bring its body; `Answer`, `AnswerBody` and `AnswerEnd`, or
 * `AnswerFail` at any time, are what comes back. The last word is always the thread's: `AskOver`, when it has its
 * answer or wants none. After that the number is free, and no frame with it is on its way to the acceptor.
 */

/** Asks that a thread may have open. */
export const ASKS_MAX_COUNT = 1024;

/** Asks with a body that a thread may have open; so many answers with a body are under way at once. */
export const ASK_STREAMS_MAX_COUNT = 64;

/** Bytes of an ask's body, or of its answer's, that may be under way before the receiver must grant more. */
export const ASK_WINDOW_BYTES: number = 128 * 1024;

/** The largest head of an ask or of an answer. */
export const ASK_HEAD_MAX_BYTES: number = 16 * 1024;

const SERVICE_NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** `u32 request | u8 flags | u8 bytes of the service's name`, then the name, then the head. */
const ASK_FIXED_BYTES = 6;
const HAS_BODY = 1;

/** An ask as it was read. */
export interface AskFrame {
  /** The request in whose course it is asked; 0: in none's. */
  request: number;
  service: string;
  hasBody: boolean;
  /** A copy. */
  head: Buffer;
}

/** Is it a name that a service can have? */
export function isServiceName(name: string): boolean {
  return SERVICE_NAME.test(name);
}

/** Opens an ask. @throws RangeError when the head is longer than {@link ASK_HEAD_MAX_BYTES} */
export function writeAsk(
  writer: FrameWriter,
  id: number,
  ask: { request: number; service: string; hasBody: boolean; head: Uint8Array },
): void {
  const { request, service, hasBody, head } = ask;
  if (head.length > ASK_HEAD_MAX_BYTES) throw new RangeError('Cannot ask: the head is too long');
  const start = writer.begin(ToHost.Ask, id, ASK_FIXED_BYTES + service.length + head.length);
  const { buffer } = writer;
  buffer.writeUInt32BE(request, start);
  buffer[start + 4] = hasBody ? HAS_BODY : 0;
  buffer[start + 5] = service.length;
  const at = start + ASK_FIXED_BYTES + buffer.write(service, start + ASK_FIXED_BYTES, 'latin1');
  buffer.set(head, at);
  writer.end(at + head.length);
}

/** Decodes and checks an ask that came from a thread. @throws ProtocolError */
export function readAsk(buffer: Buffer, start: number, end: number): AskFrame {
  if (end - start < ASK_FIXED_BYTES) throw new ProtocolError('Cannot read an ask: it is cut short');
  const flags = buffer[start + 4] as number;
  if (flags > HAS_BODY) throw new ProtocolError(`Cannot read an ask: its flags are ${flags}`);
  const headStart = start + ASK_FIXED_BYTES + (buffer[start + 5] as number);
  const service = buffer.toString('latin1', start + ASK_FIXED_BYTES, headStart);
  if (headStart > end || !SERVICE_NAME.test(service))
    throw new ProtocolError('Cannot read an ask: the name of its service is malformed');
  if (end - headStart > ASK_HEAD_MAX_BYTES) throw new ProtocolError('Cannot read an ask: its head is too long');
  const head = Buffer.from(buffer.subarray(headStart, end));
  return { request: buffer.readUInt32BE(start), service, hasBody: flags === HAS_BODY, head };
}

/** Writes an answer's head; if it `hasBody`, that follows. @throws RangeError when the head is too long */
export function writeAnswer(writer: FrameWriter, id: number, head: Uint8Array, hasBody: boolean): void {
  if (head.length > ASK_HEAD_MAX_BYTES) throw new RangeError('Cannot answer an ask: the head is too long');
  const start = writer.begin(ToWorker.Answer, id, 1 + head.length);
  writer.buffer[start] = hasBody ? HAS_BODY : 0;
  writer.buffer.set(head, start + 1);
  writer.end(start + 1 + head.length);
}

/** The acceptor's word is trusted. `head` is a copy. */
export function readAnswer(buffer: Buffer, start: number, end: number): { head: Buffer; hasBody: boolean } {
  return { head: Buffer.from(buffer.subarray(start + 1, end)), hasBody: buffer[start] === HAS_BODY };
}
