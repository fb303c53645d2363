import { ProtocolError, type FrameWriter } from './frame.ts';
import { CHUNK_COST_BYTES, CHUNK_MAX_BYTES } from './limits.ts';

/** Sends a body in chunks, no faster than its receiver takes them. */
export class CreditedSender {
  readonly #writer: FrameWriter;
  readonly #type: number;
  readonly #id: number;
  readonly #windowBytes: number;
  #credit: number;
  #isStopped = false;
  #wake: (() => void) | null = null;

  /** `type`: of the frames; `windowBytes`: what may be under way. */
  constructor(writer: FrameWriter, type: number, id: number, windowBytes: number) {
    this.#writer = writer;
    this.#type = type;
    this.#id = id;
    this.#windowBytes = windowBytes;
    this.#credit = windowBytes;
  }

  /** Resolves when all of it has left. `false`: the receiver wants no more. */
  async send(piece: Uint8Array): Promise<boolean> {
    for (let at = 0; at < piece.length; at += CHUNK_MAX_BYTES) {
      while (this.#credit <= 0 && !this.#isStopped) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#isStopped) return false;
      const chunk = piece.subarray(at, at + CHUNK_MAX_BYTES);
      this.#credit -= chunk.length + CHUNK_COST_BYTES;
      this.#writer.frame(this.#type, this.#id, chunk);
    }
    return !this.#isStopped;
  }

  /** @throws ProtocolError when it is for more than was sent */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (bytes === 0 || this.#credit > this.#windowBytes)
      throw new ProtocolError('Cannot read a credit: it is for more than was sent');
    this.#wakeUp();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/**
 * A body as it arrives. What is taken of it is granted back to its sender, so that more may come. It can be read once.
 */
export class CreditedReceiver implements AsyncIterable<Uint8Array> {
  readonly #windowBytes: number;
  readonly #grant: (bytes: number) => void;
  readonly #pieces: Uint8Array[] = [];
  #owedBytes = 0;
  #takenBytes = 0;
  #isComplete = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(windowBytes: number, grant: (bytes: number) => void) {
    this.#windowBytes = windowBytes;
    this.#grant = grant;
  }

  /** The sender has said that this is all, or it is known that no more will come. */
  get isOver(): boolean {
    return this.#isComplete || this.#error !== null;
  }

  /** The next piece arrives; it must not be written to again. @throws ProtocolError when it was not owed */
  push(piece: Uint8Array): void {
    if (this.#isComplete) throw new ProtocolError('Cannot read a body: more comes after its end');
    // A sender may overdraw by its last piece.
    if (this.#owedBytes >= this.#windowBytes)
      throw new ProtocolError('Cannot read a body: more comes than was granted');
    this.#owedBytes += piece.length + CHUNK_COST_BYTES;
    if (this.#error !== null) return;
    this.#pieces.push(piece);
    this.#wakeUp();
  }

  /** @throws ProtocolError when it was complete before */
  end(): void {
    if (this.#isComplete) throw new ProtocolError('Cannot read a body: its end comes twice');
    this.#isComplete = true;
    this.#wakeUp();
  }

  /** No more comes: who reads gets the error. What was not read yet is dropped. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#pieces.length = 0;
    this.#wakeUp();
  }

  /** The next piece, null at the end. @throws what {@link fail} was told */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#takenBytes += piece.length + CHUNK_COST_BYTES;
        // A quarter of the window at a time: often enough to keep it moving, seldom enough to cost nothing.
        if (this.#takenBytes >= this.#windowBytes / 4 && !this.#isComplete) {
          this.#owedBytes -= this.#takenBytes;
          this.#grant(this.#takenBytes);
          this.#takenBytes = 0;
        }
        return piece;
      }
      if (this.#isComplete) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (let piece = await this.next(); piece !== null; piece = await this.next()) yield piece;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
