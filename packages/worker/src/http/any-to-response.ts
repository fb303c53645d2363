import type { ServletResult } from './reply.ts';

/** Makes a response of a value that is none; undefined: it can't. */
export type AnyToResponse = (value: unknown) => ServletResult | undefined;

let hook: AnyToResponse | null = null;
let isCoercing = false;

/**
 * Sets what makes responses of values that the library knows nothing of, for all that this thread's servlet returns.
 * null: such values are errors again.
 * @see Racket `set-any->response!`
 *
 * @example
 * ```ts
 * setAnyToResponse((value) => (value instanceof Map ? json(Object.fromEntries(value)) : undefined));
 * setAnyToResponse(null);
 * ```
 */
export function setAnyToResponse(coerce: AnyToResponse | null): void {
  hook = coerce;
}

/** What the hook makes of a value; asked once for each, so that a hook that returns what it was given ends as an error. */
export function coerceOther(value: unknown): ServletResult | undefined {
  if (hook === null || isCoercing) return undefined;
  isCoercing = true;
  try {
    const coerced = hook(value);
    return coerced === value ? undefined : coerced;
  } finally {
    isCoercing = false;
  }
}
