import type { Failure } from '@custodian/protocol';
import { type Logger, pino } from 'pino';
import type { Closable } from './custodian.ts';
import type { RequestRecord } from './cell/ledger.ts';
import { type Obituary, obituaryLine } from './cell/obituary.ts';
import type { Connection } from './http/connection.ts';
import type { Exchange } from './http/exchange.ts';
import { LogFile } from './log/log-file.ts';
import { OutputHours } from './log/output-hours.ts';
import { plainJson } from './plain-text.ts';

/** So much later than its hour, at the most, is told what a servlet lost in it. */
const SWEEP_MS = 60_000;

/** The host's log: one pino, in the acceptor. Lines are collected and written a few times a second. */
export class HostLog implements Closable {
  readonly label = 'log';
  readonly #logger: Logger;
  readonly #file: LogFile;
  readonly #logsRequests: boolean;
  readonly #hours: OutputHours;
  readonly #sweepTimer: NodeJS.Timeout;
  #writtenBytes = 0;

  /** `maxBytesOf`: what a servlet may write in an hour. */
  constructor(
    level: 'events' | 'requests',
    destination: number | string,
    maxBytesOf: (servlet: string) => number = () => Infinity,
  ) {
    this.#file = new LogFile(destination);
    const write = (line: string): void => {
      const plain = plainJson(line);
      this.#writtenBytes += Buffer.byteLength(plain);
      this.#file.write(plain);
    };
    this.#logger = pino({ base: null, timestamp: pino.stdTimeFunctions.epochTime }, { write });
    this.#logsRequests = level === 'requests';
    this.#hours = new OutputHours(maxBytesOf, {
      onFirst: (servlet, kind) =>
        this.#logger.warn(
          { servlet, code: 'LIMIT_LOG_HOUR' },
          `${servlet}: its ${kind} ${kind === 'output' ? 'is' : 'are'} dropped for the rest of the hour: more than logMb`,
        ),
      onOver: (servlet, { lines, bytes }) =>
        this.#logger.warn(
          { servlet, code: 'LIMIT_LOG_HOUR' },
          `${servlet}: ${lines} lines (${bytes} bytes) were dropped within an hour`,
        ),
    });
    this.#sweepTimer = setInterval(() => this.#hours.sweep(), SWEEP_MS).unref();
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

  handshakeFailure(clientIp: string, error: NodeJS.ErrnoException): void {
    this.#logger.info({ code: 'REQUEST_TLS', clientIp, reason: error.code ?? error.message }, 'refused');
  }

  warn(text: string): void {
    this.#logger.warn(text);
  }

  /** `failure`: what the servlet threw, where it died of that. It gets an id if it is told. */
  death(obituary: Obituary, failure: Failure | null): void {
    const { servlet } = obituary;
    const mayTell = obituary.cause === 'crash' && failure !== null && this.#mayTell(servlet, failure);
    this.#counted(servlet, () =>
      this.#logger.warn({ obituary, ...(mayTell ? { failure } : {}) }, obituaryLine(obituary)),
    );
  }

  /** The failure gets an id if it is told. */
  servletFailure(servlet: string, failure: Failure): void {
    if (!this.#mayTell(servlet, failure)) return;
    this.#counted(servlet, () =>
      this.#logger.error({ servlet, failure }, `${servlet}: ${failure.name}: ${failure.message}`),
    );
  }

  servletOutput(servlet: string, level: number, text: string): void {
    const method = level >= 3 ? 'error' : level === 2 ? 'warn' : level === 1 ? 'info' : 'debug';
    if (!this.#hours.mayWrite(servlet, 'output', Buffer.byteLength(text))) return;
    this.#counted(servlet, () => this.#logger[method]({ servlet, output: true }, text));
  }

  #mayTell(servlet: string, failure: Failure): boolean {
    const bytes = Buffer.byteLength(failure.message) + Buffer.byteLength(failure.stack ?? '');
    if (!this.#hours.mayWrite(servlet, 'errors', bytes)) return false;
    failure.id = failureId();
    return true;
  }

  /** Writes what a servlet has a say in, and holds it to its hour. */
  #counted(servlet: string, write: () => void): void {
    const before = this.#writtenBytes;
    write();
    this.#hours.add(servlet, this.#writtenBytes - before);
  }

  close(): void {
    clearInterval(this.#sweepTimer);
    this.#hours.close();
    this.#file.close();
  }
}

/** Tells failures apart in a log; it is no secret. */
function failureId(): string {
  return Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0');
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
