/** The walls of the profile don't allow it. */
export class DeniedError extends Error {
  override readonly name = 'DeniedError';
  readonly code = 'SERVLET_DENIED';
}

/** The servlet has no network. */
export class NoNetworkError extends Error {
  override readonly name = 'NoNetworkError';
  readonly code = 'SERVLET_NO_NETWORK';
}

/** Its temporary directory is full. */
export class TempFullError extends Error {
  override readonly name = 'TempFullError';
  readonly code = 'LIMIT_TEMP';
}

/** A Node that is built otherwise than those that the walls know: something of it would stay open. */
export class UnknownNodeError extends Error {
  override readonly name = 'UnknownNodeError';
  readonly code = 'SERVLET_UNKNOWN_NODE';
}

/** What the walls are to close. @throws UnknownNodeError when it is not there */
export function known<Value>(value: Value | null | undefined, what: string): Value {
  if (value !== null && value !== undefined) return value;
  throw new UnknownNodeError(`Cannot close ${what} to a guest: Node ${process.version} is built otherwise`);
}
