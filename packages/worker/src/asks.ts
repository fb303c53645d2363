import type { AsyncLocalStorage } from 'node:async_hooks';
import {
  ASK_HEAD_MAX_BYTES,
  ASK_STREAMS_MAX_COUNT,
  ASK_WINDOW_BYTES,
  ASKS_MAX_COUNT,
  CreditedReceiver,
  CreditedSender,
  type Failure,
  type FrameWriter,
  readAnswer,
  readFailure,
  ToHost,
  ToWorker,
  UnderWay,
  writeAsk,
} from '@custodian/protocol';

/** An ask was not answered, or not to its end. `code` says why; a service has codes of its own. */
export class AskError extends Error {
  override readonly name = 'AskError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What came back. Its body must be read to its end or cancelled: few answers with a body are under way at once. */
export interface Answer {
  readonly head: Uint8Array;
  /** Pieces as they come; they are the reader's. Null when there is none. @throws AskError in the middle of it */
  readonly body: AsyncIterable<Uint8Array> | null;
  /** The head as JSON. */
  json(): unknown;
  /** The whole body. @throws AskError `ASK_TOO_LARGE` when it is longer than `maxBytes`, which cancels it */
  bytes(maxBytes: number): Promise<Uint8Array>;
  /** No more of it is wanted. */
  cancel(): void;
}

export interface AskOptions {
  body?: Uint8Array | AsyncIterable<Uint8Array> | null;
  signal?: AbortSignal | null;
}

const ID_MAX = 0xffffffff;

/** The asks of one thread. */
export class Asks {
  readonly #writer: FrameWriter;
  readonly #open = new UnderWay<OpenAsk>();
  readonly #waiting: OpenAsk[] = [];
  #streamCount = 0;
  #lastId = 0;
  #requests: AsyncLocalStorage<number> | null = null;
  /** The request that runs, where they run one after another; 0: none. */
  runningRequest: () => number = () => 0;
  /** The last one that has asked for something while it ran. */
  #lastAsker = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** The thread has asked once. Until then nobody pays for the possibility. */
  get isUsed(): boolean {
    return this.#requests !== null;
  }

  /** Runs a request so that what it asks for is known to be its own. */
  within(request: number, run: () => void): void {
    this.#requests?.run(request, run);
  }

