import { AsyncLocalStorage } from 'node:async_hooks';
import { Activation, BindingFrame, Capture, Exit, type Frame, Signal, arrives, type Bindings } from './activation.ts';
import { OneShotError, UnsafeContextError } from './errors.ts';
import { addLogicalStack } from './logical-stack.ts';

export { Capture, Exit, Frame, Signal } from './activation.ts';
export { OneShotError, UnsafeContextError, type Place } from './errors.ts';
export { codeFrame } from './code-frame.ts';
export { describe, type FrameDescription } from './logical-stack.ts';
export { estimateBytes } from './estimate.ts';

/** Makes the page once the continuation is captured, outside the captured code. */
export type PageMaker<Page = unknown> = (continuation: Continuation) => Page | Promise<Page>;

/** The rest of one run of a servlet. Resumable any number of times, unless it holds a native part. */
export class Continuation {
  /** The innermost frame; null if nothing is left to do but return. */
  readonly frames: Frame | null;
  /** The dynamic bindings where it was captured. */
  readonly bindings: Bindings | null;
  /** The native call that waits inside, if there is one. */
  readonly parked: Parked | null;
  constructor(frames: Frame | null, bindings: Bindings | null, parked: Parked | null) {
    this.frames = frames;
    this.bindings = bindings;
    this.parked = parked;
  }
  /** It can be resumed only once. */
  get isOneShot(): boolean {
    return this.parked !== null;
  }
}

/** How a run came to rest. A page maker is called by whoever asked, after the unwinding: see `deliver`. */
export type Outcome<Value = unknown> =
  | { kind: 'returned'; value: Value }
  | { kind: 'captured'; continuation: Continuation; make: PageMaker }
  | { kind: 'exited'; value: unknown };

interface Parked {
  settle: (value: unknown, isError: boolean) => void;
  run: Run;
  isUsed: boolean;
}
interface Waiting {
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

/** One stretch of a servlet's execution, from a prompt or a resumption to its outcome. */
class Run {
  /** What the author of the servlet API wants to find again: usually the request. */
  context: unknown;
  readonly open: Set<Signal> = new Set();
  #waiting: Waiting | null;
  constructor(context: unknown, waiting: Waiting) {
    this.context = context;
    this.#waiting = waiting;
  }
  get isOver(): boolean {
    return this.#waiting === null;
  }
  /** After a native part has parked: the outcome of its stack goes to whoever resumes it. */
  waitAgain(context: unknown, waiting: Waiting): void {
    this.context = context;
    this.#waiting = waiting;
  }
  finish(outcome: Outcome): void {
    this.#take()?.resolve(outcome);
  }
  fail(error: unknown): void {
    this.#take()?.reject(error);
  }
  #take(): Waiting | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    return waiting;
  }
  signalRefused(signal: Signal): void {
    this.open.delete(signal);
  }
}

interface Store {
  run: Run;
  bindings: Bindings | null;
  isNative: boolean;
}
const storage = new AsyncLocalStorage<Store>();

function current(action: string): Store {
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
  promise.then(
    (value) => complete(run, value),
    (error: unknown) => rejected(run, error, promise as Promise<unknown>, rest),
  );
}

function complete(run: Run, value: unknown): void {
  const lost = firstOf(run.open);
  if (lost) run.fail(lostError(lost));
  else run.finish({ kind: 'returned', value });
}

/** An error reached the root. If a capture was lost before, that is the error behind it (an AggregateError of Promise.any, say). */
function failed(run: Run, error: unknown): void {
  const lost = error instanceof UnsafeContextError ? undefined : firstOf(run.open);
  run.fail(lost ? lostError(lost, error) : error);
}

