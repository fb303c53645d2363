import type { Bindings, Frame } from './frame.ts';
import type { Run } from './run.ts';

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

/** A native call that waits in memory. */
export interface Parked {
  settle: (value: unknown, isError: boolean) => void;
  run: Run;
  isUsed: boolean;
  /** Made where it was called, for its stack; null: that was not recorded. */
  calledAt: Error | null;
}
