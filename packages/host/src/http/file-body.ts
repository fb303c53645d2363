import { CHUNK_COST_BYTES, CHUNK_MAX_BYTES } from '@custodian/protocol';
import type { Carrier, Exchange } from './exchange.ts';
import type { OpenFile } from './open-file.ts';
import type { ByteRange } from './range.ts';

/** Pieces that may be on their way to the client at once: one is read while another is sent. */
const PIECES_MAX_COUNT = 3;
const NO_COST = { cpuMicros: 0, wallMicros: 0 };

/** Parts of a file, and texts between them, on their way to a client, at its pace. */
export class FileBody implements Carrier {
  readonly #exchange: Exchange;
  readonly #file: OpenFile;
  readonly #parts: (string | ByteRange)[];
  /** Buffers that were sent and may be filled again, and those that are on their way, in order. */
  readonly #free: Buffer[] = [];
  readonly #sent: { buffer: Buffer | null; costBytes: number }[] = [];
  #isReading = false;

  constructor(exchange: Exchange, file: OpenFile, parts: readonly (string | ByteRange)[]) {
    this.#exchange = exchange;
    this.#file = file;
    this.#parts = parts.map((part) => (typeof part === 'string' ? part : { ...part }));
  }

  /** The head is out: the body follows. */
  start(): void {
    this.#exchange.carrier = this;
    this.#pump();
  }

  /** Several pieces may be granted at once: small ones leave together. */
  grant(_exchange: Exchange, bytes: number): void {
    for (let left = bytes; left > 0;) {
      const sent = this.#sent.shift();
      if (sent === undefined) break;
      left -= sent.costBytes;
      if (sent.buffer !== null) this.#free.push(sent.buffer);
    }
    this.#pump();
  }

  // A file takes no request's body, and looks itself whether anybody is left to read it.
  sendBody(): void {}
  endBody(): void {}
  abort(): void {}
  endClient(): void {}

  #pump(): void {
    if (this.#isReading || this.#sent.length >= PIECES_MAX_COUNT || this.#exchange.isDone) return;
    this.#isReading = true;
    this.#next().then(
      (isMore) => {
        this.#isReading = false;
        if (isMore) this.#pump();
      },
      // The disk failed in mid-response: only a cut can tell the client.
      () => this.#exchange.cut(),
    );
  }

  async #next(): Promise<boolean> {
    const exchange = this.#exchange;
    const part = this.#parts[0];
    if (part === undefined) {
      exchange.carrier = null;
      exchange.endAnswer(NO_COST);
      return false;
    }
    if (typeof part === 'string') {
      this.#parts.shift();
      this.#sent.push({ buffer: null, costBytes: part.length + CHUNK_COST_BYTES });
      exchange.sendChunk(Buffer.from(part, 'latin1'), 0, part.length);
      return true;
    }
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_MAX_BYTES - CHUNK_COST_BYTES);
    const bytes = Math.min(buffer.length, part.end - part.start);
    const read = await this.#file.read(buffer.subarray(0, bytes), part.start);
    if (exchange.isDone) return false;
    // It has shrunk since its length was announced.
    if (read < bytes) {
      exchange.cut();
      return false;
    }
    part.start += bytes;
    if (part.start === part.end) this.#parts.shift();
    this.#sent.push({ buffer, costBytes: bytes + CHUNK_COST_BYTES });
    exchange.sendChunk(buffer, 0, bytes);
    return true;
  }
}
