import type { LogFormat, LogFormatter } from '../log/log-format.ts';
import { type LogTarget, RequestLog } from '../log/request-log.ts';
import { checkOptions } from '../option-checks.ts';
import { checkLog } from '../option-tables.ts';
import { type Dispatcher, chain, checkInner } from './dispatcher.ts';

export interface LogOptions {
  /** A file, which is opened anew when it is rotated away; a descriptor; or something with a `write(line)`. */
  file: LogTarget;
  /** Default `apache-default`. */
  format?: LogFormat | LogFormatter;
}

/**
 * Writes a line for each exchange that comes by, when it is over, with its status. A site's own log, for example; the whole
 * host's, with what could not be read as a request, is the option `logFile`.
 * @throws ConfigError for an option that is wrong
 * @see Racket `log:make`, `logresp:make`
 *
 * @example
 * ```ts
 * site('example.org', log({ file: 'example.log' }), files({ root: 'example.org' }));
 * ```
 */
export function log(options: LogOptions, ...inner: readonly Dispatcher[]): Dispatcher {
  checkOptions('Cannot log', checkLog, options);
  checkInner('log', inner);
  const { file, format } = options;
  return (pass, site) => {
    const requests = site.custodian.own(new RequestLog(file, format, (text) => site.warn(text)));
    const answer = chain(inner, pass, site);
    return (exchange) => {
      exchange.whenDone(() => requests.exchange(exchange));
      answer(exchange);
    };
  };
}
