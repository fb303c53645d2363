import { UnsafeContextError } from './errors.ts';
import { madeAgain } from './module-code.ts';
import { type Body, Frame, type FunctionDescription, noLocals } from './frame.ts';
import { ignoreRejection, isPlain } from './promises.ts';

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
  /** The code that runs now is this request's. */
  readonly isHere: boolean;
  /** The signal was refused, with this error, at an await. */
  signalRefused(signal: Signal, error: UnsafeContextError): void;
}

/** The token of a capture. It collects a frame from each call that it unwinds. */
export class Capture<Handler = unknown> extends Signal {
  readonly message = 'a continuation is being captured; let this pass (do not catch, store or log it)';
  readonly handler: Handler;
  readonly frames: Frame[] = [];
  readonly owner: SignalOwner;
  /** Another request has awaited it to its end, so that its own can't any more. */
  isTaken = false;
  constructor(handler: Handler, owner: SignalOwner) {
    super();
    this.handler = handler;
    this.owner = owner;
  }
}

/** The token of leaving for good: catch clauses do not see it, finally blocks run for it. */
export class Exit<Value = unknown> extends Signal {
  readonly message = 'the servlet is leaving with its response; let this pass';
  readonly value: Value;
  owner: SignalOwner;
  /** How many frames it has come to or left. */
  moves = 0;
  /** A finally block runs for it. */
  isHeld = false;
  constructor(value: Value, owner: SignalOwner) {
    super();
    this.value = value;
    this.owner = owner;
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
   * @returns what the body returns: the promise that a capture has rejected
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
    if (!mayPass(signal, awaited)) throw refuse(signal, meta, at);
    if (signal instanceof Exit) {
      signal.isHeld = false;
      signal.moves++;
    }
    if (!(signal instanceof Capture)) throw signal;
    const site = meta.awaits[at - 1]!;
    // A tail call has nothing left to do: it is listed for messages, and left out when the frames are linked.
    this.#leave(
      signal,
      site.isTail ? new Frame(meta, at, noLocals, null) : new Frame(meta, at, pick(locals, site.live), body),
    );
    // Returned, it costs a third less than the signal thrown. But it is asked for its `then`, which an await does not.
    if (!isPlain(awaited!)) throw signal;
    return awaited!;
  }

  /** For a call of the runtime's own, that something was thrown at: @returns what to throw on. A capture takes `frame` along. */
  passed(error: unknown, awaited: Promise<unknown> | null, frame: () => Frame): unknown {
    if (error instanceof Capture && mayPass(error, awaited)) this.#leave(error, frame());
    return error;
  }

  #leave(signal: Capture, frame: Frame): void {
    signal.frames.push(frame);
    signal.promise = this.promise;
    // Nobody may be waiting for this call: then the open token tells, not an unhandled rejection.
    if (this.promise !== null) ignoreRejection(this.promise);
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

/**
 * Whether the signal surfaces where it must: a capture on the very promise of the call that it unwinds, an exit in its own request. (A
 * capture is asked for its request at the end of its way: to ask at each frame would cost a tenth of it.)
 */
export function mayPass(signal: Signal, awaited: Promise<unknown> | undefined | null): boolean {
  if (signal instanceof Capture) {
    for (let at = signal.promise; at; at = forwarded.get(at)?.promise ?? null) if (at === awaited) return true;
    return false;
  }
  return !(signal instanceof Exit) || signal.owner.isHere;
}

const TOO_LATE =
  'its request has been answered already; the promise of a capturing call can be awaited once, there and then';
const ANOTHERS = 'another request has begun it; each request has to await calls of its own';
const TAKEN =
  'another request has awaited it first, and got this error as well; each request has to await calls of its own';

/** What is to be said of one that may not pass; undefined: it left the chain of its calls. */
export function whyRefused(signal: Capture | Exit): string | undefined {
  if (signal.isLate || (signal instanceof Capture && signal.promise === null)) return TOO_LATE;
  return signal.owner.isHere ? whyLost(signal) : ANOTHERS;
}

/** What is to be said, in its own request, of one that never arrives there; undefined: it left the chain of its calls. */
export function whyLost(signal: Signal): string | undefined {
  return signal instanceof Capture && signal.isTaken ? TAKEN : undefined;
}

function refuse(signal: Signal, meta: FunctionDescription, at: number): UnsafeContextError {
  const refused = signal as Capture | Exit;
  const error = new UnsafeContextError(refused, { meta, at }, whyRefused(refused));
  refused.owner.signalRefused(refused, error);
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
  if (!mayPass(error, awaited)) return refuse(error, meta, at);
  throw error;
}

/** For a finally block: @throws a capture that passes through; @returns what the block runs for, an exit included. */
export function passFinally(
  error: unknown,
  awaited: Promise<unknown> | undefined,
  meta: FunctionDescription,
  at: number,
): unknown {
  if (!(error instanceof Signal)) return error;
  if (!mayPass(error, awaited)) return refuse(error, meta, at);
  if (!(error instanceof Exit)) throw error;
  error.isHeld = true;
  error.moves++;
  return error;
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