  /** The request is answered: what it still asks for is cancelled. @returns whether it ran by itself and has asked for anything */
  requestOver(request: number): boolean {
    for (const ask of [...this.#open.values(), ...this.#waiting])
      if (ask.request === request) ask.cancel('the request that asked is over');
    return request === this.#lastAsker;
  }

  async ask(service: string, head: unknown, options: AskOptions = {}): Promise<Answer> {
    const bytes = head instanceof Uint8Array ? head : Buffer.from(JSON.stringify(head));
    if (bytes.length > ASK_HEAD_MAX_BYTES)
      throw new AskError('ASK_TOO_LARGE', `Cannot ask for "${service}": the head takes ${bytes.length} bytes`);
    const { body = null, signal = null } = options;
    if (signal?.aborted) throw signal.reason;
    if (this.#requests === null) {
      const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');
      this.#requests = new AsyncLocalStorage();
    }
    const request = this.#requests.getStore() ?? this.runningRequest();
    if (request === this.runningRequest()) this.#lastAsker = request;
    const ask = new OpenAsk(this.#writer, { request, service, head: bytes, body }, () => this.#over(ask));
    this.#waiting.push(ask);
    this.#openWaiting();
    if (signal === null) return ask.answered;
    const onAbort = (): void => ask.cancel('it was aborted', signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    ask.whenOver = () => signal.removeEventListener('abort', onAbort);
    return ask.answered;
  }

  /** A frame of the acceptor. */
  onFrame(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    // One that was cancelled meanwhile has its last word on its way.
    this.#open.get(id)?.onFrame(type, buffer, start, end);
  }

  /** Within the bounds that the acceptor sets. */
  #openWaiting(): void {
    for (let at = 0; at < this.#waiting.length && this.#open.size < ASKS_MAX_COUNT;) {
      const ask = this.#waiting[at] as OpenAsk;
      if (ask.hasBody && this.#streamCount >= ASK_STREAMS_MAX_COUNT) {
        at++;
        continue;
      }
      this.#waiting.splice(at, 1);
      if (ask.hasBody) this.#streamCount++;
      do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
      while (this.#open.has(this.#lastId));
      this.#open.add(this.#lastId, ask);
      ask.open(this.#lastId);
    }
  }

  #over(ask: OpenAsk): void {
    if (this.#open.delete(ask.id)) {
      if (ask.hasBody) this.#streamCount--;
    } else this.#waiting.splice(this.#waiting.indexOf(ask), 1);
    this.#openWaiting();
  }
}

/** One ask, from its beginning to its last word. */
class OpenAsk {
  readonly request: number;
  readonly hasBody: boolean;
  readonly answered: Promise<Answer>;
  /** 0: it waits for others to be over. */
  id = 0;
  whenOver: (() => void) | null = null;
  readonly #writer: FrameWriter;
  readonly #ask: { service: string; head: Uint8Array; body: NonNullable<AskOptions['body']> | null };
  readonly #onOver: () => void;
  #sender: CreditedSender | null = null;
  #answerBody: CreditedReceiver | null = null;
  #isOver = false;
  #resolve: (answer: Answer) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(
    writer: FrameWriter,
    ask: { request: number; service: string; head: Uint8Array; body: NonNullable<AskOptions['body']> | null },
    onOver: () => void,
  ) {
    this.#writer = writer;
    this.request = ask.request;
    this.hasBody = ask.body !== null;
    this.#ask = ask;
    this.#onOver = onOver;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  open(id: number): void {
    this.id = id;
    const { service, head, body } = this.#ask;
    writeAsk(this.#writer, id, { request: this.request, service, head, hasBody: body !== null });
    if (body !== null) void this.#sendBody(body);
  }

  onFrame(type: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case ToWorker.Answer:
        return this.#onAnswer(readAnswer(buffer, start, end));
      case ToWorker.AnswerBody:
        return this.#answerBody?.push(Buffer.from(buffer.subarray(start, end)));
      case ToWorker.AnswerEnd:
        this.#answerBody?.end();
        return this.#over();
      case ToWorker.AnswerFail:
        return this.#fail(errorOf(readFailure(buffer.toString('utf8', start, end))));
      case ToWorker.AskCredit:
        return this.#sender?.grant(buffer.readUInt32BE(start));
    }
  }

  cancel(state: string, reason?: Error): void {
    this.#fail(reason ?? new AskError('ASK_CANCELLED', `Cannot ask for "${this.#ask.service}": ${state}`));
  }

  #onAnswer({ head, hasBody }: { head: Buffer; hasBody: boolean }): void {
    const body = hasBody
      ? new CreditedReceiver(ASK_WINDOW_BYTES, (bytes) => {
          if (!this.#isOver) this.#writer.frameU32(ToHost.AnswerCredit, this.id, bytes);
        })
      : null;
    this.#answerBody = body;
    const cancel = (): void => this.cancel('its answer was cancelled');
    this.#resolve({
      head,
      body,
      json: () => JSON.parse(head.toString()) as unknown,
      bytes: (maxBytes) => collect(body, maxBytes, cancel),
      cancel,
    });
    if (!hasBody) this.#over();
  }

  async #sendBody(body: NonNullable<AskOptions['body']>): Promise<void> {
    const sender = new CreditedSender(this.#writer, ToHost.AskBody, this.id, ASK_WINDOW_BYTES);
    this.#sender = sender;
    try {
      if (body instanceof Uint8Array) await sender.send(body);
      else for await (const piece of body) if (!(await sender.send(piece))) break;
      if (!this.#isOver) this.#writer.frame(ToHost.AskEnd, this.id);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#answerBody?.fail(error);
    this.#reject(error);
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sender?.stop();
    if (this.id !== 0) this.#writer.frame(ToHost.AskOver, this.id);
    this.#onOver();
    this.whenOver?.();
  }
}

async function collect(body: CreditedReceiver | null, maxBytes: number, cancel: () => void): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) {
      cancel();
      throw new AskError('ASK_TOO_LARGE', `Cannot read an answer: it is longer than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}

function errorOf({ code, message }: Failure): AskError {
  return new AskError(code ?? 'ASK_FAILED', message);
}

let threadAsks: Asks | null = null;

/** The thread can ask from now on. */
export function openAsks(writer: FrameWriter): Asks {
  return (threadAsks = new Asks(writer));
}

/**
 * Asks the acceptor's service of that name for something. What a request asks for is cancelled when the request has
 * been answered.
 * @param head bytes, or what becomes JSON; 16 KB at the most
 * @throws AskError with the service's code, or `ASK_NO_SERVICE`, `ASK_CANCELLED`, `ASK_FAILED`, `ASK_BUSY`, `ASK_TOO_LARGE`
 * @example const answer = await ask('file-box', { get: 'counter' }); const value = await answer.bytes(1 << 20);
 */
export function ask(service: string, head: unknown, options?: AskOptions): Promise<Answer> {
  if (threadAsks === null)
    return Promise.reject(new AskError('ASK_NO_SERVICE', `Cannot ask for "${service}": no host is there`));
  return threadAsks.ask(service, head, options);
}
