/**
 * The runtime's own calls and the API's, and two for each of the author's. What nobody awaits may be called below many helpers.
 * With an ordinary stack this costs a third more than a few lines would.
 */
const DEPTH = 64;
const MAX_COUNT = 1000;
/** Recording where a capture began costs more than the capture. A thread records its first ones, when mistakes show. */
let left = MAX_COUNT;

// A servlet may freeze Error.
const { set } = Reflect;

/** Notes where a signal was raised, as long as it is worth it. */
export function trace(signal: { trace: Error | null }): void {
  if (left === 0) return;
  left--;
  const limit = Error.stackTraceLimit;
  set(Error, 'stackTraceLimit', DEPTH);
  signal.trace = new Error();
  set(Error, 'stackTraceLimit', limit);
}

/** A capture was lost: the next ones are recorded again. */
export function traceAgain(): void {
  left = MAX_COUNT;
}

// Node's, which maps places to the author's lines; a servlet's may give anything.
const nodes = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace')?.value as unknown;

/** The stack of a trace, whatever `Error.prepareStackTrace` the servlet has by now. */
export function stackText(trace: Error | null | undefined): string {
  if (!trace) return '';
  // oxlint-disable-next-line typescript/unbound-method -- it is put back
  const servlets: unknown = Error.prepareStackTrace;
  if (servlets !== nodes) set(Error, 'prepareStackTrace', nodes);
  const { stack } = trace;
  if (servlets !== nodes) set(Error, 'prepareStackTrace', servlets);
  return typeof stack === 'string' ? stack : '';
}
