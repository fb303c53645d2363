import type { Continuation } from '../continuation/continuation.ts';

/** Where a run goes on instead of being answered: see `captureContinuation`. */
export class Jump {
  readonly continuation: Continuation;
  readonly value: unknown;
  constructor(continuation: Continuation, value: unknown) {
    this.continuation = continuation;
    this.value = value;
  }
}
