import {
  ASK_STREAMS_MAX_COUNT,
  ASK_WINDOW_BYTES,
  ASKS_MAX_COUNT,
  type AskFrame,
  CHUNK_COST_BYTES,
  CreditedReceiver,
  CreditedSender,
  type Failure,
  type FrameWriter,
  ProtocolError,
  readAsk,
  ToHost,
  ToWorker,
  UnderWay,
  writeAnswer,
} from '@custodian/protocol';
import type { HeldServlet } from '../cell/held-servlet.ts';
import type { Exchange } from '../http/exchange.ts';
import {
  type Answer,
  type Ask,
  type Holder,
  readJsonHead,
  type Service,
  ServiceError,
  type Services,
} from './service.ts';
import { Turns } from './turns.ts';

/** What the asks of a thread need from its lease. */
export interface AskSite {
  readonly services: Services;
  readonly servlet: HeldServlet;
  readonly holder: Holder;
  exchange(request: number): Exchange | null;
  /** A service found what no thread's runtime sends. */
  onMalformed(error: ProtocolError): void;
  /** A service failed for a reason of its own. */
  onFault(service: string, error: unknown): void;
}

/** The asks of one thread, from their first frame to their last: hostile input. */
export class LeaseAsks {
  readonly #writer: FrameWriter;
  readonly #site: AskSite;
  readonly #open = new UnderWay<OpenAsk>();
  readonly #turns = new Turns(ASK_STREAMS_MAX_COUNT);
  #streamCount = 0;
  /** What services work on, and what is on its way; of that also what nobody waits for any more. */
  #answeringCount = 0;
  #isClosed = false;

