import { BODY_WINDOW_BYTES, CHUNK_COST_BYTES, CHUNK_MAX_BYTES, type FrameWriter, ToHost } from '@custodian/protocol';
import { ClientGoneError } from './request-body.ts';

/** Sends a response's body in chunks, no faster than its client takes them. */
export class ResponseBody {
  readonly #id: number;
  readonly #writer: FrameWriter;
  #credit = BODY_WINDOW_BYTES;
  #isAborted = false;
  #wake: (() => void) | null = null;

  constructor(id: number, writer: FrameWriter) {
    this.#id = id;
    this.#writer = writer;
  }

  /** @throws ClientGoneError */
  async send(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; at += CHUNK_MAX_BYTES) {
      while (this.#credit <= 0 && !this.#isAborted) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#isAborted) throw new ClientGoneError('Cannot send the response: the client is gone');
      const chunk = piece.subarray(at, at + CHUNK_MAX_BYTES);
      this.#credit -= chunk.length + CHUNK_COST_BYTES;
      this.#writer.frame(ToHost.Chunk, this.#id, chunk);
    }
  }

  grant(bytes: number): void {
    this.#credit += bytes;
    this.#wakeUp();
  }

  abort(): void {
    this.#isAborted = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
