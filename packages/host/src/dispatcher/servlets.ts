import type { ServletPool } from '../cell/pool.ts';
import type { Exchange } from '../http/exchange.ts';
import { receiveBody } from '../http/receive-body.ts';
import type { Dispatcher, Pass } from './dispatcher.ts';

/**
 * The servlets of the host, each at its mount or by its regexp. What the one that is asked leaves to others goes to the next
 * whose regexp finds something there; what none of them answers is passed.
 * @see Racket `servlets:make`, `dispatch/servlet`
 *
 * @example
 * ```ts
 * await serve({ servlets: 'servlets/', dispatchers: [method(['GET', 'HEAD'], servlets())] });
 * ```
 */
export function servlets(): Dispatcher {
  return (pass, site) => {
    const passes = new Map<ServletPool, Pass>();
    const passFrom = (pool: ServletPool): Pass => {
      let passOn = passes.get(pool);
      if (passOn === undefined) {
        passOn = (exchange) => give(exchange, site.servlets.findNext(exchange, pool));
        passes.set(pool, passOn);
      }
      return passOn;
    };
    const give = (exchange: Exchange, pool: ServletPool | null): void => {
      if (pool === null) pass(exchange);
      else runIn(pool, exchange, passFrom(pool));
    };
    return (exchange) => give(exchange, site.servlets.find(exchange));
  };
}

/**
 * Gives an exchange to a servlet, when as much of its body is here as is good before a thread has it. `pass`: who has it
 * when the servlet leaves it to others.
 */
export function runIn(pool: ServletPool, exchange: Exchange, pass: Pass): void {
  exchange.pass = pass;
  if (!exchange.hasBody) pool.dispatch(exchange);
  else if (exchange.rewindBody()) receiveBody(exchange, pool);
  else
    exchange.refuse({
      status: 500,
      title: 'Internal Server Error',
      text: 'One program has left this request to another, after it had taken what was sent.',
      code: 'CUSTODIAN_BODY_TAKEN',
      detail: `servlet ${pool.servlet.name}: what another one has read of a body can't be read again`,
    });
}