  constructor(writer: FrameWriter, site: AskSite) {
    this.#writer = writer;
    this.#site = site;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws ProtocolError */
  onFrame(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    if (type === ToHost.Ask) return this.#onAsk(id, readAsk(buffer, start, end));
    const ask = this.#open.get(id);
    if (ask === undefined) throw new ProtocolError('Cannot read a frame of an ask: there is none of that number');
    switch (type) {
      case ToHost.AskBody:
        return ask.intake().push(Buffer.from(buffer.subarray(start, end)));
      case ToHost.AskEnd:
        return ask.intake().end();
      case ToHost.AnswerCredit:
        if (end - start < 4) throw new ProtocolError('Cannot read a credit: it is cut short');
        return ask.grant(buffer.readUInt32BE(start));
      case ToHost.AskOver:
        this.#open.delete(id);
        if (ask.body !== null) this.#streamCount--;
        return ask.stop('Cannot answer an ask: nobody waits for it any more');
    }
  }

  /** A request is over: what it asked for is not waited for any more. */
  onRequestOver(request: number): void {
    for (const ask of this.#open.values())
      if (ask.request === request)
        ask.fail(new ServiceError('ASK_CANCELLED', 'Cannot answer an ask: its request is over'));
  }

  /** Nobody will read the answer to a request. What it does goes on; what it only waits for does not. */
  onClientGone(request: number): void {
    for (const ask of this.#open.values())
      if (ask.request === request && ask.isForClient)
        ask.fail(new ServiceError('ASK_CANCELLED', 'Cannot answer an ask: the client of its request is gone'));
  }

  /** The thread ends, and with it all that it waits for. */
  close(): void {
    this.#isClosed = true;
    for (const ask of this.#open.values()) ask.stop('Cannot answer an ask: its thread has ended');
    this.#open.clear();
    this.#turns.close();
  }

  #onAsk(id: number, frame: AskFrame): void {
    if (this.#open.has(id)) throw new ProtocolError('Cannot read an ask: its number is in use');
    if (this.#open.size >= ASKS_MAX_COUNT) throw new ProtocolError('Cannot read an ask: too many are open');
    if (frame.hasBody && ++this.#streamCount > ASK_STREAMS_MAX_COUNT)
      throw new ProtocolError('Cannot read an ask: too many with a body are open');
    const ask = new OpenAsk(this.#writer, id, frame, this.#site);
    this.#open.add(id, ask);
    const service = this.#site.services.find(frame.service);
    if (service === undefined)
      ask.fail(new ServiceError('ASK_NO_SERVICE', `Cannot ask for "${frame.service}": there is no such service`));
    else {
      ask.isForClient = service.isForClient === true;
      void this.#answer(ask, service);
    }
  }

  async #answer(ask: OpenAsk, service: Service): Promise<void> {
    this.#answeringCount++;
    try {
      if (this.#answeringCount > ASKS_MAX_COUNT) throw tooMany();
      await this.#send(ask, await service.answer(ask));
    } catch (error) {
      // Who stopped waiting is told nothing, and knows why.
      if (ask.isOver) return;
      if (error instanceof ProtocolError) this.#site.onMalformed(error);
      else if (error instanceof ServiceError) {
        if (error.cause !== undefined) this.#site.onFault(service.name, error);
        ask.fail(error);
      } else {
        this.#site.onFault(service.name, error);
        ask.fail(new ServiceError('ASK_FAILED', `Cannot answer an ask: service "${service.name}" failed`));
      }
    } finally {
      this.#answeringCount--;
    }
  }

  /** @throws ServiceError when the servlet has too much on its way already */
  async #send(ask: OpenAsk, answer: Answer): Promise<void> {
    const { body } = answer;
    if (!(body instanceof Uint8Array)) return ask.answer(answer, this.#turns);
    return this.#site.services.answers.with(ask.servlet.name, tooMany, (share) => {
      if (!share.take(body.length + ask.head.length + CHUNK_COST_BYTES)) throw tooMany();
      return ask.answer(answer, this.#turns);
    });
  }
}

/** One ask: what its service gets to see, and what becomes of the answer. */
class OpenAsk implements Ask {
  readonly servlet: HeldServlet;
  readonly exchange: Exchange | null;
  readonly holder: Holder;
  readonly head: Buffer;
  readonly body: CreditedReceiver | null;
  readonly request: number;
  isForClient = false;
  readonly #id: number;
  readonly #writer: FrameWriter;
  readonly #abort = new AbortController();
  #sender: CreditedSender | null = null;
  #isOver = false;

  constructor(writer: FrameWriter, id: number, frame: AskFrame, site: AskSite) {
    this.#writer = writer;
    this.#id = id;
    this.servlet = site.servlet;
    this.holder = site.holder;
    this.exchange = frame.request === 0 ? null : site.exchange(frame.request);
    this.head = frame.head;
    this.request = frame.request;
    this.body = frame.hasBody
      ? new CreditedReceiver(ASK_WINDOW_BYTES, (bytes) => {
          if (!this.#isOver) writer.frameU32(ToWorker.AskCredit, id, bytes);
        })
      : null;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The answer is complete, or there will be none. */
  get isOver(): boolean {
    return this.#isOver;
  }

  json(): Record<string, unknown> {
    return readJsonHead(this.head);
  }

  /** Where its body goes. @throws ProtocolError when it has none */
  intake(): CreditedReceiver {
    if (this.body === null) throw new ProtocolError('Cannot read an ask: it has no body');
    return this.body;
  }

  /** @throws ProtocolError when nothing was sent that could be granted */
  grant(bytes: number): void {
    if (this.#sender === null) throw new ProtocolError('Cannot read a credit: no answer has begun');
    this.#sender.grant(bytes);
  }

  /** Sends an answer. `turns`: so many answers with a body are under way at once. */
  async answer({ head, body = null }: Answer, turns: Turns): Promise<void> {
    if (this.#isOver) return;
    const bytes = headBytes(head);
    if (body === null) {
      writeAnswer(this.#writer, this.#id, bytes, false);
      this.#over();
      return;
    }
    const sender = new CreditedSender(this.#writer, ToWorker.AnswerBody, this.#id, ASK_WINDOW_BYTES);
    this.#sender = sender;
    writeAnswer(this.#writer, this.#id, bytes, true);
    await turns.take(this.signal);
    try {
      if (body instanceof Uint8Array) await sender.send(body);
      else for await (const piece of body) if (!(await sender.send(piece))) break;
    } finally {
      turns.release();
    }
    if (this.#isOver) return;
    this.#writer.frame(ToWorker.AnswerEnd, this.#id);
    this.#over();
  }

  /** There is no answer, or no more of it. */
  fail({ name, code, message }: ServiceError): void {
    if (this.#isOver) return;
    const failure: Failure = { name, code, message };
    this.#writer.frame(ToWorker.AnswerFail, this.#id, Buffer.from(JSON.stringify(failure)));
    this.stop(message);
  }

  /** Nobody waits any more. */
  stop(message: string): void {
    if (this.#isOver) return;
    this.#over();
    this.#abort.abort(new ServiceError('ASK_CANCELLED', message));
  }

  #over(): void {
    this.#isOver = true;
    this.#sender?.stop();
    if (this.body?.isOver === false)
      this.body.fail(new ServiceError('ASK_CANCELLED', 'Cannot read the body of an ask: the ask is over'));
  }
}

function tooMany(): ServiceError {
  return new ServiceError('ASK_BUSY', 'Cannot answer an ask: the servlet has too many answers on their way');
}

function headBytes(head: unknown): Uint8Array {
  if (head === undefined) return new Uint8Array();
  return head instanceof Uint8Array ? head : Buffer.from(JSON.stringify(head));
}
