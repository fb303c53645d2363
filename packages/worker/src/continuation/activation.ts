import { UnsafeContextError } from './errors.ts';
import { madeAgain } from './module-code.ts';
import { type Body, Frame, type FunctionDescription, noLocals } from './frame.ts';

/** What unwinds frames by being thrown. Not an Error: nothing went wrong, and no stack is collected. */
export abstract class Signal {
  abstract readonly message: string;
  /** Where it was raised, innermost line first; formatted only when a message needs it. */
  trace: Error | null = null;
  /**
   * The promise on which the signal must surface next; anywhere else it has left the chain of calls. null: its request has been
   * answered, so that it may surface nowhere.
   */
  promise: Promise<unknown> | null = null;
  /** It was raised when its request had been answered already, by something that was left running. */
  isLate = false;
}

/** The account that a request keeps of signals on their way. */
export interface SignalOwner {
  /** The signal was refused, with this error, at an await. */
  signalRefused(signal: Signal, error: UnsafeContextError): void;
}

/** The token of a capture. It collects a frame from each call that it unwinds. */
export class Capture<Handler = unknown> extends Signal {
  readonly message = 'a continuation is being captured; let this pass (do not catch, store or log it)';
  readonly handler: Handler;
  readonly frames: Frame[] = [];
  readonly owner: SignalOwner | null;
  constructor(handler: Handler, owner: SignalOwner | null) {
    super();
    this.handler = handler;
    this.owner = owner;
  }
}

/** The token of leaving for good: catch clauses do not see it, finally blocks run for it. */
export class Exit<Value = unknown> extends Signal {
  readonly message = 'the servlet is leaving with its response; let this pass';
  readonly value: Value;
  /** How many frames it has come to or left. */
  moves = 0;
  /** A finally block runs for it. */
  isHeld = false;
  constructor(value: Value) {
    super();
    this.value = value;
  }
}

/** Stress mode's token: captures one frame and re-enters it at once. */
class Suspension extends Signal {
  readonly message = 'suspended for a test of the transform';
  frame: Frame | null = null;
  readonly awaited: unknown;
  constructor(awaited: unknown) {
    super();
    this.awaited = awaited;
  }
}

/** Promises that were returned, and the call whose promise they decide: `return p` adds no await, but hands provenance on. */
const forwarded = new WeakMap<Promise<unknown>, Activation>();
const ignore = (): void => {};

/** One call of a resumable function, or one re-entry into it. */
export class Activation {
  /** The promise of the call. */
  promise: Promise<unknown> | null = null;
  /** Where to re-enter; 0 for an ordinary call. */
  pc = 0;
  #frame: Frame | null;
  readonly #value: unknown;
  readonly #isError: boolean;
  constructor(frame: Frame | null = null, value?: unknown, isError = false) {
    if (frame !== null) this.pc = frame.pc;
    this.#frame = frame;
    this.#value = value;
    this.#isError = isError;
  }

  /** The saved variables, by their index in the function's table. */
  restore(meta: FunctionDescription, count: number): unknown[] {
    const { pc, locals } = this.#frame!,
      live = meta.awaits[pc - 1]!.live,
      all: unknown[] = [];
    for (let i = 0; i < count; i++) all.push(undefined);
    for (let i = 0; i < live.length; i++) all[live[i]!] = locals[i];
    this.#frame = null;
    return all;
  }

  /** What the await at which the body was re-entered gives: a value, or an error thrown there. */
  resumed(): unknown {
    if (this.#isError) throw this.#value;
    return this.#value;
  }

  /**
   * A signal reached the edge of the body.
   * @returns what the body returns: a promise that the signal has rejected
   * @throws the signal, or the error that it may not pass here
   */
  capture(
    signal: Signal,
    awaited: Promise<unknown> | undefined,
    at: number,
    locals: unknown[],
    body: Body,
    meta: FunctionDescription,
  ): Promise<unknown> {
    if (signal instanceof Suspension) {
      signal.frame = new Frame(meta, at, pick(locals, meta.awaits[at - 1]!.live), body);
      throw signal;
    }
    if (signal instanceof Exit) {
      signal.isHeld = false;
      signal.moves++;
    }
    if (!(signal instanceof Capture)) throw signal;
    if (!arrives(signal, awaited)) throw refuse(signal, meta, at);
    const site = meta.awaits[at - 1]!;
    // A tail call has nothing left to do: it is listed for messages, and left out when the frames are linked.
    this.#leave(
      signal,
      site.isTail ? new Frame(meta, at, noLocals, null) : new Frame(meta, at, pick(locals, site.live), body),
    );
    // Returned, it costs a third less than the signal thrown once more.
    return awaited!;
  }

