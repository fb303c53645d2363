import type { Failure } from '@custodian/protocol';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Closable } from './custodian.ts';
import type { RequestRecord } from './cell/ledger.ts';
import { type Obituary, obituaryLine } from './cell/obituary.ts';
import type { Connection } from './http/connection.ts';
import type { Exchange } from './http/exchange.ts';

const BUFFER_BYTES = 4096;
/** A reader of the log that does not keep up loses lines; it does not fill the acceptor. */
const BUFFER_MAX_BYTES = 4 << 20;
const FLUSH_MS = 500;

/** The host's log: one pino, in the acceptor. Lines are collected and written a few times a second. */
export class HostLog implements Closable {
  readonly label = 'log';
  readonly #logger: Logger;
  readonly #destination: DestinationStream & { flushSync?(): void; end?(): void };
  readonly #logsRequests: boolean;
  readonly #timer: NodeJS.Timeout;

  constructor(level: 'events' | 'requests', destination: number | string) {
    const stream = pino.destination({
      dest: destination,
      sync: false,
      minLength: BUFFER_BYTES,
      maxLength: BUFFER_MAX_BYTES,
      mkdir: true,
    });
    this.#destination = stream;
    this.#logger = pino({ base: null, timestamp: pino.stdTimeFunctions.epochTime }, stream);
    this.#logsRequests = level === 'requests';
    this.#timer = setInterval(() => stream.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  get logsRequests(): boolean {
    return this.#logsRequests;
  }

  request(record: RequestRecord): void {
    this.#logger.info(
      {
        servlet: record.servlet,
        method: record.method,
        url: record.url,
        status: record.status,
        cpuMs: round(record.cpuMs),
        wallMs: round(record.wallMs),
        totalMs: round(record.totalMs),
        peakBytes: record.peakBytes,
        bytesIn: record.bytesIn,
        bytesOut: record.bytesOut,
      },
      'request',
    );
  }

  /** A request that no servlet had: it is answered by the host, or refused. */
  hostAnswer(exchange: Exchange): void {
    if (exchange.startedAt > 0) return;
    const { method, url, status, code, clientIp, bytesIn, bytesOut, arrivedAt, doneAt } = exchange;
    const totalMs = round(doneAt - arrivedAt);
    this.#logger.info(
      { method, url, status, ...(code === '' ? {} : { code }), clientIp, totalMs, bytesIn, bytesOut },
      'request',
    );
  }

  /** The host refuses. What will have a line as a request has none here; an unknown page is no event. */
  refusal(
    { code, status }: { code: string; status: number },
    { clientIp }: Connection,
    exchange: Exchange | null,
  ): void {
    const hasLine = this.#logsRequests && exchange !== null && exchange.startedAt === 0;
    if (hasLine || code === 'REQUEST_NOT_FOUND') return;
    const request = exchange === null ? {} : { method: exchange.method, url: exchange.url };
    this.#logger.info({ code, status, clientIp, ...request }, 'refused');
  }

  warn(text: string): void {
    this.#logger.warn(text);
  }

  /** `failure`: what the servlet threw, where it died of that. */
  death(obituary: Obituary, failure: Failure | null): void {
    const thrown = obituary.cause === 'crash' && failure !== null ? { failure } : {};
    this.#logger.warn({ obituary, ...thrown }, obituaryLine(obituary));
  }

  servletFailure(servlet: string, failure: { name: string; message: string; stack?: string }): void {
    this.#logger.error({ servlet, failure }, `${servlet}: ${failure.name}: ${failure.message}`);
  }

  servletOutput(servlet: string, level: number, text: string): void {
    const method = level >= 3 ? 'error' : level === 2 ? 'warn' : level === 1 ? 'info' : 'debug';
    this.#logger[method]({ servlet, output: true }, text);
  }

  close(): void {
    clearInterval(this.#timer);
    // The obituaries of what was killed with the host come later than this, and an ended destination throws.
    this.#logger.level = 'silent';
    try {
      this.#destination.flushSync?.();
    } catch {
      // The destination was never opened, or is gone: nobody is left to tell.
    }
    if (typeof this.#destination.end === 'function') this.#destination.end();
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
