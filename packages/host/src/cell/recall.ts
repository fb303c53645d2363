import { ProtocolError, type UnderWay } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import { Revocation } from './revocation.ts';

/** How long an answer may take to arrive that its thread has made. Whoever asked for one that lies in a stalled thread waits as long. */
const ON_ITS_WAY_MS = 10;

/** The thread whose exchanges are taken back, as far as that matters. */
export interface Recallable {
  readonly exchanges: UnderWay<Exchange>;
  readonly state: 'starting' | 'ready' | 'stalled' | 'ending' | 'gone';
  /** The request that its supervisor saw it at, last. */
  readonly seenRunning: number;
  /** Its supervisor is to close its intake, or to open it again. */
  sendRound(type: 'revoke' | 'restore', round: number): void;
  /** It is stalled, and may be used again. */
  reopen(): void;
  /** These are to be given to others; none: it may be given something again. */
  onReturned(exchanges: Exchange[]): void;
  onMalformed(error: ProtocolError): void;
}

/** Takes back from a stalled thread what others can do meanwhile, and says when the thread can be used again. */
export class Recall {
  readonly #lease: Recallable;
  readonly #revocation = new Revocation();

  constructor(lease: Recallable) {
    this.#lease = lease;
  }

  /** There is nothing to ask back of a thread that its supervisor sees at the only request that it was given. */
  ask(): void {
    const { exchanges, seenRunning } = this.#lease;
    if (exchanges.size === 1 && exchanges.oldest?.requestId === seenRunning) return;
    this.#lease.sendRound('revoke', this.#revocation.ask());
  }

  /** What was given to it is behind something else, or its answer is. */
  onSample(): void {
    if (this.#lease.state === 'stalled' && this.#lease.exchanges.size > 0 && this.#revocation.isNone) this.ask();
  }

  /** The intake is closed, and the thread was at this request, or through with it. */
  onRevoked(round: number, last: number, isOver: boolean): void {
    if (!this.#revocation.onRevoked(round)) return;
    const answered: Exchange[] = [];
    const behind: Exchange[] = [];
    // When the answer to the last claim is here already, everything that is left is behind it.
    let isBehind = !this.#lease.exchanges.has(last);
    for (const [id, exchange] of this.#lease.exchanges.entries()) {
      if (!isBehind) {
        isBehind = id === last;
        if (id !== last || isOver) answered.push(exchange);
      } else if (exchange.hasBegun)
        return this.#lease.onMalformed(new ProtocolError('Cannot take back a request: it has been begun'));
      else behind.push(exchange);
    }
    this.#takeBack(behind);
    if (!answered.some(({ isRepeatable }) => isRepeatable)) return;
    // What has arrived by then is read before it is judged.
    setTimeout(() => setImmediate(() => this.#takeBackAnswered(answered)), ON_ITS_WAY_MS).unref();
  }

  /** The intake is open. */
  onRestored(round: number): void {
    if (!this.#revocation.onRestored(round) || this.#lease.state !== 'stalled') return;
    this.#lease.reopen();
    this.#lease.onReturned([]);
  }

  /** The thread gives a request back. @returns false when it was given no such one @throws ProtocolError when nobody asked it back, or it was begun */
  onNotStarted(id: number): boolean {
    if (this.#revocation.moved.delete(id)) {
      this.restoreWhenBack();
      // Who waits for this very thread must hear of it.
      if (this.#lease.state === 'ready') this.#lease.onReturned([]);
      return true;
    }
    const exchange = this.#lease.exchanges.get(id);
    if (exchange === undefined) return false;
    // Nothing is given to a thread from when it is asked until its intake is open again: what it has was asked back, or was not.
    if (this.#revocation.isNone) throw new ProtocolError('Cannot take back a request: nobody has asked for it');
    if (exchange.hasBegun) throw new ProtocolError('Cannot take back a request: it has been begun');
    // The claim was refused while the supervisor took it for running: it comes back now.
    this.#lease.exchanges.delete(id);
    exchange.takeBack();
    this.restoreWhenBack();
    this.#lease.onReturned([exchange]);
    return true;
  }

  /** What was given to another thread meanwhile is answered there; this one has answered it as well. @returns false for anything else */
  onNobodys(id: number, isOver: boolean): boolean {
    if (!this.#revocation.moved.has(id)) return false;
    if (!isOver) return true;
    this.#revocation.moved.delete(id);
    this.restoreWhenBack();
    return true;
  }

  /** A stalled thread is used again when it has answered what it ran and given back all that was moved. */
  restoreWhenBack(): void {
    if (this.#lease.exchanges.size > 0) return;
    // Nothing was asked back.
    if (this.#lease.state === 'stalled' && this.#revocation.isNone) this.#lease.reopen();
    const round = this.#revocation.restore();
    if (round !== null) this.#lease.sendRound('restore', round);
  }

  /**
   * Their answers are not on their way: they lie in the stalled thread. Whoever asked for something that may be repeated does not
   * wait for it. A body that was read can't be read again.
   */
  #takeBackAnswered(answered: readonly Exchange[]): void {
    if (this.#lease.state !== 'stalled') return;
    const isToRepeat = (each: Exchange): boolean => each.isRepeatable && !each.isHeadSent && !each.hasBegun;
    const left = answered.filter((each) => this.#lease.exchanges.get(each.requestId) === each && isToRepeat(each));
    for (const exchange of left) {
      // It has run, and not waited. Said once: whose answers lie in every thread would be kept for ever.
      if (!exchange.isRepeated) exchange.givenAt = performance.now();
      exchange.isRepeated = true;
    }
    if (left.length > 0) this.#takeBack(left);
  }

  #takeBack(exchanges: Exchange[]): void {
    for (const exchange of exchanges) {
      this.#revocation.moved.add(exchange.requestId);
      this.#lease.exchanges.delete(exchange.requestId);
      exchange.takeBack();
    }
    this.restoreWhenBack();
    this.#lease.onReturned(exchanges);
  }
}
