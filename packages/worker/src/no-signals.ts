import { syncBuiltinESMExports } from 'node:module';

/** A guest may not signal other processes. Node's permission model leaves that open, and the host is one of them. */
class SignalDeniedError extends Error {
  override readonly name = 'SignalDeniedError';
  readonly code = 'ERR_ACCESS_DENIED';
}

/** Functions of `process` that send signals, the undocumented ones that they are made of included. */
const SENDERS = ['kill', '_kill', '_debugProcess', '_debugEnd'];

/** Takes from the thread what sends signals. Call it before the servlet is loaded, which finds nothing to restore. */
export function denySignals(): void {
  for (const name of SENDERS) {
    Object.defineProperty(process, name, {
      value: () => {
        throw new SignalDeniedError('Cannot send a signal: a guest may not');
      },
      configurable: false,
      writable: false,
    });
  }
  syncBuiltinESMExports();
}
