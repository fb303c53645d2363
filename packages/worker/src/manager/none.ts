import { type ContinuationManager, type ManagerOptions, NoContinuationError } from './manager.ts';
import { createNonce } from './nonce.ts';

/**
 * Keeps nothing: every page that a servlet shows has expired when it arrives.
 * @see Racket `create-none-manager`
 *
 * @example
 * ```ts
 * const manager = createNoneManager();
 * ```
 */
export function createNoneManager(options: ManagerOptions = {}): ContinuationManager {
  const onExpired = options.onExpired ?? null;
  let nextId = 1;
  const missing = (instance: number, id: number): never => {
    throw new NoContinuationError(instance, id, onExpired);
  };
  return {
    onExpired,
    count: 0,
    bytes: 0,
    onChange: null,
    createInstance: () => 1,
    hasInstance: () => true,
    adjustTimeout: () => {},
    clear: () => {},
    store: (_instance, _k, _handler, _bytes) => [nextId++, createNonce()],
    lookup: missing,
    peek: missing,
    close: () => {},
  };
}
