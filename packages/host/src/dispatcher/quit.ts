import { isFromThisMachine } from '../http/loopback.ts';
import type { Dispatcher } from './dispatcher.ts';

/** What still runs may take so long. */
const GRACE_MS = 2000;
const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Server Stopped</title></head><body><h1>Server Stopped</h1><p>Return to your program.</p></body></html>\n`;

/**
 * Ends the host when somebody on this machine asks for `/quit` (GET). Running requests get two seconds.
 * @see Racket `#:quit?`, which asks nobody who he is
 *
 * @example
 * ```ts
 * await serve({ dispatchers: [quit(), servlets()], servlets: 'servlets/' });
 * ```
 */
export function quit(): Dispatcher {
  return (pass, site) => (exchange) => {
    if (exchange.method !== 'GET' || exchange.path !== '/quit' || !isFromThisMachine(exchange)) return pass(exchange);
    exchange.keepAlive = false;
    exchange.respond(PAGE);
    void site.host.close({ graceMs: GRACE_MS });
  };
}
