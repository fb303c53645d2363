import { Capture, Exit, type Signal, whyLost } from './activation.ts';
import type { PageMaker } from './continuation.ts';
import { UnsafeContextError } from './errors.ts';
import { park } from './native.ts';
import { ignoreRejection } from './promises.ts';
import { current, type Run, type Store } from './run.ts';
import { trace, traceAgain } from './trace.ts';

/**
 * Captures the continuation of the caller, which must await the promise directly. The run unwinds to its prompt, whose outcome then
 * has the continuation and `make`. The promise is resolved by `resume`, once per resumption.
 * @throws NoPromptError outside a servlet
 */
export function capture<Value = unknown>(make: PageMaker): Promise<Value> {
  let store: Store;
  try {
    store = current('capture a continuation');
  } catch (error) {
    return Promise.reject(error as Error);
  }
  if (store.isNative) return park(store, make) as Promise<Value>;
  return raise(store.run, new Capture(make, store.run)) as Promise<Value>;
}

/** Leaves the servlet with a response: finally blocks run, catch clauses do not. */
export function exit(value: unknown): Promise<never> {
  let store: Store;
  try {
    store = current('leave the servlet');
  } catch (error) {
    return Promise.reject(error as Error);
  }
  return raise(store.run, new Exit(value, store.run));
}

/**
 * Fails the run for a signal that was on its way when the run ended: when it has come as far as it can, so that the error can name
 * the call that nobody awaits.
 */
export function failLost(run: Run, signal: Signal, cause?: unknown): void {
  run.isEnding = true;
  // Before those that only ask whether the signal is still on its way: this one knows the cause.
  if (watched.unshift({ run, signal, hasEnded: true, cause }) === 1) setImmediate(checkWatched);
}

/** A capture that never arrived anywhere. */
function lostError(signal: Signal, cause?: unknown): UnsafeContextError {
  traceAgain();
  return new UnsafeContextError(
    signal,
    null,
    whyLost(signal) ??
      'its promise was not awaited, or something swallowed its rejection (.catch, a callback, allSettled)',
    cause === undefined ? undefined : { cause },
  );
}

function raise(run: Run, signal: Signal): Promise<never> {
  trace(signal);
  signal.isLate = run.isOver;
  // One that comes late is told to the author, as a rejection that nobody may have handled.
  if (signal.isLate) return Promise.reject(signal);
  const { promise, reject } = Promise.withResolvers<never>();
  // Before it is rejected: to be handled a moment later costs more than the capture.
  ignoreRejection(promise);
  reject(signal);
  signal.promise = promise;
  run.opened(signal);
  watch(run, signal);
  return promise;
}

const watched: { run: Run; signal: Signal; hasEnded: boolean; cause?: unknown }[] = [];
/** A capture unwinds within one drain of the microtask queue. One that is still on its way afterwards waits for nobody: fail at once, never hang. */
function watch(run: Run, signal: Signal): void {
  if (watched.push({ run, signal, hasEnded: false }) === 1) setImmediate(checkWatched);
}
function checkWatched(): void {
  for (const { run, signal, hasEnded, cause } of watched.splice(0)) {
    // A run that has ended while its page was out is over, and keeps the error for who answers the page.
    const isKept = hasEnded && run.resting !== null;
    if ((run.isOver && !isKept) || !(hasEnded || run.isOpen(signal))) continue;
    if (hasEnded) run.fail(lostError(signal, cause));
    else if (signal instanceof Capture) run.fail(lostError(signal));
    else if (signal instanceof Exit) watchExit(run, signal);
  }
}

/** How long foreign code may keep an exit: a library that undoes a transaction before it throws on. */
const exitGraceMs = 5_000;

/** Finally blocks take their time, so that an exit may be long on its way. Lost is one that no block holds and that does not move. */
function watchExit(run: Run, exit: Exit): void {
  const { moves } = exit;
  setTimeout(() => {
    if (run.isOver || !run.isOpen(exit)) return;
    if (exit.isHeld || exit.moves !== moves) watchExit(run, exit);
    else run.fail(lostError(exit));
  }, exitGraceMs).unref();
}
