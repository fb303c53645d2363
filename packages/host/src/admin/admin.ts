import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { listenError } from '../listen-error.ts';
import { Custodian } from '../custodian.ts';
import { lightBeacon } from './beacon.ts';
import { type Canary, Canaries } from './health.ts';
import { METRICS_TYPE, renderMetrics } from './metrics.ts';
import { ActionError, type Action, type ActionFile, perform, readAction } from './actions.ts';
import { PAGE, PAGE_POLICY } from './page.ts';
import type { AdminSite } from './site.ts';
import { takeDetailedSnapshot, takeSnapshot } from './snapshot.ts';

/** The operator's own listener. */
export interface AdminOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. Whoever can reach it needs the token. */
  host?: string;
  /** What lets somebody in; default: 192 random bits, new at each start. At least 16 characters. */
  token?: string;
}

const EVENTS_EVERY_MS = 1000;
const BODY_MAX_BYTES = 4096;
const TOKEN_MIN_CHARS = 16;
/** Whoever is on this machine may connect, without the token too: visitors must find descriptors and time all the same. */
const CONNECTIONS_MAX_COUNT = 100;
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The operator's page, its data as JSON and as metrics, health, and what an operator may do. A listener of its own,
 * so that visitors' requests pay nothing for it and no servlet's path can stand in front of it.
 */
export class Admin {
  readonly #site: AdminSite;
  readonly #token: string;
  readonly #custodian: Custodian;
  readonly #server: Server;
  readonly #canaries: Canaries;
  readonly #watchers = new Set<ServerResponse>();
  #ticking: NodeJS.Timeout | null = null;
  #isTelling = false;
  /** Connections on which a request without the token was answered: they end with that answer. */
  readonly #strangers = new WeakSet<Socket>();
  url = '';