function rejected(run: Run, error: unknown, promise: Promise<unknown> | null, rest: Frame | null): void {
  if (error instanceof Exit) {
    run.open.clear();
    run.finish({ kind: 'exited', value: error.value });
    return;
  }
  if (!(error instanceof Capture)) {
    failed(run, error);
    return;
  }
  run.open.delete(error);
  if (!arrives(error, promise)) {
    run.fail(new UnsafeContextError(error, null, "it left its chain of calls on the way to the servlet's start"));
    return;
  }
  const lost = firstOf(run.open);
  if (lost) {
    run.fail(lostError(lost));
    return;
  }
  const frames = link(error.frames, rest);
  run.finish({
    kind: 'captured',
    continuation: new Continuation(frames, bindingsAt(frames), null),
    make: error.handler as PageMaker,
  });
}

/** Turns collected frames, innermost first, into the list whose tail all continuations of a visit share. */
function link(frames: readonly Frame[], rest: Frame | null): Frame | null {
  let next = rest,
    bindings = rest ? innerBindings(rest) : null;
  for (let i = frames.length - 1; i >= 0; i--) {
    const frame = frames[i]!;
    if (frame.pc > 0 && !frame.body) continue;
    frame.next = next;
    frame.bindings = bindings;
    if (frame instanceof BindingFrame) bindings = extend(bindings, frame.parameter, frame.value);
    next = frame;
  }
  return next;
}
const extend = (bindings: Bindings | null, parameter: object, value: unknown): Bindings =>
  new Map(bindings).set(parameter, value);
/** The bindings under which what is inside a frame runs. */
const innerBindings = (frame: Frame): Bindings | null =>
  frame instanceof BindingFrame ? extend(frame.bindings, frame.parameter, frame.value) : frame.bindings;
const bindingsAt = (frames: Frame | null): Bindings | null => (frames ? innerBindings(frames) : null);

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const x of set) return x;
  return undefined;
}
function lostError(signal: Signal, cause?: unknown): UnsafeContextError {
  tracedLeft = tracedMaxCount;
  return new UnsafeContextError(
    signal,
    null,
    'its promise was not awaited, or something swallowed its rejection (.catch, a callback, allSettled)',
    cause === undefined ? undefined : { cause },
  );
}

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
  return raise(store.run, new Exit(value));
}

/** The runtime's own frames, the API's, the author's line, and who called it. */
const traceDepth = 6;
const tracedMaxCount = 1000;
/**
 * Recording where a capture began costs more than the capture. A thread records its first ones, when mistakes show; after that only
 * when one has been lost again.
 */
let tracedLeft = tracedMaxCount;

function raise(run: Run, signal: Signal): Promise<never> {
  if (tracedLeft > 0) trace(signal);
  const promise = Promise.reject(signal);
  promise.catch(ignore);
  signal.promise = promise;
  run.open.add(signal);
  watch(run, signal);
  return promise;
}
const ignore = (): void => {};

function trace(signal: Signal): void {
  tracedLeft--;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = traceDepth;
  signal.trace = new Error();
  Error.stackTraceLimit = limit;
}

const watched: { run: Run; signal: Signal }[] = [];
/** A capture unwinds within one drain of the microtask queue. One that is still on its way afterwards waits for nobody: fail at once, never hang. */
function watch(run: Run, signal: Signal): void {
  if (watched.push({ run, signal }) === 1) setImmediate(checkWatched);
}
function checkWatched(): void {
  for (const { run, signal } of watched.splice(0))
    if (signal instanceof Capture && run.open.has(signal) && !run.isOver) run.fail(lostError(signal));
}

/** Whether a rejection is the machinery's own: for the worker's `unhandledRejection` handler, which must then do nothing. */
export function isSignal(reason: unknown): boolean {
  return reason instanceof Signal;
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
    void storage.run({ run, bindings: null, isNative: false }, () => runFrames(run, k, value, isError));
  });
}

/** Each frame's result is the next one's input. The list is never changed: a capture on the way links new frames to the same rest. */
async function runFrames(run: Run, k: Continuation, value: unknown, isError: boolean): Promise<void> {
  let bindings: Bindings | null = null,
    callers = k.frames;
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
      if (!isError || error !== value) callers = frame.next;
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
  addLogicalStack(value, callers);
  failed(run, value);
}

