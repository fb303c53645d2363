import type { Closable } from '../custodian.ts';
import type { Connection } from '../http/connection.ts';
import type { Exchange } from '../http/exchange.ts';
import { LogFile } from './log-file.ts';
import { formatterOf, type LogFormat, type LogFormatter } from './log-format.ts';

/** Takes lines, each with its end. A stream of Node's does. */
export interface LineSink {
  write(line: string): unknown;
}

/** A file, a descriptor, or something that takes lines. */
export type LogTarget = string | number | LineSink;

/** A line for every request, in a format of the operator's choice. @see Racket `#:log-file`, `log:make` */
export class RequestLog implements Closable {
  readonly label: string;
  readonly #sink: LineSink;
  readonly #file: LogFile | null;
  readonly #format: LogFormatter;
  readonly #onFault: (text: string) => void;

  constructor(target: LogTarget, format: LogFormat | LogFormatter | undefined, onFault: (text: string) => void) {
    this.#file = typeof target === 'object' ? null : new LogFile(target);
    this.#sink = typeof target === 'object' ? target : (this.#file as LogFile);
    this.label = this.#file?.label ?? 'log';
    this.#format = formatterOf(format ?? 'apache-default');
    this.#onFault = onFault;
  }

  /** An exchange that is over. */
  exchange(exchange: Exchange): void {
    this.#line(exchange, exchange.connection, exchange);
  }

  /** What could not be read as a request. */
  unreadable(connection: Connection, refusal: { status: number; code: string }): void {
    const nothing = { method: '', url: '', httpVersion: '', header: () => undefined };
    this.#line(nothing, connection, { ...refusal, arrivedAt: 0, doneAt: 0, bytesOut: 0, headBytesOut: 0 });
  }

  close(): void {
    this.#file?.close();
  }

  #line(
    request: Pick<Exchange, 'method' | 'url' | 'httpVersion' | 'header'>,
    { clientIp, hostIp, hostPort }: Connection,
    answered: Pick<Exchange, 'status' | 'code' | 'arrivedAt' | 'doneAt' | 'bytesOut' | 'headBytesOut'>,
  ): void {
    try {
      const line = this.#format(
        {
          method: request.method,
          url: request.url,
          httpVersion: request.httpVersion,
          clientIp,
          hostIp,
          hostPort,
          header: (name) => request.header(name.toLowerCase()),
        },
        {
          status: answered.status,
          code: answered.code,
          bodyBytes: answered.bytesOut - answered.headBytesOut,
          totalMs: answered.doneAt - answered.arrivedAt,
          at: new Date(),
        },
      );
      this.#sink.write(`${line}\n`);
    } catch (error) {
      // The operator's own function, or his own stream: neither may cost a visitor anything.
      this.#onFault(`a line of the request log can not be made: ${String(error)}`);
    }
  }
}
