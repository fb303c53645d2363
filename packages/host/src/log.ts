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

/** The host's log: one pino, in the acceptor. Lines are collected and written a few times a second. */
export class HostLog implements Closable {
  readonly label = 'log';
  readonly #logger: Logger;
  readonly #file: LogFile;
  readonly #logsRequests: boolean;
  readonly #hours: OutputHours;
  #writtenBytes = 0;

  /** `maxBytesOf`: what a servlet may write in an hour. */
  constructor(
    level: 'events' | 'requests',
    destination: number | string,
    maxBytesOf: (servlet: string) => number = () => Infinity,
  ) {
    this.#file = new LogFile(destination);
    this.#hours = new OutputHours(maxBytesOf);
    const write = (line: string): void => {
      const plain = plainJson(line);
      this.#writtenBytes += Buffer.byteLength(plain);
      this.#file.write(plain);
    };
    this.#logger = pino({ base: null, timestamp: pino.stdTimeFunctions.epochTime }, { write });
    this.#logsRequests = level === 'requests';
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

  /** `failure`: what the servlet threw, where it died of that. */
  death(obituary: Obituary, failure: Failure | null): void {
    const mayTell = obituary.cause === 'crash' && failure !== null && this.#hours.mayWrite(obituary.servlet);
    this.#counted(obituary.servlet, () =>
      this.#logger.warn({ obituary, ...(mayTell ? { failure } : {}) }, obituaryLine(obituary)),
    );
  }

  servletFailure(servlet: string, failure: { name: string; message: string; stack?: string }): void {
    if (!this.#hours.mayWrite(servlet)) return;
    this.#counted(servlet, () =>
      this.#logger.error({ servlet, failure }, `${servlet}: ${failure.name}: ${failure.message}`),
    );
  }

  servletOutput(servlet: string, level: number, text: string): void {
    const method = level >= 3 ? 'error' : level === 2 ? 'warn' : level === 1 ? 'info' : 'debug';
    if (!this.#hours.mayWrite(servlet)) return;
    this.#counted(servlet, () => this.#logger[method]({ servlet, output: true }, text));
  }

  /** Writes what a servlet has a say in, and holds it to its hour. */
  #counted(servlet: string, write: () => void): void {
    const dropped = this.#hours.takeDropped(servlet);
    if (dropped > 0)
      this.#logger.warn({ servlet, code: 'LIMIT_LOG_HOUR' }, `${servlet}: ${dropped} lines were dropped`);
    const before = this.#writtenBytes;
    write();
    if (this.#hours.add(servlet, this.#writtenBytes - before))
      this.#logger.warn(
        { servlet, code: 'LIMIT_LOG_HOUR' },
        `${servlet}: its output is dropped for the rest of the hour: more than logMb`,
      );
  }

  close(): void {
    this.#file.close();
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
