import { Session } from 'node:inspector/promises';
import type { Exchange } from '../http/exchange.ts';
import { isFromThisMachine } from '../http/loopback.ts';
import type { Dispatcher } from './dispatcher.ts';

/**
 * What an operator on this machine may ask for by GET: `/conf/refresh-servlets` has what begins from now on load its
 * servlet's file anew, `/conf/refresh-passwords` reads passwords again, `/conf/collect-garbage` has the host and all threads
 * collect. For everybody else there is no such page.
 * @see Racket's configuration table
 *
 * @example
 * ```ts
 * await serve({ dispatchers: [refresh(), servletsRoot({ root: 'servlets' })] });
 * ```
 */
export function refresh(): Dispatcher {
  return (pass, site) => {
    const actions: Readonly<Record<string, () => Promise<string> | string>> = {
      '/conf/refresh-servlets': () => {
        site.servlets.refresh();
        return 'Servlet cache refreshed';
      },
      '/conf/refresh-passwords': () => {
        for (const file of site.passwordFiles) file.refresh();
        return 'Passwords refreshed';
      },
      '/conf/collect-garbage': async () => {
        site.servlets.collectGarbage();
        await collectGarbage();
        return 'Garbage collected';
      },
    };
    return (exchange) => {
      const { path } = exchange;
      const action = path?.startsWith('/conf/') === true && Object.hasOwn(actions, path) ? actions[path] : undefined;
      if (action === undefined || exchange.method !== 'GET' || !isFromThisMachine(exchange)) return pass(exchange);
      return say(exchange, action);
    };
  };
}

async function say(exchange: Exchange, action: () => Promise<string> | string): Promise<void> {
  const done = await action();
  if (!exchange.isDone)
    exchange.respond({ headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: `${done}\n` });
}

/** Without the flag that makes `gc()` a global function. */
async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.collectGarbage');
  } finally {
    session.disconnect();
  }
}
