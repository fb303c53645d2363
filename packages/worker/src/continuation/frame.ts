import type { Activation } from './activation.ts';
import type { Weight } from './estimate.ts';
import type { FunctionMeta } from './compile/functions.ts';
import type { ServletModule } from './module-code.ts';

/** A function's static description, with the file it came from. */
export interface FunctionDescription extends FunctionMeta {
  file: string;
  /** Set where frames of the function can be saved. */
  module?: ServletModule;
}

// Taken early: a servlet may change its globals.
const { parse } = JSON;

/** Reads the table that the compiler put at the end of a module. */
export function functionTable(file: string, json: string, module?: ServletModule): FunctionDescription[] {
  return (parse(json) as FunctionMeta[]).map((meta) => ({ ...meta, file, ...(module && { module }) }));
}

/** Of a frame that only marks a place. */
export const noLocals: readonly unknown[] = [];

/** Makes the rest of a function run again: `activation` says where. */
export type Body = (activation: Activation) => unknown;
/** Dynamic bindings: an immutable map from parameter to value. */
export type Bindings = ReadonlyMap<object, unknown>;

/** The rest of one call, from one await on. Immutable once captured, so any number of resumptions may start from it. */
export class Frame {
  readonly meta: FunctionDescription | null;
  /** The number of the await, from 1; 0 for a frame of the runtime itself. */
  readonly pc: number;
  /** The values that live across the await, in the order of `meta.awaits[pc - 1].live`. */
  readonly locals: readonly unknown[];
  readonly body: Body | null;
  /** Who called; null at the prompt. */
  next: Frame | null = null;
  /** The dynamic bindings under which this frame runs. */
  bindings: Bindings | null = null;
  /** While a page keeps it: see `PageWeight`. */
  weight: Weight | null = null;
  constructor(meta: FunctionDescription | null, pc: number, locals: readonly unknown[], body: Body | null) {
    this.meta = meta;
    this.pc = pc;
    this.locals = locals;
    this.body = body;
  }
}

/** Marks the end of a parameter's extent: the frames inside it run with one binding more. */
export class BindingFrame extends Frame {
  readonly parameter: object;
  readonly value: unknown;
  constructor(parameter: object, value: unknown) {
    super(null, 0, noLocals, null);
    this.parameter = parameter;
    this.value = value;
  }
}

/** Turns collected frames, innermost first, into the list whose tail all continuations of a visit share. */
export function link(frames: readonly Frame[], rest: Frame | null): Frame | null {
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
/** One binding more. */
export const extend = (bindings: Bindings | null, parameter: object, value: unknown): Bindings =>
  new Map(bindings).set(parameter, value);
/** The bindings under which what is inside a frame runs. */
const innerBindings = (frame: Frame): Bindings | null =>
  frame instanceof BindingFrame ? extend(frame.bindings, frame.parameter, frame.value) : frame.bindings;
/** The bindings under which a continuation's innermost code runs. */
export const bindingsAt = (frames: Frame | null): Bindings | null => (frames ? innerBindings(frames) : null);
