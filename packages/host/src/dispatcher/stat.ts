import { isFromThisMachine } from '../http/loopback.ts';
import type { Dispatcher } from './dispatcher.ts';

/**
 * Tells somebody on this machine, as JSON, what the host has used and done: its memory, each servlet's state and account, and
 * how often it refused for which reason.
 * @see Racket `stat:make`, which logs memory
 *
 * @example
 * ```ts
 * await serve({ servlets: 'servlets/', dispatchers: [stat('/internal/stat'), servlets()] });
 * ```
 */
export function stat(path = '/conf/stat'): Dispatcher {
  return (pass, site) => (exchange) => {
    const isAsked = exchange.path === path && (exchange.method === 'GET' || exchange.method === 'HEAD');
    if (!isAsked || !isFromThisMachine(exchange)) return pass(exchange);
    const { servlets, ledger } = site.host;
    const report = {
      uptimeMs: Math.round(process.uptime() * 1000),
      memory: process.memoryUsage(),
      servlets,
      accounts: Object.fromEntries(ledger.accounts),
      refusals: Object.fromEntries(ledger.refusals),
    };
    exchange.respond({
      headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
      body: `${JSON.stringify(report)}\n`,
    });
  };
}
