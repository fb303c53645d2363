import type { Exchange } from './exchange.ts';

/**
 * Calls `onReady` when a request's body is here, or as much of it as is kept: so a client that sends slowly holds no
 * thread meanwhile.
 */
export function bufferBody(exchange: Exchange, onReady: () => void): void {
  if (Math.max(exchange.bodyBytes, exchange.bytesIn) > exchange.bodyMaxBytes) {
    exchange.connection.onBodyTooLarge(exchange);
  } else if (exchange.complete || exchange.isBufferFull) onReady();
  else exchange.onBodyBuffered = onReady;
}
