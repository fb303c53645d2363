/** What stands in a variable before its declaration has run. */
export const unset: unique symbol = Symbol('unset');

function dead(name: string): never {
  throw new ReferenceError(`Cannot access '${name}' before initialization`);
}

/** A read that may come before the declaration. @throws ReferenceError */
export function checked<T>(value: T, name: string): T {
  return value === unset ? dead(name) : value;
}
/** The value of an assignment to a variable whose declaration may not have run. */
export function writable<T>(value: T, current: unknown, name: string): T {
  return current === unset ? dead(name) : value;
}
/** An assignment to a constant, after its right side was evaluated. */
export function constant(_value: unknown, _name: string): never {
  throw new TypeError('Assignment to constant variable.');
}
export function constantTarget(name: string): object {
  return {
    set v(value: unknown) {
      constant(value, name);
    },
  };
}
export function checkedTarget(read: () => unknown, write: (value: unknown) => void, name: string): object {
  return {
    set v(value: unknown) {
      checked(read(), name);
      write(value);
    },
  };
}

/** The property key that a value stands for, converted once. With an object: @throws TypeError if it has no properties. */
export function keyOf(key: unknown, ...object: unknown[]): PropertyKey {
  if (object.length) requireObject(object[0]);
  if (typeof key === 'string' || typeof key === 'symbol' || typeof key === 'number') return key;
  return Reflect.ownKeys({ [key as string]: 0 })[0]!;
}
export function requireObject(value: unknown): void {
  if (value === undefined || value === null)
    throw new TypeError(`Cannot destructure '${String(value)}' as it is ${String(value)}.`);
}
/** `{...rest}` of a destructuring, without the keys that were taken. */
export function restOf(value: unknown, taken: PropertyKey[]): object {
  const out: Record<PropertyKey, unknown> = {},
    from = Object(value) as Record<PropertyKey, unknown>;
  const names = new Set(taken.map((k) => (typeof k === 'number' ? String(k) : k)));
  for (const key of Reflect.ownKeys(from)) {
    if (names.has(key) || !Reflect.getOwnPropertyDescriptor(from, key)?.enumerable) continue;
    Object.defineProperty(out, key, { value: from[key], writable: true, enumerable: true, configurable: true });
  }
  return out;
}

/** A method of the value is to be called once its arguments are there. @throws TypeError if it can have none */
export function receiver(value: unknown, key: string): void {
  if (value === undefined || value === null)
    throw new TypeError(`Cannot read properties of ${String(value)} (reading '${key}')`);
}

/** A method call whose method was looked up before its arguments were awaited. */
export function callWith(method: unknown, self: unknown, ...args: unknown[]): unknown {
  if (typeof method !== 'function') throw new TypeError(`${typeof method} is not a function`);
  return Reflect.apply(method, self, args);
}
/** A template's tag that keeps its receiver. */
export function bind(tag: unknown, self: unknown): (...args: unknown[]) => unknown {
  if (typeof tag !== 'function') throw new TypeError(`${typeof tag} is not a function`);
  return (...args) => Reflect.apply(tag, self, args);
}
