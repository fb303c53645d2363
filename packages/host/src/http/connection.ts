import type { Socket } from 'node:net';
import { Custodian, type Closable } from '../custodian.ts';
import type { Limits } from '../limits.ts';
import type { BodyBudget } from './body-budget.ts';
import { bareAnswer, type ErrorPage } from './error-page.ts';
import type { Exchange } from './exchange.ts';
import type { HostAnswer } from './host-answer.ts';
import { requestProblem } from './request-check.ts';

const connectionKey: unique symbol = Symbol('custodian.connection');

/** What node:http keeps on a socket, as far as the acceptor relies on it. */
export interface HttpSocket extends Socket {
  [connectionKey]?: Connection;
  /** The response under way: the server asks it whether a half-closed connection must stay open. */
  _httpMessage?: Exchange | null;
  _paused?: boolean;
  /** The TCP connection beneath TLS. */
  _parent?: Socket | null;
  parser?: { onIncoming(incoming: Exchange, keepAlive: boolean): number; resume(): void } | null;
}

/** The connection of a socket, if it has one already. */
export function findConnection(socket: Socket): Connection | undefined {
  return (socket as HttpSocket)[connectionKey];
}

export function connectionOf(socket: Socket): Connection {
  const connection = findConnection(socket);
  if (connection === undefined) throw new Error('Cannot read a request: its socket has no connection');
  return connection;
}

/** Pipelined requests that may wait for their turn before reading stops. */
const PIPELINE_MAX_COUNT = 16;
/** Bytes of answers that a client may leave unread before its next request has its turn. */
const UNREAD_MAX_BYTES = 64 * 1024;
/** How long a connection that is closing keeps reading what its client still sends, so that the answer is not lost to a reset. */
const LINGER_MS = 2000;

/** What a connection needs from its host. */
export interface ConnectionSite {
  readonly limits: Limits;
  readonly bodies: BodyBudget;
  /** Every connection ends after its first request. */
  readonly isOneRequestEach: boolean;
  /** Gets each exchange when its turn on its connection has come. */
  onExchange(exchange: Exchange): void;
  /** The host refuses a request, or what could not be read as one (`exchange` is null). */
  onRefusal(refusal: { code: string; status: number }, connection: Connection, exchange: Exchange | null): void;
  /** A client could not agree with the host on TLS. */
  onHandshakeFailure(clientIp: string, error: NodeJS.ErrnoException): void;
  /** What to answer in the place of a page of the host's own; null: that page. */
  pageInstead(page: ErrorPage, exchange: Exchange): HostAnswer | null;
  /** Hears of every exchange that is over; null when nobody wants to. */
  readonly onDone: ((exchange: Exchange) => void) | null;
}

/** One client connection: its exchanges run one after the other, and its custodian holds all that it has. */
export class Connection implements Closable {
  readonly socket: HttpSocket;
  readonly clientIp: string;
  /** The address and port of this host that the client has connected to. */
  readonly hostIp: string;
  readonly hostPort: number;
  /** Over TLS. */
  readonly isSecure: boolean;
  readonly label: string;
  readonly custodian: Custodian;
  /** No further request is taken. */
  isClosing = false;
  /** The client has closed its side; it may still read. */
  hasClientEnded = false;
  current: Exchange | null = null;
  readonly site: ConnectionSite;
  readonly #waiting: Exchange[] = [];
  readonly #limits: Limits;
  /** When the connection became idle. */
  #idleSince: number = performance.now();
  #lingersSince = 0;
  /** What follows the requests that were readable; it is due when they are answered. */
  #refusal: ErrorPage | null = null;
  #served = 0;
  #isTaking = false;

