import { Activation, Capture, Exit, mayPass, whyRefused } from './activation.ts';
import { failLost } from './capture.ts';
import { Continuation, type Outcome, type PageMaker } from './continuation.ts';
import { suspendedInExit, UnsafeContextError } from './errors.ts';
import { type Bindings, bindingsAt, type Frame, link } from './frame.ts';
import { addLogicalStack, Callers } from './logical-stack.ts';
import { unpark } from './native.ts';
import { whenSettled } from './promises.ts';
import { Run, storage } from './run.ts';

export { Capture, Exit, Signal } from './activation.ts';
export { capture, exit } from './capture.ts';
export { codeFrame } from './code-frame.ts';
export { Continuation, type Outcome, type PageMaker } from './continuation.ts';
export { OneShotError, UnsafeContextError, type Place } from './errors.ts';
export { PageWeight, SharedWeights } from './estimate.ts';
export { Frame } from './frame.ts';
export { describe, type FrameDescription } from './logical-stack.ts';
export { native } from './native.ts';
export { createParameter, type Parameter } from './parameter.ts';
export { currentContext, NoPromptError, settleUnhandled } from './run.ts';

/**
 * Runs `start` up to its outcome. Errors that nobody catches reject, with the logical stack.
 * @throws UnsafeContextError if it ends, or idles, while a capture that it began has got lost
 */
export function prompt<Value>(start: () => Value | Promise<Value>, context?: unknown): Promise<Outcome<Value>> {
  return begin(context, (run) =>
    storage.run({ run, bindings: null, isNative: false }, () => settleRoot(run, start, null)),
  ) as Promise<Outcome<Value>>;
}

function begin(context: unknown, body: (run: Run) => void): Promise<Outcome> {
  return new Promise((resolve, reject) => body(new Run(context, { resolve, reject })));
}

/** Starts code at the root of a run, and turns how it ends into an outcome; `rest` are frames below the root. */
function settleRoot(run: Run, start: () => unknown, rest: Frame | null): void {
  let promise: unknown;
  try {
    promise = start();
  } catch (error) {
    run.fail(error);
    return;
  }
  if (!(promise instanceof Promise)) {
    Promise.resolve(promise).then(
      (value) => complete(run, value),
      (error) => rejected(run, error, null, rest),
    );
    return;
  }
  whenSettled(
    promise,
    (value) => complete(run, value),
    (error) => rejected(run, error, promise as Promise<unknown>, rest),
  );
}

function complete(run: Run, value: unknown): void {
  const lost = run.firstOpen();
  if (lost) failLost(run, lost);
  else run.finish({ kind: 'returned', value });
}

/** An error reached the root. If a capture was lost before, that is the error behind it (an AggregateError of Promise.any, say). */
function failed(run: Run, error: unknown): void {
  const lost = error instanceof UnsafeContextError ? undefined : run.firstOpen();
  if (lost) failLost(run, lost, error);
  else run.fail(error);
}

function rejected(run: Run, error: unknown, promise: Promise<unknown> | null, rest: Frame | null): void {
  if (!(error instanceof Exit || error instanceof Capture)) {
    failed(run, error);
    return;
  }
  run.closed(error);
  if (error.owner !== run || !mayPass(error, promise)) {
    run.fail(
      new UnsafeContextError(
        error,
        null,
        whyRefused(error) ??
          "it left its chain of calls on the way to the servlet's start: by .then, or through code that is not compiled (a library, a direct eval, 'use native')",
      ),
    );
    if (error instanceof Capture && error.owner !== run) error.isTaken = true;
    return;
  }
  if (error instanceof Exit) {
    run.closeAll();
    run.finish({ kind: 'exited', value: error.value });
    return;
  }
  const lost = run.firstOpen();
  if (lost) {
    if (lost instanceof Exit && lost.isHeld) run.fail(suspendedInExit(error, lost));
    else failLost(run, lost);
    return;
  }
  const frames = link(error.frames, rest);
  error.promise = null;
  run.finish({
    kind: 'captured',
    continuation: new Continuation(frames, bindingsAt(frames), null),
    make: error.handler as PageMaker,
  });
}

/**
 * Goes on from a continuation, with a value (or an error that is thrown at the suspension).
 * @throws OneShotError (rejecting) when a continuation with a native part is resumed again
 */
export function resume(
  k: Continuation,
  value: unknown,
  options: { isError?: boolean; context?: unknown } = {},
): Promise<Outcome> {
  const { isError = false, context } = options;
  if (k.parked) return unpark(k.parked, value, isError, context);
  return begin(context, (run) => {
    // A page maker's: it leaves from the suspension.
    if (value instanceof Exit) value.owner = run;
    storage
      .run({ run, bindings: null, isNative: false }, () => runFrames(run, k, value, isError))
      // What an error of the servlet's throws when it is looked at, by a getter say.
      .catch((error: unknown) => run.fail(error));
  });
}

/** Each frame's result is the next one's input. The list is never changed: a capture on the way links new frames to the same rest. */
async function runFrames(run: Run, k: Continuation, value: unknown, isError: boolean): Promise<void> {
  let bindings: Bindings | null = null,
    callers: Callers | null = null;
  if (isError) (callers = new Callers()).left(value, k.frames);
  for (let frame = k.frames; frame; frame = frame.next) {
    if (!frame.body) continue;
    if (frame.bindings !== bindings) storage.enterWith({ run, bindings: (bindings = frame.bindings), isNative: false });
    const activation = new Activation(frame, value, isError),
      { body } = frame,
      promise = body(activation) as Promise<unknown>;
    activation.promise = promise;
    try {
      value = await promise;
      isError = false;
    } catch (error) {
      if (error instanceof Capture) {
        rejected(run, error, promise, frame.next);
        return;
      }
      (callers ??= new Callers()).left(error, frame.next);
      value = error;
      isError = true;
    }
  }
  if (!isError) {
    complete(run, value);
    return;
  }
  if (value instanceof Exit) {
    rejected(run, value, null, null);
    return;
  }
  addLogicalStack(value);
  failed(run, value);
}

/**
 * What to answer with, after an outcome: the page of a capture is made outside the captured code; if making it fails, the error is
 * thrown at the suspension, as if the suspending call had failed.
 * @param show what becomes of such a page; its errors are thrown there too
 */
export async function deliver(
  outcome: Outcome,
  context?: unknown,
  show: (page: unknown) => unknown = (page) => page,
): Promise<{ value: unknown; continuation: Continuation | null; hasLeft: boolean }> {
  for (;;) {
    if (outcome.kind !== 'captured')
      return { value: outcome.value, continuation: null, hasLeft: outcome.kind === 'exited' };
    try {
      const page = await outcome.make(outcome.continuation);
      return { value: await show(page), continuation: outcome.continuation, hasLeft: false };
    } catch (error) {
      outcome = await resume(outcome.continuation, error, { isError: true, context });
    }
  }
}
