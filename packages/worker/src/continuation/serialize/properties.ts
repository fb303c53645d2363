import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';

const WRITABLE = 1,
  ENUMERABLE = 2,
  CONFIGURABLE = 4,
  ACCESSOR = 8;
const NOT_EXTENSIBLE = 1;

/** Of an array at most. */
const LENGTH_MAX = 0xffff_ffff;
const LAST_INDEX = LENGTH_MAX - 1;

/** It is what an assignment makes. */
export function isOrdinary(property: PropertyDescriptor): boolean {
  return 'value' in property && property.writable! && property.enumerable! && property.configurable!;
}

/** Properties with their attributes, accessors as the functions that they are, and whether more can be added. */
export function fillExactly(out: GraphWriter, node: object, keys: readonly (string | symbol)[]): void {
  const { bytes } = out;
  bytes.varint(keys.length * 2 + (Object.isExtensible(node) ? 0 : NOT_EXTENSIBLE));
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(node, key)!;
    out.at = key;
    out.write(key);
    bytes.u8(
      (property.writable ? WRITABLE : 0) |
        (property.enumerable ? ENUMERABLE : 0) |
        (property.configurable ? CONFIGURABLE : 0) |
        ('value' in property ? 0 : ACCESSOR),
    );
    if ('value' in property) out.write(property.value);
    else {
      for (const part of ['get', 'set'] as const) out.write(property[part]);
    }
  }
}

/**
 * For a node that has no properties yet but those that it is made with, which stay as they are.
 * @param length what an array will have
 */
export function refillExactly(from: GraphReader, node: object, length: number = LENGTH_MAX): void {
  const head = from.bytes.varint(),
    count = Math.floor(head / 2);
  if (count > from.bytes.left) throw from.bad('it is cut short');
  let isSparse = length < LENGTH_MAX && length > room(count);
  if (isSparse) makeSparse(node);
  for (let i = 0; i < count; i++) {
    const key = from.read();
    if (typeof key !== 'string' && typeof key !== 'symbol') throw from.bad('a key is neither a string nor a symbol');
    if (Object.hasOwn(node, key)) throw from.bad('a property is there already');
    if (indexOf(key) >= length) throw from.bad('an array is too short');
    if (!isSparse && isFar(key, count)) {
      makeSparse(node);
      isSparse = true;
    }
    const flags = from.bytes.u8(),
      property: PropertyDescriptor = {
        enumerable: (flags & ENUMERABLE) !== 0,
        configurable: (flags & CONFIGURABLE) !== 0,
      };
    if (flags & ACCESSOR) Object.assign(property, { get: functionOrNone(from), set: functionOrNone(from) });
    else {
      property.value = from.read();
      property.writable = (flags & WRITABLE) !== 0;
    }
    Object.defineProperty(node, key, property);
  }
  if (head % 2 === NOT_EXTENSIBLE) from.finally(() => Object.preventExtensions(node));
}

function functionOrNone(from: GraphReader): (() => unknown) | undefined {
  const value = from.read();
  if (value !== undefined && typeof value !== 'function') throw from.bad('an accessor is no function');
  return value as (() => unknown) | undefined;
}

/** What a property of the object's own holds; undefined for one that has a getter. */
export function ownValue(object: object, key: PropertyKey): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}

export function addTo(object: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** What an array or an object with indexes for keys may take for each that it has. */
const room = (count: number): number => 64 + 4 * count;

/** Would the engine keep memory for much that is not there, in front of this key? */
export function isFar(key: string | symbol, count: number): boolean {
  return indexOf(key) > room(count);
}

/** An element far away makes the engine keep none for what is between. */
export function makeSparse(object: object): void {
  addTo(object, LAST_INDEX, null);
  Reflect.deleteProperty(object, LAST_INDEX);
}

function indexOf(key: string | symbol): number {
  if (typeof key === 'symbol' || key.length > 10) return -1;
  const index = Number(key) >>> 0;
  return index < LENGTH_MAX && String(index) === key ? index : -1;
}