  constructor(socket: HttpSocket, listener: Custodian, site: ConnectionSite) {
    this.socket = socket;
    this.site = site;
    this.#limits = site.limits;
    this.clientIp = socket.remoteAddress ?? '';
    this.hostIp = socket.localAddress ?? '';
    this.hostPort = socket.localPort ?? 0;
    this.isSecure = 'encrypted' in socket;
    this.label = `connection ${this.clientIp}:${socket.remotePort ?? 0}`;
    this.custodian = new Custodian(this.label, listener);
    this.custodian.own(this);
    socket[connectionKey] = this;
    if (socket.parser == null)
      throw new Error('Cannot serve a connection: this Node has no HTTP parser on its sockets');
    socket.parser.onIncoming = (exchange, keepAlive) => this.#onIncoming(exchange, keepAlive);
    socket.once('close', () => this.#onClose());
    socket.once('end', () => this.#onClientEnd());
  }

  /** Ends the connection now. A body that ends with it is not complete, which only a reset tells the client. */
  close(): void {
    // Most clients take a session of TLS that ends without a word for one that is over: it is reset beneath.
    if (this.current?.endsWithConnection === true) (this.socket._parent ?? this.socket).resetAndDestroy();
    this.socket.destroy();
  }

  /** No further request; the connection ends when the present one is answered, or now when there is none. */
  drain(): void {
    this.isClosing = true;
    if (this.current === null) this.socket.destroySoon();
  }

  /** An exchange is answered: the next one has its turn, or the connection ends. */
  onExchangeDone(exchange: Exchange): void {
    this.current = null;
    this.socket._httpMessage = null;
    this.#served++;
    this.#idleSince = performance.now();
    this.site.onDone?.(exchange);
    const next = this.#waiting[0];
    if (!exchange.keepAlive) this.#end(exchange);
    else if (next !== undefined) {
      // The client's half-close came while this one was the last to be seen; it is not the last to be answered.
      next._last = exchange._last;
      this.#takeTurns();
    } else if (this.isClosing) this.socket.destroySoon();
    else if (this.#refusal !== null) this.onBrokenInput(this.#refusal);
  }

  /** Nobody else is at work for it: its client is to begin a request, or to go on with the body of one. */
  get isWaitingForClient(): boolean {
    return this.current === null ? this.#waiting.length === 0 : this.current.isAwaitingBody && !this.current.isDone;
  }

  /** Requests are waiting for their turn behind the present one. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Runs what waits, one at a time. A loop and not a chain of calls: thousands of pipelined requests may be answered
   * within one turn. A client that does not read its answers gets no further ones.
   */
  #takeTurns(): void {
    if (this.#isTaking) return;
    this.#isTaking = true;
    while (this.current === null && this.#waiting.length > 0 && !this.socket.destroyed) {
      if (this.socket.writableLength > UNREAD_MAX_BYTES) {
        this.socket.once('drain', () => this.#takeTurns());
        break;
      }
      this.#run(this.#waiting.shift() as Exchange);
    }
    this.#isTaking = false;
    if (this.socket._paused === true && this.#waiting.length < PIPELINE_MAX_COUNT) this.#unpause();
  }

  /** The parser gave up on what the client sends. */
  onBrokenInput(page: ErrorPage): void {
    if (this.socket.destroyed || this.#lingersSince > 0) return;
    const exchange = this.current;
    if (exchange === null) {
      this.isClosing = true;
      this.#refuseWithoutExchange(page);
    } else if (exchange.hasBody && !exchange.complete && this.#waiting.length === 0) {
      // The broken bytes are of the body that is being read.
      this.isClosing = true;
      exchange.drop(page);
    } else this.#refusal = page;
  }

  onBodyTooLarge(exchange: Exchange): void {
    exchange.drop({
      status: 413,
      title: 'Request too large',
      text: 'The body of this request is larger than this address takes.',
      code: 'LIMIT_BODY',
      detail: `limit bodyMaxBytes: ${exchange.bodyMaxBytes}`,
    });
  }

  onBodiesSpent(exchange: Exchange): void {
    exchange.refuse({
      status: 503,
      title: 'Not available at the moment',
      text: 'Too much is being uploaded to this server. Try again in a moment.',
      code: 'LIMIT_BUFFERED_BODIES',
      detail: `limit bufferedBodiesMb: ${this.#limits.bufferedBodiesMb}`,
      retryAfterSeconds: 1,
    });
  }

  /** Looks at the clocks. Called a few times a second. */
  tick(now: number): void {
    const exchange = this.current;
    if (this.#lingersSince > 0) {
      if (now - this.#lingersSince > LINGER_MS) this.socket.destroy();
    } else if (exchange === null) {
      // Before the first request, and inside a head, the parser's own clock runs (headTimeoutMs).
      if (this.#waiting.length > 0) {
        if (now - this.#idleSince > this.#limits.sendTimeoutMs) this.socket.destroy();
      } else if (this.#served > 0 && now - this.#idleSince > this.#limits.keepAliveTimeoutMs) this.socket.destroy();
    } else if (
      exchange.isAwaitingBody &&
      !exchange.isDone &&
      now - exchange.movedAt > (exchange.silenceMaxMs ?? this.#limits.bodyTimeoutMs)
    ) {
      exchange.drop({
        status: 408,
        title: 'Request timed out',
        text: 'The rest of this request did not arrive in time.',
        code: 'LIMIT_BODY_TIMEOUT',
        detail: `limit bodyTimeoutMs: ${exchange.silenceMaxMs ?? this.#limits.bodyTimeoutMs}`,
      });
    } else if (exchange.isHeadSent && now - exchange.movedAt > (exchange.silenceMaxMs ?? this.#limits.sendTimeoutMs)) {
      exchange.cut();
      exchange.carrier?.abort(exchange);
    }
  }

  #onIncoming(exchange: Exchange, keepAlive: boolean): number {
    // Neither upgrades nor tunnels: the request is answered as an ordinary one (RFC 9110 §7.8 lets a server do so). The
    // parser drops what comes behind it, so the connection ends with it.
    exchange.keepAlive = keepAlive && exchange.upgrade !== true && !this.site.isOneRequestEach;
    exchange.upgrade = null;
    if (this.isClosing) return 0;
    if (this.current === null && this.#waiting.length === 0 && this.socket.writableLength === 0) this.#run(exchange);
    else {
      this.#waiting.push(exchange);
      if (this.#waiting.length >= PIPELINE_MAX_COUNT) {
        this.socket._paused = true;
        this.socket.pause();
      }
      this.#takeTurns();
    }
    return 0;
  }

  #run(exchange: Exchange): void {
    this.current = exchange;
    this.socket._httpMessage = exchange;
    const problem =
      requestProblem(exchange, this.#limits) ?? (exchange.hasBody && !exchange.complete ? this.#refusal : null);
    if (problem !== null) {
      exchange.refuse(problem);
      return;
    }
    this.site.onExchange(exchange);
    if (exchange.expectsContinue && !exchange.isDone) this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  #unpause(): void {
    this.socket._paused = false;
    this.socket.parser?.resume();
    this.socket.resume();
  }

  /** Sends what is written, then closes; a client that is still sending gets the time to read the answer. */
  #end(exchange: Exchange): void {
    this.isClosing = true;
    this.#waiting.length = 0;
    if (this.socket.destroyed) return;
    // What was refused at its head has not been read to its end either.
    if (!exchange.complete) {
      this.#lingersSince = performance.now();
      this.socket.end();
      this.socket.resume();
    } else this.socket.destroySoon();
  }

  #refuseWithoutExchange(page: ErrorPage): void {
    const { socket } = this;
    this.site.onRefusal(page, this, null);
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    this.#lingersSince = performance.now();
    socket.end(bareAnswer(page), 'latin1');
  }

  #onClientEnd(): void {
    this.hasClientEnded = true;
    this.current?.carrier?.endClient(this.current);
  }

  #onClose(): void {
    const { current } = this;
    this.current = null;
    this.#waiting.length = 0;
    current?.onClientGone();
    void this.custodian.shutdownAll().catch(() => {});
  }
}
