/** A stream is read by a reader: the `return()` of its own iterator would wait for a stuck read before it cancels. */
export function iteratorOf(source: AsyncIterable<unknown>): AsyncIterator<unknown> {
  if (!('getReader' in source)) return source[Symbol.asyncIterator]();
  const reader = (source as ReadableStream).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
