import { createServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ClientShares } from './client-shares.ts';
import { Custodian, type Closable } from './custodian.ts';
import { Connection, type ConnectionSite, findConnection, type HttpSocket } from './http/connection.ts';
import type { ErrorPage } from './http/error-page.ts';
import { Exchange } from './http/exchange.ts';
import { VERSION_PAGE } from './http/request-check.ts';
import { listenError } from './listen-error.ts';
import type { ListenAddress } from './options.ts';
import type { Certificate } from './tls.ts';

const TICK_MS = 250;

const TOO_MANY: ErrorPage = {
  status: 503,
  title: 'Too many connections',
  text: 'This server has all the connections that it takes. Try again in a moment.',
  code: 'LIMIT_CONNECTIONS',
  retryAfterSeconds: 1,
};

/** Listens, reads requests, and hands each to the site's `onExchange` when its connection's turn has come. */
export class Acceptor implements Closable {
  readonly label = 'acceptor';
  readonly #custodian: Custodian;
  readonly #site: ConnectionSite;
  readonly #connections = new Set<Connection>();
  readonly #shares: ClientShares;
  readonly #servers: (Server | SecureServer)[] = [];
  readonly #certificate: Certificate | null;
  /** What ends the clients whose TLS handshake is under way, by their address. */
  readonly #handshakes = new Map<string, () => void>();
  #isDraining = false;
  readonly #tick: NodeJS.Timeout;
  readonly addresses: { host: string; port: number; url: string }[] = [];

  /** `certificate`: all listeners speak HTTPS. */
  constructor(custodian: Custodian, site: ConnectionSite, certificate: Certificate | null = null) {
    this.#custodian = custodian;
    this.#site = site;
    this.#certificate = certificate;
    this.#shares = new ClientShares(site.limits.connectionsMaxCount);
    this.#tick = setInterval(() => this.#onTick(), TICK_MS);
    this.#tick.unref();
    custodian.own(this);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** @throws PortInUseError, ListenError */
  async listen(address: ListenAddress): Promise<void> {
    const host = address.host ?? '127.0.0.1';
    const { limits } = this.#site;
    const custodian = new Custodian(`listener ${host}`, this.#custodian);
    const options: ServerOptions = {
      IncomingMessage: Exchange as never,
      maxHeaderSize: limits.headMaxBytes,
      headersTimeout: limits.headTimeoutMs,
      // The body's clock runs from piece to piece, not over all of it: see Connection.tick.
      requestTimeout: 0,
      connectionsCheckingInterval: TICK_MS,
      requireHostHeader: false,
      noDelay: true,
    };
    const server =
      this.#certificate === null
        ? this.#createPlain(options, custodian)
        : this.#createSecure(options, custodian, this.#certificate);
    // No cut of the header list: what is over the limit is refused, not shortened.
    server.maxHeadersCount = 0;
    // A client that has sent its request and shut down its side still gets the answer.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => onClientError(error, socket as HttpSocket));
    custodian.own({ label: `socket listening on ${host}`, close: () => closed(server) });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(host, address.port, error)));
      server.listen({ host, port: address.port, backlog: limits.backlogMaxCount, exclusive: true }, resolve);
    }).catch(async (error: unknown) => {
      await custodian.shutdownAll();
      throw error;
    });
    const bound = server.address() as AddressInfo;
    const scheme = this.#certificate === null ? 'http' : 'https';
    const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    this.addresses.push({ host: bound.address, port: bound.port, url: `${scheme}://${name}:${bound.port}` });
    this.#servers.push(server);
  }

  /** Stops listening; connections end with the answer that they are waiting for. */
  drain(): void {
    this.#isDraining = true;
    for (const server of this.#servers) void closed(server);
    for (const connection of this.#connections) connection.drain();
  }

  close(): void {
    clearInterval(this.#tick);
  }

  #createPlain(options: ServerOptions, listener: Custodian): Server {
    const server = createServer(options);
    server.on('connection', (socket: HttpSocket) => this.#onConnection(socket, listener));
    return server;
  }

  #createSecure(options: ServerOptions, listener: Custodian, certificate: Certificate): SecureServer {
    const server = createSecureServer({
      ...options,
      ...certificate.pair,
      handshakeTimeout: this.#site.limits.headTimeoutMs,
    });
    // Connections go on with the certificate that they began with.
    certificate.onChange((pair) => server.setSecureContext(pair));
    server.on('connection', (socket: Socket) => this.#onHandshake(socket, listener));
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.allowHalfOpen = true;
      this.#handshakes.get(addressOf(socket))?.();
      this.#onConnection(socket as HttpSocket, listener);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // A client that went away has done nothing wrong.
      if (error.code !== 'ECONNRESET') this.#site.onHandshakeFailure(socket.remoteAddress ?? '', error);
    });
    return server;
  }

  /** A handshake counts as a connection, and belongs to the listener until there is one. */
  #onHandshake(socket: Socket, listener: Custodian): void {
    const isFull = this.#connections.size + this.#handshakes.size >= this.#site.limits.connectionsMaxCount;
    if (listener.isShut || (isFull && !this.#shares.makeRoomFor(socket.remoteAddress ?? ''))) {
      socket.destroy();
      return;
    }
    const address = addressOf(socket);
    const handshake = {
      label: `handshake ${address}`,
      clientIp: socket.remoteAddress ?? '',
      current: null,
      isWaitingForClient: true,
      close: () => void socket.destroy(),
    };
    const over = (): void => {
      this.#handshakes.delete(address);
      this.#shares.delete(handshake);
      listener.disown(handshake);
    };
    listener.own(handshake);
    this.#shares.add(handshake);
    this.#handshakes.set(address, over);
    socket.once('close', over);
  }

  #onConnection(socket: HttpSocket, listener: Custodian): void {
    if (listener.isShut) {
      socket.destroy();
      return;
    }
    const isFull = this.#connections.size >= this.#site.limits.connectionsMaxCount;
    const isOneTooMany = isFull && !this.#shares.makeRoomFor(socket.remoteAddress ?? '');
    const connection = new Connection(socket, listener, this.#site);
    this.#connections.add(connection);
    if (!isOneTooMany) this.#shares.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      this.#shares.delete(connection);
    });
    // It is held all the same until it is gone: what it sends must find somebody, and closing the host must find it.
    if (isOneTooMany) connection.onBrokenInput(TOO_MANY);
    else if (this.#isDraining) connection.drain();
  }

  #onTick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}

function addressOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The error is that it was closed before, which is what we want.
    server.close(() => resolve());
  });
}

function onClientError(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: HttpSocket): void {
  const connection = findConnection(socket);
  if (connection === undefined || error.code === 'ECONNRESET' || error.code === 'EPIPE') {
    socket.destroy();
    return;
  }
  connection.onBrokenInput(pageFor(error));
}

function pageFor(error: NodeJS.ErrnoException & { rawPacket?: Buffer }): ErrorPage {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        title: 'Request timed out',
        text: 'No complete request arrived in time.',
        code: 'LIMIT_HEAD_TIMEOUT',
      };
    case 'HPE_HEADER_OVERFLOW':
      // One line without an end in sight: the request line itself is too long.
      return error.rawPacket !== undefined && /^[A-Z]+ [^\r\n]*$/.test(error.rawPacket.toString('latin1', 0, 16 * 1024))
        ? {
            status: 414,
            title: 'Address too long',
            text: 'The address of this request is longer than this server takes.',
            code: 'LIMIT_REQUEST_LINE',
          }
        : {
            status: 431,
            title: 'Headers too long',
            text: 'The headers of this request are longer than this server takes.',
            code: 'LIMIT_HEAD',
          };
    case 'HPE_INVALID_VERSION':
      // Digits, and none of ours; letters are no version.
      return error.message.includes('Invalid HTTP version') ? VERSION_PAGE : malformed(error);
    default:
      return malformed(error);
  }
}

function malformed(error: Error): ErrorPage {
  return {
    status: 400,
    title: 'Bad request',
    text: 'This is not a request that an HTTP server can read.',
    code: 'REQUEST_MALFORMED',
    detail: error.message,
  };
}
