/** The iteration protocol, by hand. */

export type Method = (this: unknown, ...args: unknown[]) => unknown;
export interface IteratorRecord {
  iterator: object;
  nextMethod: Method;
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
export function requireObjectResult(value: unknown): void {
  if (!isObject(value)) throw new TypeError(`${String(value)} is not an object`);
}

export function start(iterable: unknown, method: Method): IteratorRecord {
  const iterator = Reflect.apply(method, iterable, []) as { next: Method };
  if (!isObject(iterator)) throw new TypeError('Result of the Symbol.iterator method is not an object');
  return { iterator, nextMethod: iterator.next };
}
export function step(record: IteratorRecord): { done?: boolean; value?: unknown } {
  const result = callMethod(record.nextMethod, record.iterator);
  if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`);
  return result;
}
export function callMethod(method: unknown, self: unknown, ...args: unknown[]): unknown {
  if (typeof method !== 'function') throw new TypeError(`${typeof method} is not a function`);
  return Reflect.apply(method, self, args);
}
export function methodOf(value: unknown, key: symbol): unknown {
  if (value === undefined || value === null) throw new TypeError(`${String(value)} is not iterable`);
  return (value as Record<symbol, unknown>)[key];
}
export function iteratorMethod(value: unknown): Method {
  const method = methodOf(value, Symbol.iterator);
  if (typeof method !== 'function') throw new TypeError(`${typeof value} is not iterable`);
  return method as Method;
}

/** An array that is iterated as the language does it, if nobody has changed how: its items may be taken by their index. */
export function isPlainArray(value: unknown, method: Method): value is unknown[] {
  return Array.isArray(value) && method === arrayValues && arrayIterator.next === arrayNext;
}
const NativeArray = Array.prototype,
  arrayValues = NativeArray[Symbol.iterator];
const arrayIterator = Object.getPrototypeOf([][Symbol.iterator]()) as { next: unknown },
  arrayNext = arrayIterator.next;
