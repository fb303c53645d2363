import type { Socket } from 'node:net';
import {
  type Failure,
  FrameReader,
  type FrameWriter,
  ProtocolError,
  readFailure,
  readReply,
  readUsage,
  type Ready,
  ToHost,
  type UnderWay,
  type Usage,
} from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import { Allowance } from './allowance.ts';
import { readReady } from './read-ready.ts';
import type { ToldHoldings } from './told-holdings.ts';

/** Who hears what a thread says. `false`: nothing of the kind was due. */
export interface ThreadListener {
  /** What the thread has not answered yet. */
  readonly exchanges: UnderWay<Exchange>;
  readonly holdings: ToldHoldings;
  onReady(ready: Ready): boolean;
  onLoadFailed(failure: Failure): boolean;
  onAnswered(exchange: Exchange, usage: Usage, failure: Failure | null): void;
  /** A request comes back that the thread has not begun. */
  onNotStarted(id: number): boolean;
  /** The answer to a request that the thread does not have (any more) is complete, or goes on. */
  onNobodys(id: number, isOver: boolean): boolean;
  onHolding(): void;
  /** `false`: it is not listened to any more. */
  onAsk(type: number, id: number, buffer: Buffer, start: number, end: number): boolean;
  onLog(level: number, text: string): void;
  /** The channel can't be read any further. */
  onMalformed(error: ProtocolError): void;
}

/** What a thread says on its channel, frame by frame: hostile input. */
export class ThreadFrames {
  readonly #listener: ThreadListener;
  readonly #allowance: Allowance;
  #isClosed = false;

  constructor(channel: Socket, writer: FrameWriter, listener: ThreadListener) {
    this.#listener = listener;
    this.#allowance = new Allowance(channel, writer);
    const reader = new FrameReader((type, id, buffer, start, end) => this.#onFrame(type, id, buffer, start, end));
    channel.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        listener.onMalformed(error);
      }
    });
  }

  /** Nothing more is heard, what has come already included. */
  close(): void {
    this.#isClosed = true;
  }

  #onFrame(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    const listener = this.#listener;
    const exchange = listener.exchanges.get(id);
    switch (type) {
      case ToHost.Reply:
      case ToHost.Head:
      case ToHost.Chunk:
      case ToHost.End:
      case ToHost.Fail:
        if (exchange !== undefined) return this.#onAnswer(type, exchange, buffer, start, end);
        return this.#expect(listener.onNobodys(id, type !== ToHost.Head && type !== ToHost.Chunk));
      case ToHost.Credit:
        if (exchange === undefined) return this.#expect(listener.onNobodys(id, false));
        if (end - start < 4) throw new ProtocolError('Cannot read a credit: it is cut short');
        return exchange.intake().onCredit(buffer.readUInt32BE(start));
      case ToHost.Ask:
      case ToHost.AskBody:
      case ToHost.AskEnd:
      case ToHost.AskOver:
      case ToHost.AnswerCredit:
        if (listener.onAsk(type, id, buffer, start, end) && type === ToHost.Ask) this.#allowance.takeAsk();
        return;
      case ToHost.NotStarted:
        return this.#expect(listener.onNotStarted(id));
      case ToHost.Holding:
        this.#allowance.takeHolding();
        listener.holdings.onCounted(buffer, start, end);
        return listener.onHolding();
      case ToHost.Holdings:
        return this.#expect(listener.holdings.onTold(buffer.subarray(start, end)));
      case ToHost.Log:
        this.#allowance.takeLog(end - start);
        if (end > start) listener.onLog(buffer[start] as number, buffer.toString('utf8', start + 1, end));
        return;
      case ToHost.Ready:
        return this.#expect(listener.onReady(readReady(buffer.toString('utf8', start, end))));
      case ToHost.LoadFailed:
        return this.#expect(listener.onLoadFailed(readFailure(buffer.toString('utf8', start, end))));
      default:
        throw new ProtocolError(`Cannot read a frame: its type is ${type}`);
    }
  }

  #onAnswer(type: number, exchange: Exchange, buffer: Buffer, start: number, end: number): void {
    const isBegun = exchange.isHeadSent;
    const { isDone } = exchange;
    switch (type) {
      case ToHost.Reply: {
        const reply = readReply(buffer, start, end);
        if (isBegun && !isDone) throw new ProtocolError('Cannot read a response: it comes twice');
        if (!isDone) exchange.answer(reply, buffer, end);
        return this.#listener.onAnswered(exchange, reply, null);
      }
      case ToHost.Head: {
        const reply = readReply(buffer, start, end);
        if (isBegun && !isDone) throw new ProtocolError('Cannot read a response: its head comes twice');
        if (!isDone) exchange.beginAnswer(reply);
        return;
      }
      case ToHost.Chunk:
        if (!isBegun && !isDone) throw new ProtocolError('Cannot read a response: its body comes before its head');
        return exchange.sendChunk(buffer, start, end);
      case ToHost.End: {
        if (!isBegun && !isDone) throw new ProtocolError('Cannot read a response: its end comes before its head');
        const usage = readUsage(buffer, start, end);
        exchange.endAnswer(usage);
        return this.#listener.onAnswered(exchange, usage, null);
      }
      default: {
        const usage = readUsage(buffer, start, end);
        const failure = readFailure(buffer.toString('utf8', start + 8, end));
        return this.#listener.onAnswered(exchange, usage, failure);
      }
    }
  }

  /** @throws ProtocolError when too much has come in a second that nothing was due for */
  #expect(wasDue: boolean): void {
    if (!wasDue) this.#allowance.takeStray();
  }
}
