import { BODY_WINDOW_BYTES, ProtocolError } from '@custodian/protocol';
import type { Carrier, Exchange } from './exchange.ts';

/** What a piece of a body costs beside its bytes: clients choose how small the pieces are. */
const PIECE_COST_BYTES = 256;
/** So much of a body must arrive for its client to count as sending. */
const PROGRESS_MIN_BYTES = 16 * 1024;

/** A body of more than this is not kept for a servlet that another one may leave it to. */
const REPEATABLE_MAX_BYTES = 64 * 1024;

/** Who takes a body in the place of a thread. */
export interface BodySink {
  /** `false`: no more before the intake is told to resume. */
  push(chunk: Uint8Array): boolean;
  end(): void;
}

/** A request's body on its way from the client to a thread, under the thread's credit. */
export class BodyIntake {
  /** Received so far. */
  bytes = 0;
  /** The client is not read from, because nobody takes more at present. */
  isPaused = false;
  /** Called once when the body is complete, or as much of it is here as is kept for a request that has no thread. */
  onBuffered: (() => void) | null = null;
  readonly #exchange: Exchange;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #credit = BODY_WINDOW_BYTES;
  /** What a thread has been sent that may not have begun. */
  #sent: Uint8Array[] = [];
  /** Its thread works on it. */
  isBegun = false;
  #isDropped = false;
  #progressAtBytes = 0;
  #sink: BodySink | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** As much is here as is kept for a request that has no thread. */
  get isFull(): boolean {
    return this.#queuedBytes >= BODY_WINDOW_BYTES;
  }

  /** The next piece. `false` asks the parser to stop reading. */
  push(chunk: Uint8Array): boolean {
    const exchange = this.#exchange;
    this.bytes += chunk.length;
    // While a thread waits for it, or what came of it lies in a spool, a byte now and then is no progress.
    if ((exchange.carrier === null && this.#sink === null) || this.bytes >= this.#progressAtBytes) {
      exchange.movedAt = performance.now();
      this.#progressAtBytes = this.bytes + PROGRESS_MIN_BYTES;
    }
    if (this.#isDropped || exchange.isDone) return true;
    if (this.#sink !== null) {
      this.isPaused = !this.#sink.push(chunk);
      return !this.isPaused;
    }
    if (this.bytes > exchange.bodyMaxBytes) {
      this.#isDropped = true;
      exchange.connection.onBodyTooLarge(exchange);
      return true;
    }
    if (exchange.carrier !== null && this.#credit > 0) {
      this.#send(exchange.carrier, chunk);
      this.isPaused = this.#credit <= 0;
    } else {
      this.#queue.push(chunk);
      this.#hold(chunk.length + PIECE_COST_BYTES);
      // A thread that has one is given it in a moment, and its client is made to wait till then.
      if (exchange.carrier === null && exchange.connection.site.bodies.isSpent) {
        exchange.connection.onBodiesSpent(exchange);
        return true;
      }
      this.isPaused = exchange.carrier !== null || this.isFull;
      if (this.isFull) this.#buffered();
    }
    return !this.isPaused;
  }

  /** The client has sent all of it. */
  end(): void {
    const exchange = this.#exchange;
    exchange.movedAt = performance.now();
    if (this.#isDropped || exchange.isDone) return;
    if (this.#sink !== null) this.#sink.end();
    else if (this.onBuffered !== null) this.#buffered();
    else if (this.#queue.length === 0) exchange.carrier?.endBody(exchange);
  }

  /** Gives the thread what has arrived, as far as its credit goes; reads on when there is credit left. */
  drain(carrier: Carrier): void {
    while (this.#queue.length > 0 && this.#credit > 0) {
      const chunk = this.#queue.shift() as Uint8Array;
      this.#hold(-chunk.length - PIECE_COST_BYTES);
      this.#send(carrier, chunk);
    }
    if (this.#queue.length > 0) return;
    if (this.#exchange.complete) carrier.endBody(this.#exchange);
    else if (this.#credit > 0) this.resume();
  }

  /** The client is read from again. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#exchange.movedAt = performance.now();
    this.#exchange.connection.socket.resume();
  }

  /** What is here, and all that comes, goes to `sink`, which has limits of its own. */
  divert(sink: BodySink): void {
    const queue = this.#queue.splice(0);
    this.#hold(-this.#queuedBytes);
    this.#sink = sink;
    let isTaken = true;
    for (const chunk of queue) isTaken = sink.push(chunk) && isTaken;
    if (this.#exchange.isDone) return;
    if (this.#exchange.complete) sink.end();
    else if (isTaken) this.resume();
  }

  /** The body is complete, and what a thread gets for it is this. */
  replace(pieces: Uint8Array[]): void {
    this.#sink = null;
    this.#queue = pieces;
    for (const piece of pieces) this.#hold(piece.length + PIECE_COST_BYTES);
  }

  /** The thread works on it: it can't be given to another any more, but for one that this one leaves it to. */
  begun(): void {
    this.isBegun = true;
    const { pass, isHeadSent, complete } = this.#exchange;
    const isKept = pass !== null && !isHeadSent && complete && this.bytes <= REPEATABLE_MAX_BYTES;
    if (this.#sent.length > 0 && !isKept) this.#sent = [];
  }

  /** A servlet has left the request to others: the next one gets the body from its first byte. `false`: it can't. */
  rewind(): boolean {
    const isWhole = bytesOf(this.#sent) + bytesOf(this.#queue) === this.bytes;
    if (this.#exchange.hasForm || !isWhole) return false;
    this.isBegun = false;
    this.takeBack();
    return true;
  }

  /** It comes back from a thread that has not begun it: the next one gets it from its first byte. */
  takeBack(): void {
    for (const piece of this.#sent) this.#hold(piece.length + PIECE_COST_BYTES);
    this.#queue = this.#sent.splice(0).concat(this.#queue);
    this.#credit = BODY_WINDOW_BYTES;
  }

  /** The servlet has consumed `bytes`. @throws ProtocolError when it can't have */
  onCredit(bytes: number): void {
    this.begun();
    this.#credit += bytes;
    if (bytes === 0 || this.#credit > BODY_WINDOW_BYTES)
      throw new ProtocolError('Cannot read a credit: it is for more than was sent');
    const { carrier } = this.#exchange;
    if (carrier !== null) this.drain(carrier);
  }

  /** Nobody will take it any more. */
  drop(): void {
    this.#isDropped = true;
    this.#queue = [];
    this.#sent = [];
    this.#hold(-this.#queuedBytes);
  }

  #hold(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#exchange.connection.site.bodies.heldBytes += bytes;
  }

  #buffered(): void {
    const { onBuffered } = this;
    this.onBuffered = null;
    onBuffered?.();
  }

  #send(carrier: Carrier, chunk: Uint8Array): void {
    this.#credit -= chunk.length;
    if (!this.isBegun) this.#sent.push(chunk);
    carrier.sendBody(this.#exchange, chunk);
  }
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
}

/**
 * Calls `onReady` when a request's body is here, or as much of it as is kept: so a client that sends slowly holds no
 * thread meanwhile.
 */
export function bufferBody(exchange: Exchange, onReady: () => void): void {
  const intake = exchange.intake();
  if (Math.max(exchange.bodyBytes, intake.bytes) > exchange.bodyMaxBytes) {
    exchange.connection.onBodyTooLarge(exchange);
  } else if (exchange.complete || intake.isFull) onReady();
  else intake.onBuffered = onReady;
}
