import type { ServletPool } from '../cell/pool.ts';
import { bufferBody } from './body-intake.ts';
import type { Exchange } from './exchange.ts';

/** The type of a form with files. */
export const MULTIPART: RegExp = /^[ \t]*multipart\/form-data[ \t]*(?:;|$)/i;

/**
 * Lets a request's body arrive, as far as is good before a thread has it, then gives the request to the servlet. A
 * multipart form is read here, unless the servlet wants it raw; of other bodies, the beginning is awaited.
 */
export function receiveBody(exchange: Exchange, pool: ServletPool): void {
  const dispatch = (): void => pool.dispatch(exchange);
  exchange.bodyMaxBytes = pool.limits.bodyMaxBytes;
  if (!isForm(exchange)) return bufferBody(exchange, dispatch);
  const receive = (): void => {
    // A servlet that is benched says why, and has no use for a form.
    const takesRawBody = pool.takesRawBody ?? pool.state === 'benched';
    exchange.bodyMaxBytes = takesRawBody ? pool.limits.bodyMaxBytes : Infinity;
    if (takesRawBody) bufferBody(exchange, dispatch);
    else pool.uploads.read(exchange, pool.servlet.name, pool.limits, dispatch);
  };
  if (pool.takesRawBody !== null) return receive();
  // Only a thread that has loaded the servlet knows what it wants.
  exchange.bodyMaxBytes = Infinity;
  void pool.start().then(() => {
    if (!exchange.isDone) receive();
  });
}

/** A form that a servlet may want to have read. The body of a GET has no meaning (RFC 9110 §9.3.1). */
function isForm(exchange: Exchange): boolean {
  const { method } = exchange;
  return method !== 'GET' && method !== 'HEAD' && MULTIPART.test(exchange.header('content-type') ?? '');
}
