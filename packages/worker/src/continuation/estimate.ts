import { BindingFrame, type Frame } from './frame.ts';

const frameBytes = 96,
  slotBytes = 8,
  objectBytes = 56,
  deepest = 6,
  mostObjects = 2000,
  sampled = 64,
  heavyBytes = 4096;

/** Of a frame or a page that is kept: what keeps it alive, and what it is charged. */
export interface Weight {
  /** Pages that go on from the frame, and kept frames that it called. */
  holders: number;
  bytes: number;
  heavy: unknown[] | null;
  /** Where its heavy values are counted: other visits may go on from a continuation as well. */
  readonly shared: SharedWeights;
}

/** What has been weighed of a page. Most keep no objects: a set is made with the first. */
interface Seen {
  objects: Set<object> | null;
}

/** The heavy values that the pages of one visit keep alive: each counts once, for as long as any page keeps it. */
export class SharedWeights {
  #values: Map<unknown, { holders: number; bytes: number }> | null = null;

  /** @returns bytes that are charged for the first time: of a value that is known, its growth */
  hold(value: unknown, bytes: number): number {
    const known = (this.#values ??= new Map()).get(value);
    if (known === undefined) {
      this.#values.set(value, { holders: 1, bytes });
      return bytes;
    }
    const growth = Math.max(0, bytes - known.bytes);
    known.holders++;
    known.bytes += growth;
    return growth;
  }

  /** @returns bytes that nobody keeps any more */
  release(value: unknown): number {
    const known = this.#values?.get(value);
    if (known === undefined || --known.holders > 0) return 0;
    this.#values!.delete(value);
    return known.bytes;
  }
}

/**
 * About how many bytes a page keeps alive. What pages share, frames and heavy values, is charged to the first that keeps it and is
 * freed with the last. Of large collections a sample is weighed; a function counts as one object.
 */
export class PageWeight {
  readonly shared: SharedWeights;
  readonly #frames: Frame | null;
  readonly #others: Iterable<unknown>;
  #own: Weight | null = null;

  /** `others`: values beside the frames. */
  constructor(frames: Frame | null, others: Iterable<unknown>, shared: SharedWeights) {
    this.#frames = frames;
    this.#others = others;
    this.shared = shared;
  }

  /** A link of the page is kept. @returns about how many bytes more are kept alive */
  hold(): number {
    if (this.#own !== null) {
      this.#own.holders++;
      return 0;
    }
    const seen: Seen = { objects: null };
    const own: Weight = { holders: 1, bytes: 0, heavy: null, shared: this.shared };
    let held = this.#weigh(own, this.#others, seen);
    this.#own = own;
    for (let frame = this.#frames; frame; frame = frame.next) {
      if (frame.weight !== null) {
        frame.weight.holders++;
        break;
      }
      const bytes = frameBytes + frame.locals.length * slotBytes + 16;
      const weight: Weight = { holders: 1, bytes, heavy: null, shared: this.shared };
      held += weight.bytes + this.#weigh(weight, frame.locals, seen);
      if (frame instanceof BindingFrame) held += this.#weigh(weight, [frame.value], seen);
      frame.weight = weight;
    }
    return held;
  }

  /** A link is gone. @returns about how many bytes that frees */
  release(): number {
    if (this.#own === null || --this.#own.holders > 0) return 0;
    let freed = free(this.#own);
    this.#own = null;
    for (let frame = this.#frames; frame?.weight; frame = frame.next) {
      if (--frame.weight.holders > 0) break;
      freed += free(frame.weight);
      frame.weight = null;
    }
    return freed;
  }

  /** @returns bytes that are charged for the first time */
  #weigh(weight: Weight, values: Iterable<unknown>, seen: Seen): number {
    let held = 0;
    for (const value of values) {
      const size = sizeOfAny(value, seen);
      if (size < heavyBytes) {
        weight.bytes += size;
        held += size;
      } else {
        (weight.heavy ??= []).push(value);
        held += this.shared.hold(value, size);
      }
    }
    return held;
  }
}

function free({ bytes, heavy, shared }: Weight): number {
  let freed = bytes;
  for (const value of heavy ?? []) freed += shared.release(value);
  return freed;
}

/** Of a proxy that throws, its own size. */
function sizeOfAny(value: unknown, seen: Seen): number {
  try {
    return sizeOf(value, seen, 0);
  } catch {
    return objectBytes;
  }
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

function sizeOf(value: unknown, seen: Seen, depth: number): number {
  if (!isObject(value)) return sizeOfPrimitive(value);
  const objects = (seen.objects ??= new Set());
  if (objects.has(value)) return 0;
  if (objects.size >= mostObjects) return objectBytes;
  objects.add(value);
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
function sizeOfSome(count: number, parts: Iterable<unknown>, seen: Seen, depth: number): number {
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
