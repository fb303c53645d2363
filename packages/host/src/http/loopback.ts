import type { Exchange } from './exchange.ts';

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/;
/** Whoever comes through a proxy comes from the proxy's machine, which may be this one. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'];

/**
 * Was it asked for by somebody on this machine, who meant it? Not so what a proxy here passes on, and what a page of another
 * site has a browser here send (Fetch Metadata's `Sec-Fetch-Site`).
 */
export function isFromThisMachine(exchange: Exchange): boolean {
  if (!LOOPBACK.test(exchange.clientIp)) return false;
  if (PROXY_HEADERS.some((name) => exchange.header(name) !== undefined)) return false;
  const from = exchange.header('sec-fetch-site');
  return from === undefined || from === 'same-origin' || from === 'none';
}
