import { BindingFrame, type Frame } from './frame.ts';

const frameBytes = 96,
  slotBytes = 8,
  objectBytes = 56,
  deepest = 6,
  mostObjects = 2000,
  sampled = 64,
  heavyBytes = 4096;

/** What is heavy of all that a continuation keeps, with its weight when it was weighed last. */
export type HeavyValues = ReadonlyMap<unknown, number>;

export interface Estimate {
  bytes: number;
  /** For the continuations that come after this one; null when nothing is heavy. */
  heavy: HeavyValues | null;
}

/**
 * About how many bytes a continuation keeps alive that were not charged before. Frames that have been weighed are not weighed again, and
 * of a heavy value that the continuation before kept as well only the growth is new; so what all pages of a visit share is
 * charged once. `others`: values beside the frames. Of large collections a sample is weighed; a function counts as one object.
 */
export function estimateBytes(
  frames: Frame | null,
  others: Iterable<unknown> = [],
  before: HeavyValues | null = null,
): Estimate {
  let seen: Set<object> | null = null,
    bytes = 0,
    heavy: Map<unknown, number> | null = null;
  const weigh = (value: unknown): void => {
    const size = isObject(value) ? sizeOf(value, (seen ??= new Set()), 0) : sizeOfPrimitive(value);
    if (size < heavyBytes) {
      bytes += size;
      return;
    }
    (heavy ??= new Map()).set(value, size);
    bytes += Math.max(0, size - (before?.get(value) ?? 0));
  };
  let frame = frames;
  for (; frame && !frame.isWeighed; frame = frame.next) {
    frame.isWeighed = true;
    bytes += frameBytes + frame.locals.length * slotBytes + 16;
    for (const value of frame.locals) weigh(value);
    if (frame instanceof BindingFrame) weigh(frame.value);
  }
  for (const value of others) weigh(value);
  return { bytes, heavy };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function sizeOfPrimitive(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 16 + value.length * 2;
    case 'bigint':
      return 24;
    case 'function':
      return 64;
    default:
      return 0;
  }
}

function sizeOf(value: unknown, seen: Set<object>, depth: number): number {
  if (!isObject(value)) return sizeOfPrimitive(value);
  if (seen.has(value)) return 0;
  if (seen.size >= mostObjects) return objectBytes;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return objectBytes + value.byteLength;
  if (value instanceof ArrayBuffer) return objectBytes + value.byteLength;
  if (depth >= deepest) return objectBytes;
  if (value instanceof Map) return objectBytes + sizeOfSome(value.size, mapParts(value), seen, depth);
  if (value instanceof Set) return objectBytes + sizeOfSome(value.size, value, seen, depth);
  const keys = Array.isArray(value) ? null : Object.keys(value);
  const count = keys === null ? (value as unknown[]).length : keys.length;
  return objectBytes + sizeOfSome(count, propertyValues(value, keys, count), seen, depth);
}

/** What `count` parts weigh, by the first of them. */
function sizeOfSome(count: number, parts: Iterable<unknown>, seen: Set<object>, depth: number): number {
  let total = 0,
    left = sampled;
  for (const part of parts) {
    total += slotBytes + sizeOf(part, seen, depth + 1);
    if (--left === 0) break;
  }
  return count > sampled ? (total * count) / sampled : total;
}

function* mapParts(map: ReadonlyMap<unknown, unknown>): Iterable<unknown> {
  for (const [key, value] of map) yield [key, value];
}

/** An accessor is not called: it could do anything. `keys`: null for an array. */
function* propertyValues(value: object, keys: readonly string[] | null, count: number): Iterable<unknown> {
  for (let at = 0; at < count; at++)
    yield Object.getOwnPropertyDescriptor(value, keys === null ? at : keys[at]!)?.value;
}
