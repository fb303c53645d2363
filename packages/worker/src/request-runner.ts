import {
  CHUNK_MAX_BYTES,
  type FrameWriter,
  HEAD_MAX_BYTES,
  isBodiless,
  type LeaseOrder,
  RequestHead,
  type RunningRequest,
  ToHost,
  UnderWay,
  type Usage,
  writeHead,
  writeReply,
} from '@custodian/protocol';
import type { Asks } from './asks.ts';
import type { Collector } from './collector.ts';
import { authorsFailure, directoryOf } from './failure-source.ts';
import { ResponseTypeError } from './http/reply-head.ts';
import { type Reply, toReply } from './http/reply.ts';
import { MultipartForm } from './http/multipart-form.ts';
import { isCoded, needsForm, readForm, readWhole } from './http/received-body.ts';
import { ServletRequest } from './http/request.ts';
import { ClientGoneError, RequestBody } from './request-body.ts';
import { requestClock } from './request-clock.ts';
import { ResponseBody } from './response-body.ts';
import type { Servlet } from './servlet/servlet.ts';
import { readUpload } from './uploads.ts';

/** Below this a request's CPU time is taken to be its wall time: asking the kernel would cost more than it did. */
const CPU_FROM_WALL_MAX_MS = 0.2;

// As they were before the servlet ran, which could else say that it costs nothing.
const now: () => number = performance.now.bind(performance);
const threadCpuUsage = process.threadCpuUsage.bind(process);
const { max, min, round } = Math;

/** What the runner shares with the rest of its thread. */
export interface RunnerThread {
  writer: FrameWriter;
  running: RunningRequest;
  collector: Collector;
  asks: Asks;
}

/** A request that has arrived. */
interface Pending {
  readonly id: number;
  readonly head: RequestHead;
  readonly requestBody: RequestBody | null;
  /** What the servlet got; null before. */
  servletRequest: ServletRequest | null;
  responseBody: ResponseBody | null;
  pieces: AsyncIterator<Uint8Array | string> | null;
  startedAt: number;
  isAborted: boolean;
  hasClientEnded: boolean;
}

/**
 * Runs the requests of one thread. With `unit: 'servlet'` they overlap. Otherwise they run strictly one after
 * another, and each start is a claim that the supervisor can refuse: see {@link RunningRequest}.
 */
export class RequestRunner {
  readonly #servlet: Servlet;
  readonly #name: string;
  readonly #isSequential: boolean;
  /** Where the author's lines are, in development. */
  readonly #directory: string | null;
  readonly #writer: FrameWriter;
  readonly #running: RunningRequest;
  readonly #collector: Collector;
  readonly #asks: Asks;
  readonly #pending = new UnderWay<Pending>();
  readonly #queue: Pending[] = [];
  #current: Pending | null = null;
  #isTaking = false;
  #chargedCpuMs: number = threadCpuMs();

  constructor(servlet: Servlet, order: LeaseOrder, thread: RunnerThread) {
    this.#servlet = servlet;
    this.#name = order.servletName;
    this.#isSequential = order.unit !== 'servlet';
    this.#directory = order.isDevelopment ? directoryOf(order.servletUrl) : null;
    this.#writer = thread.writer;
    this.#running = thread.running;
    this.#collector = thread.collector;
    this.#asks = thread.asks;
    this.#asks.runningRequest = () => this.#current?.id ?? 0;
  }

