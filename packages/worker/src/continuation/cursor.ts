import { OneShotError } from './errors.ts';

const NativeArray = Array.prototype,
  arrayValues = NativeArray[Symbol.iterator];
const arrayIterator = Object.getPrototypeOf([][Symbol.iterator]()) as { next: unknown },
  arrayNext = arrayIterator.next;

/** A position in something iterated is a number that the loop keeps as a local; `next` returns the following position, or 0 at the end. */
export interface Cursor {
  value: unknown;
  next(position: number): number;
  close(): void;
  fail(): void;
}

class ArrayCursor implements Cursor {
  value: unknown;
  readonly #items: unknown[];
  constructor(items: unknown[]) {
    this.#items = items;
  }
  next(position: number): number {
    if (position >= this.#items.length) return 0;
    this.value = this.#items[position];
    return position + 1;
  }
  close(): void {}
  fail(): void {}
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
interface IteratorRecord {
  iterator: object;
  nextMethod: Method;
}

class IteratorCursor implements Cursor {
  value: unknown;
  readonly #iterable: unknown;
  readonly #method: Method;
  #record: IteratorRecord;
  #position = 0;
  /** Nothing is left to close: it ended, or its own code threw. */
  #isDone = false;
  /** A resumption has left the loop for good. */
  #isClosed = false;
  /** The error on its way is that of a resumption that came too late: the iterator is not its to close. */
  #isRefusing = false;
  constructor(iterable: unknown, method: Method) {
    this.#iterable = iterable;
    this.#method = method;
    this.#record = start(iterable, method);
  }
  next(position: number): number {
    if (position !== this.#position || this.#isClosed) this.#rewind(position);
    this.#isDone = true;
    const result = step(this.#record);
    if (result.done) return 0;
    this.value = result.value;
    this.#isDone = false;
    return ++this.#position;
  }
  /** A second resumption arrives with an earlier position than the one the first has reached. */
  #rewind(position: number): void {
    if (!isRepeatable(this.#iterable)) {
      this.#isRefusing = true;
      throw oneShot('for..of', position);
    }
    this.#isClosed = false;
    this.#record = start(this.#iterable, this.#method);
    for (this.#position = 0; this.#position < position; this.#position++) if (step(this.#record).done) break;
  }
  close(): void {
    if (this.#isDone) return;
    this.#isDone = this.#isClosed = true;
    const close = (this.#record.iterator as { return?: Method | null }).return;
    if (close === undefined || close === null) return;
    requireObjectResult(Reflect.apply(close, this.#record.iterator, []));
  }
  fail(): void {
    if (this.#isRefusing) {
      this.#isRefusing = false;
      return;
    }
    if (this.#isDone) return;
    this.#isDone = this.#isClosed = true;
    try {
      const close = (this.#record.iterator as { return?: Method | null }).return;
      if (close !== undefined && close !== null) Reflect.apply(close, this.#record.iterator, []);
    } catch {
      /* the error that is on its way wins */
    }
  }
}

function oneShot(loop: string, position: number): OneShotError {
  return new OneShotError(
    `Cannot resume inside ${loop} at item ${position}: another resumption has used the iterator since, and it cannot be rewound (iterate an array instead)`,
  );
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
function requireObjectResult(value: unknown): void {
  if (!isObject(value)) throw new TypeError(`${String(value)} is not an object`);
}

function start(iterable: unknown, method: Method): IteratorRecord {
  const iterator = Reflect.apply(method, iterable, []) as { next: Method };
  if (!isObject(iterator)) throw new TypeError('Result of the Symbol.iterator method is not an object');
  return { iterator, nextMethod: iterator.next };
}
function step(record: IteratorRecord): { done?: boolean; value?: unknown } {
  const result = callMethod(record.nextMethod, record.iterator);
  if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`);
  return result;
}
function callMethod(method: unknown, self: unknown, ...args: unknown[]): unknown {
  if (typeof method !== 'function') throw new TypeError(`${typeof method} is not a function`);
  return Reflect.apply(method, self, args);
}
function isRepeatable(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    value instanceof Map ||
    value instanceof Set ||
    ArrayBuffer.isView(value) ||
    Array.isArray(value)
  );
}
function methodOf(value: unknown, key: symbol): unknown {
  if (value === undefined || value === null) throw new TypeError(`${String(value)} is not iterable`);
  return (value as Record<symbol, unknown>)[key];
}
function iteratorMethod(value: unknown): Method {
  const method = methodOf(value, Symbol.iterator);
  if (typeof method !== 'function') throw new TypeError(`${typeof value} is not iterable`);
  return method as Method;
}

/** What `for..of` iterates. */
export function cursorOf(value: unknown): Cursor {
  const method = iteratorMethod(value);
  if (Array.isArray(value) && method === arrayValues && arrayIterator.next === arrayNext) return new ArrayCursor(value);
  return new IteratorCursor(value, method);
}

class KeyCursor {
  value: unknown;
  readonly #object: object | null;
  readonly #keys: string[] = [];
  constructor(value: unknown) {
    this.#object = value === null || value === undefined ? null : (Object(value) as object);
    for (const key in this.#object) this.#keys.push(key);
  }
  next(position: number): number {
    while (position < this.#keys.length) {
      const key = this.#keys[position++]!;
      // A property that was deleted meanwhile is not visited.
      if (position === 1 || isEnumerableIn(this.#object!, key)) {
        this.value = key;
        return position;
      }
    }
    return 0;
  }
}
function isEnumerableIn(object: object, key: string): boolean {
  return key in object;
}

/** What `for..in` iterates: a snapshot of the keys. */
export function keysOf(value: unknown): KeyCursor {
  return new KeyCursor(value);
}

/** `for await`: the iterator is an object of the heap, shared by all resumptions. */
class AsyncCursor {
  value: unknown;
  result: unknown;
  /** How many items were taken. */
  position = 0;
  readonly #record: IteratorRecord;
  #isDone = false;
  #isClosed = false;
  #isRefusing = false;
  constructor(record: IteratorRecord) {
    this.#record = record;
  }
  next(position: number): unknown {
    if (position !== this.position || this.#isClosed) {
      this.#isRefusing = true;
      throw oneShot('for await', position);
    }
    this.#isDone = true;
    return callMethod(this.#record.nextMethod, this.#record.iterator);
  }
  /** `position`: the local number of whoever awaited the result. */
  take(result: unknown, position: number): boolean {
    if (position !== this.position) {
      this.#isRefusing = true;
      throw oneShot('for await', position);
    }
    if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`);
    if ((result as { done?: boolean }).done) return false;
    this.value = (result as { value?: unknown }).value;
    this.#isDone = false;
    this.position++;
    return true;
  }
  /** Whether the iterator has a `return`, which was called: its `result` must be awaited. */
  mustReturn(): boolean {
    if (this.#isRefusing) return (this.#isRefusing = false);
    if (this.#isDone) return false;
    this.#isDone = this.#isClosed = true;
    const close = (this.#record.iterator as { return?: unknown }).return;
    if (close === undefined || close === null) return false;
    this.result = callMethod(close, this.#record.iterator);
    return true;
  }
  check(result: unknown): void {
    requireObjectResult(result);
  }
}

/** What `for await` iterates; a synchronous iterator is adapted as the language does. */
export function asyncCursorOf(value: unknown): AsyncCursor {
  const method = methodOf(value, Symbol.asyncIterator);
  if (method === undefined || method === null) return new AsyncCursor(fromSync(start(value, iteratorMethod(value))));
  if (typeof method !== 'function') throw new TypeError(`${typeof value} is not async iterable`);
  return new AsyncCursor(start(value, method as Method));
}

function fromSync(sync: IteratorRecord): IteratorRecord {
  const unwrap = (result: unknown, closes: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`);
      const done = Boolean((result as { done?: boolean }).done),
        value = (result as { value?: unknown }).value;
      const close = (reason: unknown): void => {
        if (!done && closes) {
          try {
            const c = (sync.iterator as { return?: Method }).return;
            if (c !== undefined && c !== null) Reflect.apply(c, sync.iterator, []);
          } catch {
            /* the rejection wins */
          }
        }
        reject(reason);
      };
      let wrapped: Promise<unknown>;
      try {
        wrapped = promiseResolve(value);
      } catch (reason) {
        close(reason);
        return;
      }
      wrapped.then((v) => resolve({ value: v, done }), close);
    });
  const iterator = {
    next: (): Promise<unknown> => attempt(() => unwrap(callMethod(sync.nextMethod, sync.iterator), true)),
    return: (): Promise<unknown> =>
      attempt(() => {
        const close = (sync.iterator as { return?: unknown }).return;
        if (close === undefined || close === null) return Promise.resolve({ value: undefined, done: true });
        return unwrap(callMethod(close, sync.iterator), false);
      }),
  };
  return { iterator, nextMethod: iterator.next };
}
const promiseResolve = (value: unknown): Promise<unknown> => Promise.resolve(value);
function attempt(make: () => Promise<unknown>): Promise<unknown> {
  try {
    return make();
  } catch (reason) {
    return Promise.reject(reason as Error);
  }
}

/** Array destructuring, element by element. */
class Elements {
  readonly #record: IteratorRecord;
  #isDone = false;
  constructor(record: IteratorRecord) {
    this.#record = record;
  }
  next(): unknown {
    if (this.#isDone) return undefined;
    this.#isDone = true;
    const result = step(this.#record);
    if (result.done) return undefined;
    const value = result.value;
    this.#isDone = false;
    return value;
  }
  rest(): unknown[] {
    const out: unknown[] = [];
    while (!this.#isDone) {
      const value = this.next();
      if (!this.#isDone) out.push(value);
    }
    return out;
  }
  close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const close = (this.#record.iterator as { return?: unknown }).return;
    if (close !== undefined && close !== null) requireObjectResult(callMethod(close, this.#record.iterator));
  }
  fail(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      const close = (this.#record.iterator as { return?: unknown }).return;
      if (close !== undefined && close !== null) callMethod(close, this.#record.iterator);
    } catch {
      /* the error on its way wins */
    }
  }
}
export function elements(value: unknown): Elements {
  return new Elements(start(value, iteratorMethod(value)));
}