/**
 * What to answer with, after an outcome: the page of a capture is made outside the captured code; if making it fails, the error is
 * thrown at the suspension, as if the suspending call had failed.
 */
export async function deliver(
  outcome: Outcome,
  context?: unknown,
): Promise<{ value: unknown; continuation: Continuation | null }> {
  for (;;) {
    if (outcome.kind !== 'captured') return { value: outcome.value, continuation: null };
    try {
      return { value: await outcome.make(outcome.continuation), continuation: outcome.continuation };
    } catch (error) {
      outcome = await resume(outcome.continuation, error, { isError: true, context });
    }
  }
}

// ---- native parts

/**
 * Runs code that cannot be captured. A capture inside parks the native stack instead: the page goes out, and resuming settles the
 * promise. Such a continuation lives in this thread's memory and can be resumed once.
 */
export function native<Value>(thunk: () => Value | Promise<Value>): Promise<Value> {
  let store: Store;
  try {
    store = current('run a native part');
  } catch (error) {
    return Promise.reject(error as Error);
  }
  return storage.run({ ...store, isNative: true }, async () => thunk());
}

function park(store: Store, make: PageMaker): Promise<unknown> {
  const { run } = store;
  if (run.isOver)
    return Promise.reject(
      new UnsafeContextError(
        null,
        null,
        'another branch of the native part has suspended already; branches can suspend one after the other',
      ),
    );
  return new Promise((resolve, reject) => {
    const parked: Parked = {
      run,
      isUsed: false,
      settle: (value, isError) => {
        if (isError) reject(value as Error);
        else resolve(value);
      },
    };
    run.finish({ kind: 'captured', continuation: new Continuation(null, store.bindings, parked), make });
  });
}

function unpark(parked: Parked, value: unknown, isError: boolean, context: unknown): Promise<Outcome> {
  if (parked.isUsed)
    return Promise.reject(
      new OneShotError('Cannot resume the continuation: it holds a native part, which has been resumed already'),
    );
  parked.isUsed = true;
  return new Promise((resolve, reject) => {
    parked.run.waitAgain(context, { resolve, reject });
    parked.settle(value, isError);
  });
}

// ---- dynamic bindings

/** A parameter whose value belongs to a stretch of calls, and travels with continuations captured there. */
export interface Parameter<Value> {
  (): Value;
  run<R>(value: Value, body: () => R | Promise<R>): Promise<R>;
}

export function createParameter<Value>(fallback: Value): Parameter<Value> {
  const parameter = ((): Value => {
    const bindings = storage.getStore()?.bindings;
    return bindings?.has(parameter) ? (bindings.get(parameter) as Value) : fallback;
  }) as Parameter<Value>;
  parameter.run = <R>(value: Value, body: () => R | Promise<R>): Promise<R> => {
    let store: Store;
    try {
      store = current('bind a parameter');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const activation = new Activation();
    const inner = { ...store, bindings: extend(store.bindings, parameter, value) };
    return (activation.promise = storage.run(inner, () => bound(activation, parameter, value, body))) as Promise<R>;
  };
  return parameter;
}

/** The part of `run` that a capture passes through: it leaves a frame that carries the binding. */
async function bound<R>(
  activation: Activation,
  parameter: object,
  value: unknown,
  body: () => R | Promise<R>,
): Promise<R> {
  let promise: Promise<unknown> | null = null;
  try {
    const result = body();
    if (!(result instanceof Promise)) return result;
    promise = result;
    return await result;
  } catch (error) {
    if (!(error instanceof Capture) || !arrives(error, promise)) throw error;
    error.frames.push(new BindingFrame(parameter, value));
    error.promise = activation.promise;
    activation.promise!.then(undefined, ignore);
    throw error;
  }
}
