import { registerSerializable } from '../continuation/serialize/registered.ts';

/**
 * A value that can be computed again: a page that holds it holds only how. In each thread it is computed when it is
 * asked for first, and again when memory was short meanwhile.
 * @see Racket `soft-state?`
 */
export class SoftState<Value> {
  readonly #compute: () => Value | Promise<Value>;
  #value: WeakRef<{ value: Value }> | null = null;
  #computing: Promise<Value> | null = null;

  constructor(compute: () => Value | Promise<Value>) {
    this.#compute = compute;
  }

  /** @throws what computing it throws; then it is tried again the next time */
  async get(): Promise<Value> {
    const kept = this.#value?.deref();
    if (kept !== undefined) return kept.value;
    this.#computing ??= (async () => {
      try {
        const value = await this.#compute();
        this.#value = new WeakRef({ value });
        return value;
      } finally {
        this.#computing = null;
      }
    })();
    return this.#computing;
  }

  static {
    registerSerializable(
      SoftState,
      (state) => state.#compute,
      (compute) => {
        if (typeof compute !== 'function') throw new TypeError('Cannot make a soft state: it has no function');
        return new SoftState(compute as () => unknown);
      },
      { name: 'custodian.SoftState' },
    );
  }
}

/**
 * @param compute a function of the servlet's own modules; what it captures is saved with it. It can't suspend.
 * @see Racket `soft-state`
 *
 * @example
 * ```ts
 * const rates = softState(async () => ({ euro: 1, dollar: 1.1 }));
 * (await rates.get()).dollar; // 1.1
 * ```
 */
export function softState<Value>(compute: () => Value | Promise<Value>): SoftState<Value> {
  return new SoftState(compute);
}
