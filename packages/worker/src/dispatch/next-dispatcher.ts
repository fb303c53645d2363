/** The servlet does not answer this request: somebody else may. Not a failure. */
export class NextDispatcherError extends Error {
  override readonly name = 'NextDispatcherError';
  readonly code = 'SERVLET_NEXT_DISPATCHER';
}

/**
 * Leaves the request to others: to older rules of a container, and from the servlet to whoever is next in the host.
 * @throws NextDispatcherError, always
 * @see Racket `next-dispatcher`
 *
 * @example
 * ```ts
 * const posts = new Map([['hello', 'Hello, World!']]);
 * const blog = dispatchRules(rule`/posts/${stringArg}`((request, title) => posts.get(title) ?? nextDispatcher()));
 * ```
 */
export function nextDispatcher(): never {
  // Nothing went wrong, and nobody looks at where.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    throw new NextDispatcherError('Cannot answer the request: the servlet leaves it to others');
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** By its code: two copies of the library may be loaded. */
export function isNextDispatcher(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'SERVLET_NEXT_DISPATCHER';
}
