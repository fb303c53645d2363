import { BODY_WINDOW_BYTES, type FrameWriter, ToHost } from '@custodian/protocol';
import type { BodySource } from './http/received-body.ts';

/** The client went away before its request was complete, or before the response was. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
  readonly code = 'SERVLET_CLIENT_GONE';
}

/** The request has been answered, and what its client still sends of the body is not read. */
export class RequestOverError extends Error {
  override readonly name = 'RequestOverError';
  readonly code = 'SERVLET_REQUEST_OVER';
}

/** A request's body as it arrives. What the servlet takes is granted back to the acceptor, so that more may come. */
export class RequestBody implements BodySource {
  readonly #id: number;
  readonly #writer: FrameWriter;
  readonly #pieces: Uint8Array[] = [];
  #isComplete = false;
  #isAborted = false;
  #takenBytes = 0;
  #isAnswered = false;
  #wake: (() => void) | null = null;

  constructor(id: number, writer: FrameWriter) {
    this.#id = id;
    this.#writer = writer;
  }

  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#takenBytes += piece.length;
        // A quarter of the window at a time: often enough to keep it moving, seldom enough to cost nothing.
        if (this.#takenBytes >= BODY_WINDOW_BYTES / 4 && !this.#isAnswered) {
          this.#writer.frameU32(ToHost.Credit, this.#id, this.#takenBytes);
          this.#takenBytes = 0;
        }
        return piece;
      }
      if (this.#isAborted) throw new ClientGoneError('Cannot read the body of the request: the client is gone');
      if (this.#isComplete) return null;
      if (this.#isAnswered)
        throw new RequestOverError('Cannot read the body of the request: it was not all there when that was answered');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wakeUp();
  }

  complete(): void {
    this.#isComplete = true;
    this.#wakeUp();
  }

  /** The request is answered: the acceptor has forgotten it, and sends no more. */
  answered(): void {
    this.#isAnswered = true;
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
