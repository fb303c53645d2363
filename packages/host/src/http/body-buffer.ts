import { BODY_WINDOW_BYTES } from '@custodian/protocol';
import type { Exchange } from './exchange.ts';

/**
 * Calls `onReady` when a request's body is here, or at once when it is too long to wait for: so a client that sends a
 * form slowly holds no thread meanwhile.
 */
export function bufferSmallBody(exchange: Exchange, onReady: () => void): void {
  if (exchange.bodyBytes > exchange.bodyMaxBytes) {
    exchange.connection.onBodyTooLarge(exchange);
    return;
  }
  if (exchange.complete || exchange.bodyBytes < 0 || exchange.bodyBytes > BODY_WINDOW_BYTES) onReady();
  else exchange.onBodyComplete = onReady;
}
