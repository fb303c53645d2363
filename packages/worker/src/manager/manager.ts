import type { Holdings } from '@custodian/protocol';
import type { ServletResult } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';

/** Answers a request for a page that has expired. */
export type ExpirationHandler = (request: ServletRequest) => ServletResult | Promise<ServletResult>;

/**
 * Keeps the continuations of a servlet in one thread, and decides how long. An instance is one visitor's run; numbers
 * of instances and continuations count from 1.
 * @see Racket managers/manager.rkt
 */
export interface ContinuationManager {
  /** Answers for every continuation that has no handler of its own; null: the standard page. */
  readonly onExpired: ExpirationHandler | null;
  /** Continuations that can be resumed now, and about how many bytes they keep alive. */
  readonly count: number;
  readonly bytes: number;
  /** Called whenever {@link count} or {@link bytes} changes. */
  onChange: (() => void) | null;

  createInstance(): number;
  /** Has the instance not been given up? */
  hasInstance(instance: number): boolean;
  /** How long the instance may rest from now on. Only a manager that counts time for instances heeds it. */
  adjustTimeout(instance: number, timeoutMs: number): void;
  /** Expires all continuations of the instance. */
  clear(instance: number): void;
  /**
   * Keeps `k` and returns its place in the URL. The nonce is 128 random bits as base64url, so that a URL can't be
   * guessed from its neighbour. `handler` answers once it has expired.
   * @throws NoInstanceError
   */
  store(instance: number, k: unknown, handler: ExpirationHandler | null, bytes: number): [id: number, nonce: string];
  /** What was kept; counts as a visit. @throws NoInstanceError, NoContinuationError */
  lookup(instance: number, id: number, nonce: string): unknown;
  /** The same, but no visit. */
  peek(instance: number, id: number, nonce: string): unknown;
  /** The newest instances with their newest continuations, for an operator who looks; without it only their number is known. */
  describe?(): Holdings;
  /** Stops its clocks. */
  close(): void;
}

/** A continuation as it is saved with its instance. */
export interface SavedEntry {
  id: number;
  nonce: string;
  k: unknown;
  handler: ExpirationHandler | null;
  bytes: number;
  /** The manager's own: how long it has, or how many lives. */
  mark: number;
}

/** What a manager keeps of an instance. Times are what is left of them. */
export interface SavedInstance {
  nextId: number;
  mark: number;
  timeoutMs: number;
  /** Oldest first. */
  entries: SavedEntry[];
}

/** A manager whose instances can be saved, and made again in another thread. */
export interface SavingManager extends ContinuationManager {
  /** @throws NoInstanceError */
  save(instance: number): SavedInstance;
  /** Makes an instance of what was saved so many ms ago. @returns its number here */
  revive(saved: SavedInstance, elapsedMs: number): number;
}

export function isSavingManager(manager: ContinuationManager): manager is SavingManager {
  return 'save' in manager && 'revive' in manager;
}

/** What every manager can be told. */
export interface ManagerOptions {
  /** Answers for expired pages; default: a page with status 410 and the way to start again. */
  onExpired?: ExpirationHandler;
  clock?: Clock;
}

/** @throws RangeError for an option that is given, and is no number above 0 */
export function checkPositive(options: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !(value > 0))
      throw new RangeError(`Cannot create a manager: ${name} is not a number above 0`);
  }
}

/** Where time comes from. */
export interface Clock {
  /** In ms, from any beginning. */
  now(): number;
  /** Calls `tick` every so many ms; returns how to stop that. */
  every(ms: number, tick: () => void): () => void;
}

/** Longer intervals than this a timer takes for 1 ms. */
const INTERVAL_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  every: (ms, tick) => {
    const timer = setInterval(tick, Math.min(ms, INTERVAL_MAX_MS));
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** No instance of this number: it has expired, or there never was one. */
export class NoInstanceError extends Error {
  override readonly name = 'NoInstanceError';
  readonly code = 'SERVLET_NO_INSTANCE';
  /** Who answers instead. */
  readonly handler: ExpirationHandler | null;
  constructor(instance: number, handler: ExpirationHandler | null) {
    super(`Cannot find instance ${instance}: it has expired, or never was`);
    this.handler = handler;
  }
}

/** No continuation answers to this URL: expired, cleared, or a wrong nonce. */
export class NoContinuationError extends Error {
  override readonly name = 'NoContinuationError';
  readonly code = 'SERVLET_NO_CONTINUATION';
  /** Who answers instead: the continuation's own handler if the URL is the one that was given out, else the manager's. */
  readonly handler: ExpirationHandler | null;
  constructor(instance: number, id: number, handler: ExpirationHandler | null) {
    super(`Cannot resume continuation ${id} of instance ${instance}: it has expired, or never was`);
    this.handler = handler;
  }
}
