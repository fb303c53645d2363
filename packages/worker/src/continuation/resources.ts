/** How a resource is disposed of. */
interface Way {
  method: (this: unknown) => unknown;
  /** Its result is not awaited, although others' are. */
  isSync: boolean;
}

/** What `using` has declared, with those before it: a list that is never changed, only extended. */
export class Resource {
  /** null or undefined: there is nothing but a wait. */
  readonly value: unknown;
  readonly isAsync: boolean;
  readonly older: Resource | null;
  /** null: it was saved, and its method is looked up when it is needed. */
  readonly #way: Way | null;

  constructor(value: unknown, isAsync: boolean, older: Resource | null, way: Way | null = null) {
    this.value = value;
    this.isAsync = isAsync;
    this.older = older;
    this.#way = way;
  }

  dispose(): unknown {
    const { value, isAsync } = this;
    if (value === null || value === undefined) return undefined;
    const { method, isSync } = this.#way ?? wayOf(value, isAsync);
    const result: unknown = Reflect.apply(method, value, []);
    return isSync ? undefined : result;
  }
}

function wayOf(value: object, isAsync: boolean): Way {
  const holder = value as Record<symbol, unknown>;
  let method = isAsync ? holder[Symbol.asyncDispose] : holder[Symbol.dispose],
    isSync = false;
  if (isAsync && (method === undefined || method === null)) {
    method = holder[Symbol.dispose];
    isSync = true;
  }
  if (typeof method !== 'function') throw new TypeError('The value of a using declaration is not disposable');
  return { method: method as Way['method'], isSync };
}

/** Adds what `using` declares to the list of what must be disposed. */
export function addResource(older: Resource | null, value: unknown, isAsync: boolean): Resource | null {
  if (value === null || value === undefined) return isAsync ? new Resource(value, isAsync, older) : older;
  if (typeof value !== 'object' && typeof value !== 'function')
    throw new TypeError(`A ${typeof value} is not an object`);
  return new Resource(value, isAsync, older, wayOf(value, isAsync));
}

/** Disposing, step by step, as a value: each step says what to await and what remains. */
export class Disposal {
  readonly list: Resource | null;
  readonly hasError: boolean;
  readonly error: unknown;
  constructor(list: Resource | null, hasError: boolean, error: unknown) {
    this.list = list;
    this.hasError = hasError;
    this.error = error;
  }
  failed(error: unknown): Disposal {
    return new Disposal(
      this.list,
      true,
      this.hasError ? new SuppressedError(error, this.error, 'An error was suppressed during disposal') : error,
    );
  }
  next(): { isDone: boolean; promise: unknown; rest: Disposal } {
    let rest: Disposal = this;
    for (let r = this.list; r; r = r.older) {
      rest = new Disposal(r.older, rest.hasError, rest.error);
      let promise: unknown;
      try {
        promise = r.dispose();
      } catch (error) {
        rest = rest.failed(error);
      }
      if (r.isAsync) return { isDone: false, promise, rest };
    }
    return { isDone: true, promise: undefined, rest };
  }
}
export function disposal(list: Resource | null, kind: number, value: unknown): Disposal {
  return new Disposal(list, kind === 1, kind === 1 ? value : undefined);
}
declare const SuppressedError: new (error: unknown, suppressed: unknown, message: string) => Error;
