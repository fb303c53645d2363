/* oxlint-disable typescript/unbound-method -- methods as they were, which are given what to be called on */
/**
 * Stands between Node's and the runtime's JavaScript and all prototypes and functions that a guest reaches, and looks at what comes
 * by: receivers, arguments, results, and what all of these hold.
 */
import { types } from 'node:util';
import { className, kindOf } from './inner.ts';

const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, setPrototypeOf } = Reflect;
const { get: getProperty, set: setProperty } = Reflect;
const { get: depthOf, set: setDepth } = WeakMap.prototype;
const { isMap, isSet, isSharedArrayBuffer, isArrayBuffer } = types;
const { isView } = ArrayBuffer;
const { then } = Promise.prototype;
const OBJECT = Object.prototype;
const { isExtensible } = Object;
const { hasInstance } = Symbol;
const isInstance = getOwnPropertyDescriptor(Function.prototype, hasInstance)?.value as Callable;
const RealProxy = Proxy;
const RealError = Error;
const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;

/** How many properties away from what comes by it looks. */
const DEPTH = 5;
/** A list as long as this is data. */
const KEYS_MAX_COUNT = 500;
const STACK_DEPTH = 30;
/** Streams on files ask whether it is still theirs, and open files in another way when it is not. */
const ASKED = 'open';

/** Something that no guest may have, and by what it came. */
export interface Find {
  kind: string;
  class: string;
  where: string;
  stack: string;
}

type Callable = (...given: unknown[]) => unknown;

const finds: Find[] = [];
const told: Record<string, boolean> = { __proto__: null as never };
/** How deep each object has been looked into. */
const looked = new WeakMap<object, number>();
let isLooking = false;

/** What the servlet makes itself, and may have. */
export function own<Value extends object>(make: () => Value): Value {
  isLooking = true;
  const value = make();
  apply(setDepth, looked, [value, Infinity]);
  for (const key of ownKeys(value)) {
    const member: unknown = getOwnPropertyDescriptor(value, key)?.value;
    if (typeof member === 'object' && member !== null) apply(setDepth, looked, [member, Infinity]);
  }
  isLooking = false;
  return value;
}

/** What has been found until now. */
export function found(): Find[] {
  return finds;
}

function look(value: unknown, depth: number, where: string): void {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return;
  const before = (apply(depthOf, looked, [value]) as number | undefined) ?? -1;
  if (before >= depth) return;
  if (before < 0) {
    const kind = isSharedArrayBuffer(value) ? 'shared memory' : kindOf(value);
    // Told again wherever else it comes by.
    if (kind !== null) return tell(kind, value, where);
  }
  apply(setDepth, looked, [value, depth]);
  if (depth === 0 || isArrayBuffer(value)) return;
  if (isView(value)) return look(value.buffer, depth - 1, `${where}.buffer`);
  if (isMap(value) || isSet(value)) {
    const each = (member: unknown, key: unknown): void => {
      look(member, depth - 1, `${where}<member>`);
      look(key, depth - 1, `${where}<key>`);
    };
    apply(isMap(value) ? mapForEach : setForEach, value, [each]);
  }
  const keys = ownKeys(value);
  if (keys.length > KEYS_MAX_COUNT) return;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as PropertyKey;
    const descriptor = getOwnPropertyDescriptor(value, key);
    if (descriptor !== undefined && 'value' in descriptor) look(descriptor.value, depth - 1, `${where}.${nameOf(key)}`);
  }
}

function tell(kind: string, value: object, where: string): void {
  const name = className(value);
  const id = `${kind} ${name} ${where}`;
  if (told[id] === true) return;
  told[id] = true;
  const before = RealError.stackTraceLimit;
  RealError.stackTraceLimit = STACK_DEPTH;
  const { stack = '' } = new RealError(kind);
  RealError.stackTraceLimit = before;
  finds[finds.length] = { kind, class: name, where, stack };
}

function nameOf(key: PropertyKey): string {
  return typeof key === 'symbol' ? `@${key.description ?? ''}` : `${key}`;
}

function passes(where: string, self: unknown, given?: readonly unknown[], result?: unknown): void {
  if (isLooking) return;
  isLooking = true;
  try {
    look(self, DEPTH, `this of ${where}`);
    if (given !== undefined) for (let at = 0; at < given.length; at++) look(given[at], DEPTH, `argument of ${where}`);
    look(result, DEPTH, `result of ${where}`);
  } catch (error) {
    tell('what can not be looked at', error as object, where);
  } finally {
    isLooking = false;
  }
}

const wrapped = new WeakMap<object, unknown>();

/** The same function, which tells what it is called with. */
function wrap(real: Callable, where: string): Callable {
  const known = apply(depthOf, wrapped, [real]) as Callable | undefined;
  if (known !== undefined) return known;
  const handler: ProxyHandler<Callable> = {
    __proto__: null,
    apply(_real, self: unknown, given: unknown[]) {
      // What has been awaited comes by nothing else.
      const passed = real === then ? [wrapReaction(given[0]), wrapReaction(given[1])] : given;
      const result: unknown = apply(real, self, passed);
      passes(where, self, given, result);
      return result;
    },
    construct(_real, given: unknown[], target) {
      const result = construct(real, given, target) as object;
      passes(`new ${where}`, result, given);
      return result;
    },
  } as ProxyHandler<Callable>;
  const wrapper = new RealProxy(real, handler);
  apply(setDepth, wrapped, [real, wrapper]);
  apply(setDepth, wrapped, [wrapper, wrapper]);
  return wrapper;
}