  onRequest(id: number, buffer: Buffer, start: number, end: number): void {
    const head = new RequestHead(buffer, start, end);
    const request: Pending = {
      id,
      head,
      requestBody: head.hasBody ? new RequestBody(id, this.#writer) : null,
      servletRequest: null,
      responseBody: null,
      pieces: null,
      startedAt: 0,
      isAborted: false,
      hasClientEnded: false,
    };
    this.#pending.add(id, request);
    if (this.#isSequential) this.#queue.push(request);
    else this.#start(request);
  }

  onBody(id: number, piece: Uint8Array): void {
    this.#pending.get(id)?.requestBody?.push(piece);
    this.#collector.moved(piece.length);
  }

  onBodyEnd(id: number): void {
    this.#pending.get(id)?.requestBody?.complete();
  }

  onAbort(id: number): void {
    const request = this.#pending.get(id);
    if (request === undefined) return;
    request.isAborted = true;
    request.requestBody?.abort();
    request.responseBody?.abort();
    request.servletRequest?.setGone();
    if (request.pieces !== null) giveUp(request.pieces);
    // A servlet that is still at it has the thread to itself; where requests overlap, nobody waits for it to come back.
    if (request.pieces === null && this.#isSequential) return;
    if (request.servletRequest !== null) this.#servlet.giveUp?.(request.servletRequest);
    this.#fail(request, new ClientGoneError('Cannot send the response: the client is gone'));
  }

  /** Who waits for something on the client's behalf can stop; an answer is sent nevertheless. */
  onClientEnd(id: number): void {
    const request = this.#pending.get(id);
    if (request === undefined) return;
    request.hasClientEnded = true;
    request.servletRequest?.setGone();
  }

  onCredit(id: number, bytes: number): void {
    this.#pending.get(id)?.responseBody?.grant(bytes);
  }

  /** Starts what has arrived. Called after each read, so that what the acceptor sent together is seen together. */
  runQueued(): void {
    this.#isTaking = true;
    while (this.#current === null) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      if (!this.#running.start(request.id)) {
        this.#giveBack(request);
        continue;
      }
      this.#current = request;
      this.#start(request);
    }
    this.#isTaking = false;
  }

  #giveBack(request: Pending): void {
    this.#pending.delete(request.id);
    this.#writer.frame(ToHost.NotStarted, request.id);
  }

  #start(request: Pending): void {
    request.startedAt = now();
    requestClock.startedAt = request.startedAt;
    if (this.#asks.isUsed) this.#asks.within(request.id, () => this.#run(request));
    else this.#run(request);
  }

  #run(request: Pending): void {
    try {
      const servletRequest = new ServletRequest(request.head, request.requestBody);
      request.servletRequest = servletRequest;
      if (request.hasClientEnded) servletRequest.setGone();
      if (request.requestBody !== null && this.#needsForm(request.head))
        void this.#runForm(request, servletRequest, request.requestBody);
      else this.#settle(request, this.#servlet.handle(servletRequest));
    } catch (error) {
      this.#fail(request, error);
    }
  }

  #needsForm(head: RequestHead): boolean {
    if (head.hasForm) return true;
    const servlet = this.#servlet;
    if (servlet.readsForm !== undefined) return needsForm(head) && servlet.readsForm(head.url);
    return servlet.kind === 'servlet' && !servlet.takesRawBody && needsForm(head);
  }

