import type { ServletPool } from '../cell/pool.ts';
import type { Exchange } from '../http/exchange.ts';
import { receiveBody } from '../http/receive-body.ts';
import type { Dispatcher } from './dispatcher.ts';

/**
 * The servlets of the host, each at its mount or by its regexp; what none of them answers at is passed, and what the one that
 * is asked leaves to others.
 * @see Racket `servlets:make`, `dispatch/servlet`
 */
export function servlets(): Dispatcher {
  return (pass, site) => (exchange) => {
    const pool = site.servlets.find(exchange);
    if (pool === null) return pass(exchange);
    exchange.pass = pass;
    runIn(pool, exchange);
  };
}

/** Gives an exchange to a servlet, when as much of its body is here as is good before a thread has it. */
export function runIn(pool: ServletPool, exchange: Exchange): void {
  if (!exchange.hasBody) pool.dispatch(exchange);
  else receiveBody(exchange, pool);
}
