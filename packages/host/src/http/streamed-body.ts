import { BODY_WINDOW_BYTES, CHUNK_COST_BYTES, CHUNK_MAX_BYTES, ProtocolError } from '@custodian/protocol';
import type { Exchange } from './exchange.ts';

/** What a thread may send of a body that nobody reads, before it has heard of that. */
const DISCARDED_MAX_BYTES = 4 << 20;

/** Pieces up to this size are put together with those that come in the same moment: of single bytes, a write each was the cost. */
const GATHERED_PIECE_MAX_BYTES = 8 * 1024;
const GATHERED_MAX_BYTES = 16 * 1024;
const GATHERED_FIRST_BYTES = 512;
/** The length of a chunk in hexadecimal digits, and the line's end. */
const CHUNK_HEAD_MAX_BYTES = GATHERED_MAX_BYTES.toString(16).length + 2;
const NOTHING = Buffer.alloc(0);

/** `none`: the response has no body, whatever comes. `close`: the end of the connection is the body's (HTTP/1.0). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** A response's body that comes from a thread piece by piece, on its way to the client at the client's pace. */
export class StreamedBody {
  readonly framing: Framing;
  readonly #exchange: Exchange;
  #discardedBytes = 0;
  /** Of the declared length. */
  #remainingBytes: number;
  /** What the thread has sent of its window and the client has not taken. */
  #windowBytes = 0;
  /** Small pieces that go out together, behind room for the head of a chunk and before room for its end. */
  #gathered = NOTHING;
  #gatheredBytes = 0;
  /** Of the window. */
  #gatheredCostBytes = 0;

  /** `bytes`: the declared length; it counts for `length` alone. */
  constructor(exchange: Exchange, framing: Framing, bytes: number) {
    this.#exchange = exchange;
    this.framing = framing;
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
    if (exchange.isDone || this.framing === 'none') {
      this.#discardedBytes += costBytes;
      if (this.#discardedBytes > DISCARDED_MAX_BYTES) throw new ProtocolError('Cannot read a response: it has no body');
      if (!exchange.isDone) exchange.carrier?.grant(exchange, costBytes);
      return true;
    }
    this.#windowBytes += costBytes;
    if (this.#windowBytes > BODY_WINDOW_BYTES + CHUNK_MAX_BYTES + CHUNK_COST_BYTES)
      throw new ProtocolError('Cannot read a response: its body comes faster than it was granted');
    if (this.framing === 'length') {
      if (bytes > this.#remainingBytes) return false;
      this.#remainingBytes -= bytes;
    }
    exchange.bytesOut += bytes;
    exchange.movedAt = performance.now();
    if (bytes <= GATHERED_PIECE_MAX_BYTES) this.#gather(buffer, start, end, costBytes);
    else {
      this.flush();
      this.#write(buffer.subarray(start, end), costBytes);
    }
    return true;
  }

  /** It is complete. `false`: it is shorter than was declared, which only a cut tells the client. */
  end(): boolean {
    this.flush();
    if (this.framing === 'length' && this.#remainingBytes > 0) return false;
    if (this.framing === 'chunked') this.#exchange.connection.socket.write('0\r\n\r\n', 'latin1');
    return true;
  }

  /** Writes what has been gathered; else that goes out when everything that has arrived with it has been read. */
  flush(): void {
    const bytes = this.#gatheredBytes;
    // What follows on the connection may be the answer to another request.
    if (bytes === 0 || this.#exchange.isDone) return;
    const [gathered, costBytes] = [this.#gathered, this.#gatheredCostBytes];
    this.#gathered = NOTHING;
    this.#gatheredBytes = this.#gatheredCostBytes = 0;
    if (this.framing !== 'chunked')
      return this.#writeWhole(gathered.subarray(CHUNK_HEAD_MAX_BYTES, CHUNK_HEAD_MAX_BYTES + bytes), costBytes);
    // A chunk of RFC 9112 §7.1.
    const head = `${bytes.toString(16)}\r\n`;
    const start = CHUNK_HEAD_MAX_BYTES - head.length;
    gathered.write(head, start, 'latin1');
    const end = CHUNK_HEAD_MAX_BYTES + bytes;
    gathered.write('\r\n', end, 'latin1');
    this.#writeWhole(gathered.subarray(start, end + 2), costBytes);
  }

  #gather(buffer: Buffer, start: number, end: number, costBytes: number): void {
    if (this.#gatheredBytes + end - start > GATHERED_MAX_BYTES) this.flush();
    if (this.#gatheredBytes === 0) process.nextTick(() => this.flush());
    const at = CHUNK_HEAD_MAX_BYTES + this.#gatheredBytes;
    const neededBytes = at + end - start + 2;
    if (neededBytes > this.#gathered.length) {
      const grown = Buffer.allocUnsafe(Math.max(GATHERED_FIRST_BYTES, neededBytes, 2 * this.#gathered.length));
      this.#gathered.copy(grown, 0, 0, at);
      this.#gathered = grown;
    }
    buffer.copy(this.#gathered, at, start, end);
    this.#gatheredBytes += end - start;
    this.#gatheredCostBytes += costBytes;
  }

  #write(piece: Buffer, costBytes: number): void {
    const { socket } = this.#exchange.connection;
    if (this.framing !== 'chunked') return this.#writeWhole(piece, costBytes);
    socket.cork();
    socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
    socket.write(piece);
    socket.write('\r\n', 'latin1', () => this.#sent(costBytes));
    socket.uncork();
  }

  #writeWhole(piece: Buffer, costBytes: number): void {
    this.#exchange.connection.socket.write(piece, () => this.#sent(costBytes));
  }

  #sent(costBytes: number): void {
    const exchange = this.#exchange;
    exchange.movedAt = performance.now();
    this.#windowBytes -= costBytes;
    exchange.carrier?.grant(exchange, costBytes);
  }
}
