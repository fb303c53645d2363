import { Activation } from './activation.ts';
import { BindingFrame, extend } from './frame.ts';
import { identities } from './identity.ts';
import { current, storage, type Store } from './run.ts';

/** A parameter whose value belongs to a stretch of calls, and travels with continuations captured there. */
export interface Parameter<Value> {
  (): Value;
  run<R>(value: Value, body: () => R | Promise<R>): Promise<R>;
}

/**
 * Makes a parameter: what `run` gives it holds for what is called within, also after a suspension there.
 * @see Racket `make-web-parameter`, `web-parameterize`
 *
 * @example
 * ```ts
 * const language = webParameter('en');
 * function start() {
 *   return language.run('de', () => html`<html lang="${language()}"></html>`);
 * }
 * ```
 */
export function createParameter<Value>(fallback: Value): Parameter<Value> {
  const parameter = ((): Value => {
    const bindings = storage.getStore()?.bindings;
    return bindings?.has(parameter) ? (bindings.get(parameter) as Value) : fallback;
  }) as Parameter<Value>;
  // A saved page names the module's constant.
  identities.add(parameter);
  parameter.run = <R>(value: Value, body: () => R | Promise<R>): Promise<R> => {
    let store: Store;
    try {
      store = current('bind a parameter');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const activation = new Activation();
    const inner = { ...store, bindings: extend(store.bindings, parameter, value) };
    return (activation.promise = storage.run(inner, () => bound(activation, parameter, value, body))) as Promise<R>;
  };
  return parameter;
}

/** The part of `run` that a capture passes through: it leaves a frame that carries the binding. */
async function bound<R>(
  activation: Activation,
  parameter: object,
  value: unknown,
  body: () => R | Promise<R>,
): Promise<R> {
  let promise: Promise<unknown> | null = null;
  try {
    const result = body();
    if (!(result instanceof Promise)) return result;
    promise = result;
    return await result;
  } catch (error) {
    throw activation.passed(error, promise, () => new BindingFrame(parameter, value));
  }
}
