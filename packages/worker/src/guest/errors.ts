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
