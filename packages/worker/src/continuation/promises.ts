/* oxlint-disable typescript/unbound-method -- they are applied to what they are given */
// As they are before a servlet can replace them.
const { then } = Promise.prototype;
const { apply } = Reflect;

/** Whether to return the promise is what it is to await it: to return it calls its `then`, which may be another than the language's. */
export const isPlain = (promise: Promise<unknown>): boolean => promise.then === then;

/** Calls back when the promise is settled, as an await would: whatever its `then` is. */
export function whenSettled(
  promise: Promise<unknown>,
  onValue: ((value: unknown) => void) | undefined,
  onError: (error: unknown) => void,
): void {
  // The plain call is what V8 makes fast.
  if (isPlain(promise)) void promise.then(onValue, onError);
  else void apply(then, promise, [onValue, onError]);
}

/** Nobody has to handle the promise's rejection. */
export function ignoreRejection(promise: Promise<unknown>): void {
  whenSettled(promise, undefined, ignore);
}
const ignore = (): void => {};