function wrapReaction(reaction: unknown): unknown {
  if (typeof reaction !== 'function') return reaction;
  return (value: unknown): unknown => {
    passes('what is awaited', undefined, [value]);
    return apply(reaction, undefined, [value]);
  };
}

/** @returns of how many objects something is wrapped */
export function install(roots: Readonly<Record<string, unknown>>): number {
  const { reached, prototypes } = crawl(roots);
  // What a guest reaches without any trick.
  for (const [object, where] of reached) {
    look(object, 0, where);
    if (kindOf(object) !== null) continue;
    if (!looked.has(object) || (looked.get(object) as number) < DEPTH) looked.set(object, DEPTH);
  }
  const top = new RealProxy(OBJECT, {
    get(target, key, receiver: unknown) {
      passes(`what misses ${nameOf(key)}`, receiver);
      return getProperty(target, key, receiver) as unknown;
    },
    set(target, key, value: unknown, receiver: unknown) {
      passes(`what is given a ${nameOf(key)}`, receiver, [value]);
      return setProperty(target, key, value, receiver);
    },
  });
  isLooking = true;
  for (const [object, where] of reached) {
    if (kindOf(object) !== null) continue;
    for (const key of ownKeys(object))
      if (key !== 'prototype' && key !== ASKED) replace(object, key, `${where}.${nameOf(key)}`, prototypes.has(object));
    if (typeof object === 'function' && getOwnPropertyDescriptor(object, 'prototype') !== undefined)
      tellInstances(object as Callable, where);
  }
  // A property that an object and all its prototypes miss is looked for there.
  for (const [object] of reached)
    if (prototypes.has(object) && isExtensible(object) && getPrototypeOf(object) === OBJECT)
      setPrototypeOf(object, top);
  isLooking = false;
  return reached.size;
}

function crawl(roots: Readonly<Record<string, unknown>>): { reached: Map<object, string>; prototypes: Set<object> } {
  const reached = new Map<object, string>();
  const prototypes = new Set<object>();
  const add = (value: unknown, where: string): void => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || reached.has(value)) return;
    reached.set(value, where);
  };
  for (const [name, value] of Object.entries(roots)) add(value, name);
  // A map's iterator comes to what is added on the way.
  for (const [object, where] of reached) {
    if (kindOf(object) !== null || isView(object)) continue;
    const prototype = getPrototypeOf(object);
    if (prototype !== null) prototypes.add(prototype);
    add(prototype, `prototype of ${where}`);
    for (const key of ownKeys(object)) {
      const descriptor = getOwnPropertyDescriptor(object, key);
      const name = `${where}.${nameOf(key)}`;
      add(descriptor?.value, name);
      add(descriptor?.get, `${name} (get)`);
      add(descriptor?.set, `${name} (set)`);
      if (key === 'prototype' && typeof object === 'function' && typeof descriptor?.value === 'object')
        prototypes.add(descriptor.value as object);
    }
  }
  prototypes.delete(OBJECT);
  // V8 reads the limit of traces there itself, and believes no accessor.
  prototypes.delete(RealError);
  return { reached, prototypes };
}

/** Puts what tells in the place of a property. On a prototype, whoever reads it tells itself. */
function replace(object: object, key: PropertyKey, where: string, isPrototype: boolean): void {
  const descriptor = getOwnPropertyDescriptor(object, key) as PropertyDescriptor;
  const { configurable, enumerable = false, writable, value, get, set } = descriptor;
  const isFunction = typeof value === 'function';
  const replacement: unknown = isFunction ? wrap(value as Callable, where) : value;
  if (get !== undefined || set !== undefined) {
    if (configurable !== true) return;
    const accessors: PropertyDescriptor = { enumerable, configurable };
    if (get !== undefined) accessors.get = wrap(get as Callable, `${where} (get)`) as () => unknown;
    if (set !== undefined) accessors.set = wrap(set as Callable, `${where} (set)`);
    defineProperty(object, key, accessors);
  } else if (isPrototype && configurable === true && object !== OBJECT) {
    let current = replacement;
    defineProperty(object, key, {
      get(this: unknown) {
        passes(where, this);
        return current;
      },
      set(this: object, given: unknown) {
        passes(`${where} =`, this, [given]);
        if (this === object) current = given;
        else defineProperty(this, key, { value: given, writable: true, enumerable: true, configurable: true });
      },
      enumerable,
      configurable,
    });
  } else if (isFunction && configurable === true) {
    defineProperty(object, key, { ...descriptor, value: replacement });
  } else if (isFunction && writable === true) {
    Reflect.set(object, key, replacement);
  }
}

/** Whatever is asked whether it is of a class is given to that class. */
function tellInstances(object: Callable, where: string): void {
  if (getOwnPropertyDescriptor(object, hasInstance) !== undefined) return;

  defineProperty(object, hasInstance, {
    value(this: unknown, value: unknown) {
      passes(`instanceof ${where}`, this, [value]);
      return apply(isInstance, this, [value]) as boolean;
    },
    configurable: true,
  });
}
