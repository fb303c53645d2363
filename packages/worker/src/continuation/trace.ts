import type { Signal } from './activation.ts';

/**
 * The runtime's own calls and the API's, and two for each of the author's. What nobody awaits may be called below many helpers.
 * With an ordinary stack this costs a third more than a few lines would.
 */
const DEPTH = 64;
const MAX_COUNT = 1000;
/** Recording where a capture began costs more than the capture. A thread records its first ones, when mistakes show. */
let left = MAX_COUNT;

/** Notes where a signal was raised, as long as it is worth it. */
export function trace(signal: Signal): void {
  if (left === 0) return;
  left--;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  signal.trace = new Error();
  Error.stackTraceLimit = limit;
}

/** A capture was lost: the next ones are recorded again. */
export function traceAgain(): void {
  left = MAX_COUNT;
}
