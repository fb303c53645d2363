import { ClientGoneError } from '../request-body.ts';
import type { BodyWriter, WrittenBody } from './reply.ts';

/** The pieces that a function writes. It runs from the first time that one is asked for. */
export function writtenPieces(write: WrittenBody): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: () => new WrittenPieces(write) };
}

interface WrittenPiece {
  value: unknown;
  /** Settles the author's `write()`. */
  sent: PromiseWithResolvers<void>;
}

class WrittenPieces implements AsyncIterator<unknown, void>, BodyWriter {
  readonly #write: WrittenBody;
  readonly #gone = new AbortController();
  readonly #pieces: WrittenPiece[] = [];
  /** The piece that the client is taking. */
  #underWay: WrittenPiece | null = null;
  #hasBegun = false;
  /** The function is through; `error`: it threw. */
  #end: { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  constructor(write: WrittenBody) {
    this.#write = write;
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  write(value: unknown): Promise<void> {
    const sent = Promise.withResolvers<void>();
    // Whoever does not await it must not fail for that.
    sent.promise.catch(() => {});
    if (this.signal.aborted) sent.reject(this.signal.reason);
    else if (this.#end !== null)
      sent.reject(new TypeError('Cannot write to a response: its function has returned before'));
    else {
      this.#pieces.push({ value, sent });
      this.#wakeUp();
    }
    return sent.promise;
  }

  async next(): Promise<IteratorResult<unknown, void>> {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      void this.#run();
    }
    // That the next piece is wanted says that the last one has been taken.
    this.#underWay?.sent.resolve();
    this.#underWay = null;
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#underWay = piece;
        return { done: false, value: piece.value };
      }
      if (this.signal.aborted) return { done: true, value: undefined };
      if (this.#end?.error != null) throw this.#end.error;
      if (this.#end !== null) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<unknown, void>> {
    this.#hasBegun = true;
    if (!this.signal.aborted) {
      const error = new ClientGoneError('Cannot send the response: the client is gone');
      this.#gone.abort(error);
      this.#underWay?.sent.reject(error);
      for (const piece of this.#pieces.splice(0)) piece.sent.reject(error);
      this.#wakeUp();
    }
    return { done: true, value: undefined };
  }

  async #run(): Promise<void> {
    try {
      await this.#write(this);
      this.#end = { error: null };
    } catch (error) {
      this.#end = { error: error ?? new Error('Cannot send the response: its function threw nothing') };
    }
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
