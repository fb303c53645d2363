import type { Socket } from 'node:net';
import { FRAME_HEAD_BYTES, type FrameWriter, ProtocolError } from '@custodian/protocol';
import { ByteBudget } from './byte-budget.ts';

/** What a thread may send in a second without being owed it before it is taken for hostile. */
const STRAY_FRAMES_PER_SECOND = 1000;
const LOG_BYTES_PER_SECOND = 1 << 20;
/** A thread that asks for more in a second is not read until the next one. */
const ASKS_PER_SECOND = 10_000;
const PAUSE_MS = 200;
/** The same of one that says more often what it holds. */
const HOLDINGS_PER_SECOND = 10_000;
/** Nor is one that has left so much unread of what it asked for. */
const UNREAD_MAX_BYTES = 8 << 20;

/** How much a thread may say of its own accord. */
export class Allowance {
  readonly #channel: Socket;
  readonly #writer: FrameWriter;
  readonly #strays = new ByteBudget(STRAY_FRAMES_PER_SECOND);
  readonly #log = new ByteBudget(LOG_BYTES_PER_SECOND);
  readonly #asks = new ByteBudget(ASKS_PER_SECOND);
  readonly #holdings = new ByteBudget(HOLDINGS_PER_SECOND);

  constructor(channel: Socket, writer: FrameWriter) {
    this.#channel = channel;
    this.#writer = writer;
  }

  /** A frame that is for nothing. @throws ProtocolError */
  takeStray(): void {
    if (!this.#strays.take(1)) throw new ProtocolError('Cannot read a frame: too many are for no request');
  }

  /** @throws ProtocolError */
  takeLog(bytes: number): void {
    if (!this.#log.take(bytes + FRAME_HEAD_BYTES))
      throw new ProtocolError('Cannot read a log line: there is too much output in a second');
  }

  /** Who does not read what it asked for, or asks too often, is not read either, until it has, or for a while. */
  takeAsk(): void {
    if (this.#channel.isPaused()) return;
    const hasUnread = this.#writer.bufferedBytes > UNREAD_MAX_BYTES;
    if (!hasUnread && this.#asks.take(1)) return;
    if (!hasUnread) return this.#pause();
    this.#channel.pause();
    this.#channel.once('drain', () => this.#channel.resume());
  }

  /** Who says too often what it holds is not read for a while. */
  takeHolding(): void {
    if (!this.#channel.isPaused() && !this.#holdings.take(1)) this.#pause();
  }

  #pause(): void {
    this.#channel.pause();
    setTimeout(() => this.#channel.resume(), PAUSE_MS).unref();
  }
}
