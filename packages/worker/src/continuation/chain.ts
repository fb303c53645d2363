import { Activation } from './activation.ts';
import type { Frame } from './frame.ts';

/**
 * Goes on with what a promise comes to, as a compiled function does behind an `await`: a capture that passes leaves a frame, and
 * a resumption goes on with `next`. For the library's own functions, which are not compiled.
 * @param start makes the promise, or gives a value
 * @param frame makes the frame; its body calls {@link linked} again
 * @param next gets the value; what it returns is what the call comes to
 */
export function chain(start: () => unknown, frame: () => Frame, next: (value: unknown) => unknown): Promise<unknown> {
  const activation = new Activation();
  return (activation.promise = linked(activation, start, frame, next));
}

/** The body of {@link chain}: in a frame, `start` is `() => activation.resumed()`. */
export async function linked(
  activation: Activation,
  start: () => unknown,
  frame: () => Frame,
  next: (value: unknown) => unknown,
): Promise<unknown> {
  let promise: Promise<unknown> | null = null;
  let value: unknown;
  try {
    value = start();
    if (value instanceof Promise) {
      promise = value;
      value = await value;
    }
  } catch (error) {
    throw activation.passed(error, promise, frame);
  }
  return activation.forward(next(value));
}
