import { BODY_WINDOW_BYTES, CHUNK_COST_BYTES, CHUNK_MAX_BYTES, ProtocolError } from '@custodian/protocol';
import type { Exchange } from './exchange.ts';

/** What a thread may send of a body that nobody reads, before it has heard of that. */
const DISCARDED_MAX_BYTES = 4 << 20;

/** Pieces up to this size are copied into one write with their frame: of a body that comes in single bytes, three writes were the cost. */
const COPIED_MAX_BYTES = 8 * 1024;

/** `none`: the response has no body, whatever comes. `close`: the end of the connection is the body's (HTTP/1.0). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** A response's body that comes from a thread piece by piece, on its way to the client at the client's pace. */
export class StreamedBody {
  readonly #exchange: Exchange;
  readonly #framing: Framing;
  #discardedBytes = 0;
  /** Of the declared length. */
  #remainingBytes: number;
  /** What the thread has sent of its window and the client has not taken. */
  #windowBytes = 0;

  /** `bytes`: the declared length; it counts for `length` alone. */
  constructor(exchange: Exchange, framing: Framing, bytes: number) {
    this.#exchange = exchange;
    this.#framing = framing;
    this.#remainingBytes = bytes;
  }

  /**
   * The next bytes. Credit for them is granted when the kernel has taken them.
   * @returns `false`: they are more than were declared, and the response must be cut
   * @throws ProtocolError when there are more than were granted
   */
  send(buffer: Buffer, start: number, end: number): boolean {
    const exchange = this.#exchange;
    const bytes = end - start;
    const costBytes = bytes + CHUNK_COST_BYTES;
    if (bytes === 0) throw new ProtocolError('Cannot read a response: a piece of its body is empty');
    if (exchange.isDone || this.#framing === 'none') {
      this.#discardedBytes += costBytes;
      if (this.#discardedBytes > DISCARDED_MAX_BYTES) throw new ProtocolError('Cannot read a response: it has no body');
      if (!exchange.isDone) exchange.carrier?.grant(exchange, costBytes);
      return true;
    }
    this.#windowBytes += costBytes;
    if (this.#windowBytes > BODY_WINDOW_BYTES + CHUNK_MAX_BYTES + CHUNK_COST_BYTES)
      throw new ProtocolError('Cannot read a response: its body comes faster than it was granted');
    const { socket } = exchange.connection;
    const chunk = buffer.subarray(start, end);
    exchange.bytesOut += bytes;
    exchange.movedAt = performance.now();
    const sent = (): void => {
      exchange.movedAt = performance.now();
      this.#windowBytes -= costBytes;
      exchange.carrier?.grant(exchange, costBytes);
    };
    if (this.#framing === 'chunked' && bytes <= COPIED_MAX_BYTES) {
      socket.write(framed(buffer, start, end), sent);
      return true;
    }
    if (this.#framing === 'chunked') {
      socket.cork();
      socket.write(`${bytes.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      socket.write('\r\n', 'latin1', sent);
      socket.uncork();
      return true;
    }
    if (this.#framing === 'length') {
      if (bytes > this.#remainingBytes) return false;
      this.#remainingBytes -= bytes;
    }
    socket.write(chunk, sent);
    return true;
  }

  /** It is complete. `false`: it is shorter than was declared, which only a cut tells the client. */
  end(): boolean {
    if (this.#framing === 'length' && this.#remainingBytes > 0) return false;
    if (this.#framing === 'chunked') this.#exchange.connection.socket.write('0\r\n\r\n', 'latin1');
    return true;
  }
}

/** A chunk of RFC 9112 §7.1. */
function framed(buffer: Buffer, start: number, end: number): Buffer {
  const size = (end - start).toString(16);
  const chunk = Buffer.allocUnsafe(size.length + end - start + 4);
  const at = chunk.write(`${size}\r\n`, 'latin1');
  buffer.copy(chunk, at, start, end);
  chunk.write('\r\n', at + end - start, 'latin1');
  return chunk;
}
