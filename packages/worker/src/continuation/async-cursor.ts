import { oneShot } from './errors.ts';
import {
  callMethod,
  type IteratorRecord,
  isObject,
  iteratorMethod,
  type Method,
  methodOf,
  requireObjectResult,
  start,
} from './iterator.ts';

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