  constructor(site: AdminSite, options: AdminOptions, canaries: readonly Canary[]) {
    const token = options.token ?? randomBytes(24).toString('base64url');
    if (token.length < TOKEN_MIN_CHARS)
      throw new RangeError(`Cannot guard the operator's page: its token has fewer than ${TOKEN_MIN_CHARS} characters`);
    this.#site = site;
    this.#token = token;
    this.#custodian = new Custodian('admin', site.host.custodian);
    this.#canaries = this.#custodian.own(new Canaries(canaries));
    const times = { headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
    this.#server = createServer({ ...times, connectionsCheckingInterval: EVENTS_EVERY_MS }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => fail(response, error));
    });
    this.#server.maxConnections = CONNECTIONS_MAX_COUNT;
    this.#custodian.own({ label: "operator's listener", close: () => this.#close() });
  }

  /** Where the operator's page is, with the token in the part of the address that no request carries. */
  get pageUrl(): string {
    return `${this.url}/_custodian#token=${encodeURIComponent(this.#token)}`;
  }

  /** @throws PortInUseError, ListenError */
  async listen(options: AdminOptions): Promise<void> {
    const host = options.host ?? '127.0.0.1';
    const port = options.port ?? 0;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(host, port, error)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    const bound = this.#server.address() as AddressInfo;
    this.url = `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
    const serves = this.#site.host.addresses.map((address) => address.url);
    this.#custodian.own(
      lightBeacon(this.#site.stateDir, { pid: process.pid, url: this.url, token: this.#token, serves }),
    );
  }

  /** Asks the servlets that are to be well whether they are. */
  startCanaries(): void {
    void this.#canaries.start();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What comes behind a stranger's request can't be answered any more, whatever it has with it.
    if (this.#strangers.has(request.socket)) return;
    const isLetIn = this.#isLetIn(request);
    if (!isLetIn) {
      this.#strangers.add(request.socket);
      response.setHeader('Connection', 'close');
    }
    const url = URL.parse(request.url ?? '/', 'http://admin');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (url === null) return text(response, 400, 'This is no address.\n');
    if (url.pathname === '/livez') return text(response, 200, 'ok\n');
    if (url.pathname === '/readyz') return this.#ready(response, isLetIn);
    const route = `${request.method === 'HEAD' ? 'GET' : request.method} ${url.pathname}`;
    // There is nothing of this host in it.
    if (route === 'GET /_custodian' || route === 'GET /_custodian/') return page(response);
    if (!isLetIn) {
      response.setHeader('WWW-Authenticate', 'Bearer realm="custodian"');
      return text(response, 401, 'This needs the token that the host printed when it started, as a bearer.\n');
    }
    switch (route) {
      case 'GET /_custodian/state.json':
        return json(response, 200, await takeDetailedSnapshot(this.#site));
      case 'GET /_custodian/events':
        return this.#watch(response);
      case 'GET /metrics':
        response.writeHead(200, { 'Content-Type': METRICS_TYPE });
        response.end(renderMetrics(takeSnapshot(this.#site)));
        return;
      case 'POST /_custodian/actions':
        return this.#act(request, response);
    }
    text(response, 404, `There is nothing at ${url.pathname}.\n`);
  }

  #ready(response: ServerResponse, isLetIn: boolean): void {
    // A servlet may be called as what every object has.
    const problems = Object.create(null) as Record<string, string>;
    if (this.#site.isClosing()) problems['host'] = 'it is closing';
    else if (!this.#site.isReady()) problems['host'] = 'it is starting';
    for (const [servlet, problem] of this.#canaries.problems) problems[servlet] = problem;
    for (const pool of this.#site.eager())
      if (pool.bench.isBenched)
        problems[pool.servlet.name] = isLetIn ? `it is benched: ${pool.bench.lastError}` : 'it is benched';
    const isReady = Object.keys(problems).length === 0;
    json(response, isReady ? 200 : 503, { isReady, problems });
  }

  /** By a header, which a browser sends for nobody: a cookie would go to every servlet of this host, whatever its port. */
  #isLetIn(request: IncomingMessage): boolean {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return bearer !== undefined && isSame(bearer, this.#token);
  }

  /** Server-sent events: a snapshot now, and one a second for as long as somebody looks. */
  #watch(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.#watchers.add(response);
    response.on('close', () => {
      this.#watchers.delete(response);
      if (this.#watchers.size === 0 && this.#ticking !== null) {
        clearInterval(this.#ticking);
        this.#ticking = null;
      }
    });
    response.write(event(takeSnapshot(this.#site)));
    this.#ticking ??= setInterval(() => void this.#tick(), EVENTS_EVERY_MS);
    void this.#tick();
  }

  async #tick(): Promise<void> {
    // Who comes meanwhile is told with the others.
    if (this.#isTelling) return;
    this.#isTelling = true;
    const text = event(await takeDetailedSnapshot(this.#site).finally(() => (this.#isTelling = false)));
    // Who has not read the last one gets none until they have.
    for (const watcher of this.#watchers) if (!watcher.writableNeedDrain) watcher.write(text);
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What a form of another site could send is none of these.
    if (request.headers['content-type'] !== 'application/json')
      return text(response, 415, 'An action is sent as application/json.\n');
    let action: Action;
    try {
      action = readAction(await bodyOf(request));
    } catch (error) {
      if (error instanceof ActionError) return json(response, 400, { error: error.message });
      throw error;
    }
    try {
      const file = await perform(this.#site, action);
      if (file === null) json(response, 200, { done: action.action });
      else await sendFile(response, file);
    } catch (error) {
      if (!(error instanceof ActionError)) throw error;
      json(response, 409, { error: error.message });
    }
  }

  #close(): Promise<void> {
    if (this.#ticking !== null) clearInterval(this.#ticking);
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** In constant time, whatever their lengths. */
function isSame(given: string, wanted: string): boolean {
  const hash = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk as string;
    if (body.length > BODY_MAX_BYTES) throw new ActionError('Cannot read an action: it is too long');
  }
  return body;
}

async function sendFile(response: ServerResponse, file: ActionFile): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Disposition': `attachment; filename="${file.name}"`,
  });
  try {
    await pipeline(createReadStream(file.path), response);
  } finally {
    await file.remove();
  }
}

function page(response: ServerResponse): void {
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': PAGE_POLICY,
    'Referrer-Policy': 'no-referrer',
  });
  response.end(PAGE);
}

function event(snapshot: unknown): string {
  return `data: ${JSON.stringify(snapshot)}\n\n`;
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(body);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else text(response, 500, `${error instanceof Error ? error.message : String(error)}\n`);
}
