import { capture, Continuation, exit } from '../continuation/runtime.ts';
import { isFrame } from '../continuation/serialize/frame-kinds.ts';
import { Refusal } from '../continuation/serialize/refusal.ts';
import { registerFillable } from '../continuation/serialize/registered.ts';
import { Jump } from './jump.ts';

/** The rest of a run as a value: it can be kept in a variable, and is saved with a page. */
export class CapturedContinuation<Value> {
  #continuation: Continuation;

  constructor(continuation: Continuation) {
    this.#continuation = continuation;
  }

  /** Gives up the present run and goes on there, with this value. Any number of times. */
  resume(value: Value): Promise<never> {
    return exit(new Jump(this.#continuation, value));
  }

  static {
    // A run may hold itself, in a variable that was there before.
    registerFillable(CapturedContinuation, 'custodian.CapturedContinuation', {
      to: (captured) => {
        const { frames, parked } = captured.#continuation;
        if (parked !== null) throw new Refusal(captured, 'has a native part in it, which only this process can resume');
        return frames;
      },
      // Frames have their bindings when all of the page is there, and each of them is resumed with its own.
      make: () => new CapturedContinuation(new Continuation(null, null, null)),
      fill: (captured, frames) => {
        if (frames !== null && !isFrame(frames)) throw new TypeError('Cannot make a continuation: it has no frames');
        captured.#continuation = new Continuation(frames, null, null);
      },
    });
  }
}

/**
 * Calls `f` with the rest of the run, and goes on with what it returns; or, as often as `resume` is called, with what
 * that is given. `f` can't suspend.
 * @see Racket `call-with-serializable-current-continuation`, `call/cc`
 *
 * @example
 * ```ts
 * async function start() {
 *   const count = await captureContinuation<number>(() => 0);
 *   await sendSuspend((url) => html`<a href="${url}">${count}</a>`);
 *   return html`<p>Done.</p>`;
 * }
 * ```
 */
export function captureContinuation<Value>(
  f: (continuation: CapturedContinuation<Value>) => Value | Promise<Value>,
): Promise<Value> {
  return capture(async (continuation) => new Jump(continuation, await f(new CapturedContinuation(continuation))));
}
