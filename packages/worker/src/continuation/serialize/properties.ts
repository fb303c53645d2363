import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';

const WRITABLE = 1,
  ENUMERABLE = 2,
  CONFIGURABLE = 4,
  ACCESSOR = 8;
const NOT_EXTENSIBLE = 1;

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

export function refillExactly(from: GraphReader, node: object): void {
  const head = from.bytes.varint(),
    count = Math.floor(head / 2);
  if (count > from.bytes.left) throw from.bad('it is cut short');
  for (let i = 0; i < count; i++) {
    const key = from.read();
    if (typeof key !== 'string' && typeof key !== 'symbol') throw from.bad('a key is neither a string nor a symbol');
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
