import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { ServiceError } from '../service/service.ts';

/** What is no body, the frame of chunks say, may come to as much again as the longest body, and a head. */
const FRAME_SHARE = 2;
const HEAD_BYTES = 64 * 1024;

/** What has come over each connection since its last request. */
const receivedBytes = new WeakMap<object, number>();

// Undici tells it of every request, and nothing else tells on which connection it is.
channel('undici:client:sendHeaders').subscribe((message) => {
  const { socket } = message as { socket: object };
  if (receivedBytes.has(socket)) receivedBytes.set(socket, 0);
});

/**
 * Cuts connections over which an answer takes much more than the longest body, `bodyMaxBytes`: extensions of chunks and zeros before their
 * length are no body, have no bound of their own in Node's parser, and keep the acceptor busy. Fetches fail with `LIMIT_FETCH_BYTES`.
 */
export function boundOnWire(connect: buildConnector.connector, bodyMaxBytes: number): buildConnector.connector {
  const maxBytes = bodyMaxBytes * FRAME_SHARE + HEAD_BYTES;
  return (options, callback) =>
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error === null) count(socket, maxBytes, bodyMaxBytes);
      callback(...result);
    });
}

function count(socket: Socket, maxBytes: number, bodyMaxBytes: number): void {
  receivedBytes.set(socket, 0);
  const read = socket.read.bind(socket);
  // By which undici takes everything.
  socket.read = (size?: number) => {
    const piece = read(size) as Buffer | null;
    if (piece === null) return null;
    const bytes = (receivedBytes.get(socket) ?? 0) + piece.length;
    receivedBytes.set(socket, bytes);
    if (bytes <= maxBytes) return piece;
    socket.destroy(
      new ServiceError(
        'LIMIT_FETCH_BYTES',
        `Cannot fetch: what comes around its body is more than ${bodyMaxBytes} bytes`,
      ),
    );
    return null;
  };
}