  /** For a call of the runtime's own, that something was thrown at: @returns what to throw on. A capture takes `frame` along. */
  passed(error: unknown, awaited: Promise<unknown> | null, frame: () => Frame): unknown {
    if (error instanceof Capture && arrives(error, awaited)) this.#leave(error, frame());
    return error;
  }

  #leave(signal: Capture, frame: Frame): void {
    signal.frames.push(frame);
    signal.promise = this.promise;
    // Nobody may be waiting for this call: then the open token tells, not an unhandled rejection.
    this.promise?.then(undefined, ignore);
  }

  /** `return value`: if it is a promise, what surfaces on it will surface on this call's promise. */
  forward<T>(value: T): T {
    if (typeof value === 'object' && value instanceof Promise) forwarded.set(value, this);
    return value;
  }

  /** Stress mode's await. */
  suspend(awaited: unknown): never {
    throw new Suspension(awaited);
  }
}

function pick(locals: unknown[], live: readonly number[]): unknown[] {
  if (live.length === locals.length) return locals;
  const out: unknown[] = [];
  for (let i = 0; i < live.length; i++) out.push(locals[live[i]!]);
  return out;
}

/** Whether the signal surfaces where it must: on the very promise of the call that it unwinds. */
export function arrives(signal: Signal, awaited: Promise<unknown> | undefined | null): boolean {
  for (let at = signal.promise; at; at = forwarded.get(at)?.promise ?? null) if (at === awaited) return true;
  return false;
}

export const TOO_LATE =
  'its request has been answered already; the promise of a capturing call can be awaited once, there and then';

function refuse(signal: Capture, meta: FunctionDescription, at: number): UnsafeContextError {
  const error = new UnsafeContextError(signal, { meta, at }, signal.promise === null ? TOO_LATE : undefined);
  signal.owner?.signalRefused(signal, error);
  return error;
}

/** For a catch clause: @throws a signal that passes through; @returns what the clause may see. */
export function passCatch(
  error: unknown,
  awaited: Promise<unknown> | undefined,
  meta: FunctionDescription,
  at: number,
): unknown {
  if (!(error instanceof Signal)) return error;
  if (error instanceof Capture && !arrives(error, awaited)) return refuse(error, meta, at);
  throw error;
}

/** For a finally block: @throws a capture that passes through; @returns what the block runs for, an exit included. */
export function passFinally(
  error: unknown,
  awaited: Promise<unknown> | undefined,
  meta: FunctionDescription,
  at: number,
): unknown {
  if (error instanceof Exit) {
    error.isHeld = true;
    error.moves++;
  }
  if (!(error instanceof Signal) || error instanceof Exit) return error;
  if (error instanceof Capture && !arrives(error, awaited)) return refuse(error, meta, at);
  throw error;
}

/** Counts the re-entries of stress mode. */
export const stressCount = { reentries: 0 };

/** Stress mode's driver: awaits what the body would, in as many ticks, and re-enters the body from its frame. */
export async function drive(start: Body): Promise<unknown> {
  let activation = new Activation(),
    body = start;
  for (;;) {
    try {
      return body(activation);
    } catch (error) {
      if (!(error instanceof Suspension) || !error.frame) throw error;
      let value: unknown,
        isError = false;
      try {
        value = await error.awaited;
      } catch (reason) {
        value = reason;
        isError = true;
      }
      activation = new Activation(error.frame, value, isError);
      body = madeAgain(error.frame.body!);
      stressCount.reentries++;
    }
  }
}
