import { headersToSend } from './fetched-headers.ts';
import { isHtml, isPending } from './html.ts';
import { iteratorOf } from './iterator.ts';
import { checkedReason, checkedStatus, headerLines, ResponseTypeError } from './reply-head.ts';
import type { Reply } from './reply.ts';

export { writtenPieces } from './written-pieces.ts';

/** A body up to this length is waited for, so that it leaves in one piece with its head. */
const GATHER_MAX_BYTES = 256 * 1024;

type Piece = Uint8Array | string;

/**
 * The same pieces, each checked when it comes. Iterating is one-shot, and `return()` ends the servlet's iterator too.
 * A wrong piece ends it as well, with a ResponseTypeError that names the servlet.
 */
export function checkedPieces(source: AsyncIterable<unknown>, servletName: string): AsyncIterable<Piece> {
  return { [Symbol.asyncIterator]: () => checkedIterator(iteratorOf(source), servletName) };
}

function checkedIterator(inner: AsyncIterator<unknown>, servletName: string): AsyncIterator<Piece, void, undefined> {
  /** The pieces of a fragment that is not all there. */
  let nested: AsyncIterator<string, void> | null = null;
  const stop = async (): Promise<IteratorResult<Piece, void>> => {
    await nested?.return?.();
    await inner.return?.();
    return { done: true, value: undefined };
  };
  return {
    async next() {
      for (;;) {
        if (nested !== null) {
          const piece = await nested.next();
          if (piece.done !== true) return piece;
          nested = null;
        }
        const { done, value } = await inner.next();
        if (done === true) return { done, value: undefined };
        if (typeof value === 'string' || value instanceof Uint8Array) return { done: false, value };
        if (typeof value !== 'object' || value === null || !isHtml(value)) return refuse(value);
        if (!isPending(value)) return { done: false, value: value.text };
        nested = value[Symbol.asyncIterator]();
      }
    },
    return: stop,
  };

  async function refuse(value: unknown): Promise<never> {
    await stop();
    throw new ResponseTypeError(
      `Cannot send what servlet "${servletName}" streams: a piece is of type ${typeof value}`,
    );
  }
}

/** The reply for a WHATWG Response. A body that is there within a turn of the event loop goes out whole. */
export async function fromResponse(response: Response, servletName: string): Promise<Reply> {
  const status = checkedStatus(response.status, servletName);
  const reason = checkedReason(response.statusText);
  const { lines, contentLength } = headerLines(headersToSend(response));
  if (response.bodyUsed) {
    throw new ResponseTypeError(
      `Cannot answer with what servlet "${servletName}" returned: the body of its Response was read before`,
    );
  }
  const source = response.body as AsyncIterable<unknown> | null;
  const body = source === null ? '' : await gather(checkedIterator(iteratorOf(source), servletName));
  return { status, reason, headerLines: lines, body, bodyBytes: contentLength };
}

/** The pieces of what is streamed; whole, if all of them are there within a turn of the event loop. */
export function gathered(source: AsyncIterable<unknown>, servletName: string): Promise<Piece | AsyncIterable<Piece>> {
  return gather(checkedIterator(iteratorOf(source), servletName));
}

async function gather(iterator: AsyncIterator<Piece, void, undefined>): Promise<Piece | AsyncIterable<Piece>> {
  const read: Piece[] = [];
  let bytes = 0;
  const turn = Promise.withResolvers<null>();
  const immediate = setImmediate(turn.resolve, null);
  try {
    while (bytes <= GATHER_MAX_BYTES) {
      const next = iterator.next();
      const result = await Promise.race([next, turn.promise]);
      if (result === null) return rest(read, next, iterator);
      if (result.done === true) return read.length === 1 ? (read[0] as Piece) : Buffer.concat(read.map(toBytes));
      read.push(result.value);
      bytes += result.value.length;
    }
    return rest(read, null, iterator);
  } finally {
    clearImmediate(immediate);
  }
}

/** What was read, then what is being read, then the rest. Not a generator: its `return()` would wait for a stuck read. */
function rest(
  read: Piece[],
  pending: Promise<IteratorResult<Piece, void>> | null,
  iterator: AsyncIterator<Piece, void, undefined>,
): AsyncIterable<Piece> {
  const itself: AsyncIterator<Piece, void, undefined> = {
    async next() {
      const value = read.shift();
      if (value !== undefined) return { done: false, value };
      const next = pending ?? iterator.next();
      pending = null;
      return next;
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => itself };
}

function toBytes(piece: Piece): Uint8Array {
  return typeof piece === 'string' ? Buffer.from(piece) : piece;
}
