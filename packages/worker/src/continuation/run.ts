import { AsyncLocalStorage } from 'node:async_hooks';
import { type Capture, Exit, Signal, type SignalOwner, whyRefused } from './activation.ts';
import type { Outcome, Parked } from './continuation.ts';
import { UnsafeContextError } from './errors.ts';
import type { Bindings } from './frame.ts';
import { traceAgain } from './trace.ts';

/** Who wants to know how a run comes to rest. */
export interface Waiting {
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

/** One stretch of a servlet's execution, from a prompt or a resumption to its outcome. */
export class Run implements SignalOwner {
  /** What the author of the servlet API wants to find again: usually the request. */
  context: unknown;
  /** Signals on their way; there is hardly ever more than one. */
  readonly #open: Signal[] = [];
  /** It fails when what is on its way has come as far as it can. */
  isEnding = false;
  #waiting: Waiting | null;
  /** A native part waits for its page's answer: resolved when that is here. */
  #resting: PromiseWithResolvers<void> | null = null;
  /** How the run ended while its page was out: told to who answers the page. */
  #kept: ((waiting: Waiting) => void) | null = null;
  constructor(context: unknown, waiting: Waiting) {
    this.context = context;
    this.#waiting = waiting;
  }
  get isOver(): boolean {
    return this.#waiting === null;
  }
  get isHere(): boolean {
    return storage.getStore()?.run === this;
  }
  /** Pending while a native part waits for its page's answer; null: none does. */
  get resting(): Promise<void> | null {
    return this.#resting?.promise ?? null;
  }
  /** A native part has parked: the run comes to rest with its page. */
  rest(outcome: Outcome): void {
    this.finish(outcome);
    this.#resting = Promise.withResolvers();
  }
  /** The page is answered: the outcome of the native part's stack goes to whoever did. */
  waitAgain(context: unknown, waiting: Waiting): void {
    const resting = this.#resting,
      kept = this.#kept;
    this.context = context;
    this.#resting = this.#kept = null;
    if (kept === null) this.#waiting = waiting;
    else kept(waiting);
    resting?.resolve();
  }
  finish(outcome: Outcome): void {
    this.#settle((waiting) => waiting.resolve(outcome));
  }
  fail(error: unknown): void {
    this.#settle((waiting) => waiting.reject(error));
  }
  #settle(tell: (waiting: Waiting) => void): void {
    const waiting = this.#take();
    if (waiting !== null) tell(waiting);
    else if (this.#resting !== null) this.#kept ??= tell;
  }
  #take(): Waiting | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    // What is still on its way may not surface in a later request that awaits the same promise.
    for (const signal of this.#open) signal.promise = null;
    return waiting;
  }
  /** A signal begins to unwind the run. */
  opened(signal: Signal): void {
    this.#open.push(signal);
  }
  /** It has arrived, or was refused. */
  closed(signal: Signal): void {
    const at = this.#open.lastIndexOf(signal);
    if (at === this.#open.length - 1) this.#open.pop();
    else if (at >= 0) this.#open.splice(at, 1);
  }
  closeAll(): void {
    this.#open.length = 0;
  }
  isOpen(signal: Signal): boolean {
    return this.#open.includes(signal);
  }
  /** A capture that has not arrived yet. */
  firstOpen(): Signal | undefined {
    return this.#open[0];
  }
  /** An exit is on its way: the response is given. */
  get isLeaving(): boolean {
    return this.#open.some((signal) => signal instanceof Exit);
  }
  /** One that another request was refused is still on its way in this one. */
  signalRefused(signal: Signal, error: UnsafeContextError): void {
    const here = storage.getStore()?.run ?? this;
    if (here === this) this.closed(signal);
    here.refused(error);
  }
  /** An error was made in the place of a signal. */
  refused(error: UnsafeContextError): void {
    refusals.set(error, this);
    traceAgain();
  }
}

/** Errors that were thrown instead of a capture, and whose capture it was. */
const refusals = new WeakMap<UnsafeContextError, Run>();

/**
 * A rejection that nobody handles. One of the machinery's own must not end the thread: the request that it belongs to fails, or has
 * been answered already, and then the author is told on the console.
 * @returns whether it was one
 */
export function settleUnhandled(reason: unknown): boolean {
  if (reason instanceof Signal) {
    // One on its way is watched by its run.
    if (reason.isLate)
      console.error(new UnsafeContextError(reason, null, whyRefused(reason as Capture | Exit)).message);
    return true;
  }
  // A suspension in what was left running: its page went out before, or its run had unwound.
  if (reason instanceof NoPromptError) {
    console.error(reason.stack);
    return true;
  }
  const run = reason instanceof UnsafeContextError ? refusals.get(reason) : undefined;
  if (run === undefined) return false;
  if (run.isOver) console.error((reason as UnsafeContextError).message);
  else run.fail(reason);
  return true;
}

/** What is known wherever a run's code is. */
export interface Store {
  run: Run;
  bindings: Bindings | null;
  isNative: boolean;
  /** Within a native part: made where that was called, for its stack; null: that was not recorded. */
  nativeAt?: Error | null;
  part?: NativePart;
}

/** What one call of `native()` runs. */
export interface NativePart {
  readonly outer: NativePart | null;
  /** What suspended in it last. */
  parked: Parked | null;
}
export const storage: AsyncLocalStorage<Store> = new AsyncLocalStorage<Store>();

/** @throws NoPromptError */
export function current(action: string): Store {
  const store = storage.getStore();
  if (!store) throw new NoPromptError(`Cannot ${action}: no servlet is running here`);
  return store;
}

/** A suspending function was called outside a servlet's request. */
export class NoPromptError extends Error {
  override readonly name = 'NoPromptError';
  readonly code = 'SERVLET_NO_PROMPT';
}

/** The `context` that was given to the prompt or the resumption that runs now; undefined outside. */
export function currentContext<T = unknown>(): T | undefined {
  return storage.getStore()?.run.context as T | undefined;
}