  async #runForm(request: Pending, servletRequest: ServletRequest, body: RequestBody): Promise<void> {
    try {
      if (request.head.hasForm)
        servletRequest.setMultipart(new MultipartForm(await readWhole(body, Infinity), readUpload));
      else if (isCoded(request.head)) servletRequest.setFormCoded();
      else servletRequest.setForm(await readForm(body));
      this.#settle(request, this.#servlet.handle(servletRequest));
    } catch (error) {
      this.#fail(request, error);
    }
  }

  #settle(request: Pending, result: unknown): void {
    if (isThenable(result)) {
      result.then(
        (value) => this.#reply(request, value),
        (error: unknown) => this.#fail(request, error),
      );
    } else this.#reply(request, result);
  }

  #reply(request: Pending, value: unknown): void {
    try {
      const reply = toReply(value, this.#name);
      if (reply instanceof Promise) {
        reply.then(
          (settled) => this.#send(request, settled),
          (error: unknown) => this.#fail(request, error),
        );
      } else this.#send(request, reply);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  #send(request: Pending, reply: Reply): void {
    if (!this.#pending.has(request.id)) return;
    if (reply.headerLines.length > HEAD_MAX_BYTES || reply.reason.length > 255) {
      this.#fail(request, new RangeError('Cannot send the response: its head is too long'));
      return;
    }
    const { body } = reply;
    if (
      typeof body === 'string'
        ? body.length * 3 <= CHUNK_MAX_BYTES
        : body instanceof Uint8Array && body.length <= CHUNK_MAX_BYTES
    ) {
      const whole = body as string | Uint8Array;
      writeReply(this.#writer, request.id, this.#usage(request), reply.status, reply.reason, reply.headerLines, whole);
      this.#finish(request);
      return;
    }
    void this.#stream(request, reply);
  }

  async #stream(request: Pending, reply: Reply): Promise<void> {
    try {
      const whole =
        typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body instanceof Uint8Array ? reply.body : null;
      const bytes = whole === null ? reply.bodyBytes : whole.length;
      writeHead(this.#writer, request.id, this.#usage(request), reply.status, reply.reason, reply.headerLines, bytes);
      const body = new ResponseBody(request.id, this.#writer);
      request.responseBody = body;
      if (request.isAborted) body.abort();
      const hasNoBody = isBodiless(request.head.method, reply.status);
      if (whole === null)
        await this.#sendPieces(
          request,
          body,
          reply.body as AsyncIterable<Uint8Array | string>,
          hasNoBody ? null : bytes,
        );
      else if (!hasNoBody) await body.send(whole);
      if (!this.#pending.has(request.id)) return;
      this.#writer.frame(ToHost.End, request.id, usageBytes(this.#usage(request)));
      this.#finish(request);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  /** `declaredBytes`: -1 when they are not known; null: nobody gets any. */
  async #sendPieces(
    request: Pending,
    body: ResponseBody,
    iterable: AsyncIterable<Uint8Array | string>,
    declaredBytes: number | null,
  ): Promise<void> {
    const pieces = iterable[Symbol.asyncIterator]();
    request.pieces = pieces;
    if (declaredBytes === null) return giveUp(pieces);
    let bytes = 0;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      const piece = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
      bytes += piece.length;
      if (declaredBytes >= 0 && bytes > declaredBytes) {
        giveUp(pieces);
        throw this.#wrongLength(`more than the ${declaredBytes}`);
      }
      await body.send(piece);
      this.#collector.moved(piece.length);
    }
    if (bytes < declaredBytes) throw this.#wrongLength(`${bytes} of the ${declaredBytes}`);
  }

  #wrongLength(found: string): ResponseTypeError {
    return new ResponseTypeError(
      `Cannot send what servlet "${this.#name}" streams: it is ${found} bytes that its Content-Length declares`,
    );
  }

  #fail(request: Pending, error: unknown): void {
    // A stream that was given up when its client went away may fail once more.
    if (!this.#pending.has(request.id)) return;
    const failure = Buffer.from(JSON.stringify(authorsFailure(error, this.#directory)));
    this.#writer.frame(ToHost.Fail, request.id, Buffer.concat([usageBytes(this.#usage(request)), failure]));
    this.#finish(request);
  }

  #finish(request: Pending): void {
    this.#pending.delete(request.id);
    const hasAsked = this.#asks.isUsed && this.#asks.requestOver(request.id);
    request.requestBody?.answered();
    if (!this.#isSequential) return;
    // The answer to a request that should not be repeated, or may have changed what others see, leaves before anything can stall this
    // thread or take it down.
    if (hasAsked || !request.head.isSafe) this.#writer.flush();
    this.#running.finish();
    const wasCurrent = this.#current === request;
    this.#current = null;
    // Within the loop of `runQueued` the next one has its turn anyhow; after a wait nobody else would see to it.
    if (wasCurrent && !this.#isTaking && this.#queue.length > 0) queueMicrotask(() => this.runQueued());
  }

  #usage(request: Pending): Usage {
    const wallMs = now() - request.startedAt;
    let cpuMs = wallMs;
    if (wallMs < CPU_FROM_WALL_MAX_MS) this.#chargedCpuMs += wallMs;
    else {
      const nowMs = threadCpuMs();
      cpuMs = max(0, nowMs - this.#chargedCpuMs);
      this.#chargedCpuMs = nowMs;
    }
    return {
      cpuMicros: min(0xffffffff, round(cpuMs * 1000)),
      wallMicros: min(0xffffffff, round(wallMs * 1000)),
    };
  }
}

// Not awaited: an author's generator that is stuck does not return either, and the thread must go on.
function giveUp(pieces: AsyncIterator<unknown>): void {
  void pieces.return?.().catch(() => {});
}

function threadCpuMs(): number {
  const usage = threadCpuUsage();
  return (usage.user + usage.system) / 1000;
}

function usageBytes(usage: Usage): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(usage.cpuMicros, 0);
  bytes.writeUInt32BE(usage.wallMicros, 4);
  return bytes;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
