import type { RequestContext } from './context.ts';

/**
 * The pieces of a body that is made while it is sent: one that has a link in it goes out when what that leads to is safe.
 * @throws AskError, in the middle of it, when that can't be kept
 */
export function afterWrites<Piece>(pieces: AsyncIterable<Piece>, context: RequestContext): AsyncIterable<Piece> {
  return {
    [Symbol.asyncIterator]() {
      const from = pieces[Symbol.asyncIterator]();
      return {
        async next() {
          const next = await from.next();
          await written(context);
          return next;
        },
        async return() {
          await from.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Notes what must be done before more of the page goes out. */
export function noteWrite(context: RequestContext, write: Promise<unknown>): void {
  (context.writes ??= []).push(write);
  // Whoever sends the next piece hears of it.
  write.catch(() => {});
}

async function written(context: RequestContext): Promise<void> {
  for (let { writes } = context; writes !== null; { writes } = context) {
    context.writes = null;
    await Promise.all(writes);
  }
}
