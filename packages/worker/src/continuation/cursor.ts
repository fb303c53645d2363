import { oneShot } from './errors.ts';
import {
  callMethod,
  type IteratorRecord,
  isPlainArray,
  iteratorMethod,
  type Method,
  requireObjectResult,
  start,
  step,
} from './iterator.ts';
import { receiver } from './support.ts';

/** A position in something iterated is a number that the loop keeps as a local; `next` returns the following position, or 0 at the end. */
export interface Cursor {
  value: unknown;
  next(position: number): number;
  close(): void;
  fail(): void;
}

/** What of a collection is iterated. */
export type View = 'keys' | 'values' | 'entries';

/** An array, or a view of one. */
export class ArrayCursor implements Cursor {
  value: unknown;
  readonly items: readonly unknown[];
  readonly view: View;
  constructor(items: readonly unknown[], view: View) {
    this.items = items;
    this.view = view;
  }
  next(position: number): number {
    if (position >= this.items.length) return 0;
    const item = this.items[position];
    this.value = this.view === 'values' ? item : this.view === 'keys' ? position : [position, item];
    return position + 1;
  }
  close(): void {}
  fail(): void {}
}

/** Anything else. */
export class IteratorCursor implements Cursor {
  value: unknown;
  readonly #iterable: unknown;
  readonly #method: Method;
  /** null: it was made again, and nothing has been asked for yet. */
  #record: IteratorRecord | null;
  #position = 0;
  /** Where in the collection the position was when it was saved. */
  #index = 0;
  /** Nothing is left to close: it ended, or its own code threw. */
  #isDone = false;
  /** A resumption has left the loop for good. */
  #isClosed = false;
  /** The error on its way is that of a resumption that came too late: the iterator is not its to close. */
  #isRefusing = false;
  constructor(iterable: unknown, method: Method, at: CursorPlace | null = null) {
    this.#iterable = iterable;
    this.#method = method;
    this.#record = at === null ? start(iterable, method) : null;
    if (at !== null) ({ position: this.#position, index: this.#index } = at);
  }
  next(position: number): number {
    if (position !== this.#position || this.#isClosed) this.#rewind(position);
    this.#record ??= this.#startAt(this.#index);
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
    this.#record = this.#startAt(position);
    this.#position = position;
  }
  #startAt(index: number): IteratorRecord {
    const record = start(this.#iterable, this.#method);
    for (let i = 0; i < index; i++) if (step(record).done) break;
    return record;
  }

  /** Where it is, if it can be made again there; null if not. Of a Map or a Set, what it has visited may be gone. */
  get place(): (CursorPlace & { iterable: unknown; view: View }) | null {
    const view = viewOf(this.#iterable, this.#method);
    if (view === null) return null;
    const isCollection = this.#iterable instanceof Map || this.#iterable instanceof Set;
    if (isCollection && this.#record !== null && !this.#isDone) {
      let left = 0;
      while (!step(this.#record).done) left++;
      this.#index = this.#iterable.size - left;
      this.#record = this.#startAt(this.#index);
    } else if (!isCollection) this.#index = this.#position;
    return { iterable: this.#iterable, view, position: this.#position, index: this.#index };
  }

  close(): void {
    if (this.#isDone || this.#record === null) return;
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
    if (this.#isDone || this.#record === null) return;
    this.#isDone = this.#isClosed = true;
    try {
      const close = (this.#record.iterator as { return?: Method | null }).return;
      if (close !== undefined && close !== null) Reflect.apply(close, this.#record.iterator, []);
    } catch {
      /* the error that is on its way wins */
    }
  }
}

/** How many items were taken, and where that is in the collection. */
export interface CursorPlace {
  position: number;
  index: number;
}

type Views = Readonly<Record<View, Method>>;
const viewsOf = (proto: object): Views => {
  const { keys, values, entries } = proto as Record<View, Method>;
  return { keys, values, entries };
};
const arrayViews = viewsOf(Array.prototype),
  mapViews = viewsOf(Map.prototype),
  setViews = viewsOf(Set.prototype),
  typedArrayViews = viewsOf(Object.getPrototypeOf(Uint8Array.prototype) as object);
const stringValues = (String.prototype as unknown as Record<symbol, Method>)[Symbol.iterator];

function nativeViews(value: unknown): Views | null {
  if (Array.isArray(value)) return arrayViews;
  if (value instanceof Map) return mapViews;
  if (value instanceof Set) return setViews;
  return ArrayBuffer.isView(value) ? typedArrayViews : null;
}
/** What a method of the language's own iterates; null for any other method. */
function viewOf(value: unknown, method: Method): View | null {
  if (typeof value === 'string') return method === stringValues ? 'values' : null;
  const views = nativeViews(value);
  // Of a Set, keys and values are one method.
  for (const view of ['values', 'entries', 'keys'] as const) if (views?.[view] === method) return view;
  return null;
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
/** What `for..of` iterates. */
export function cursorOf(value: unknown): Cursor {
  const method = iteratorMethod(value);
  return isPlainArray(value, method) ? new ArrayCursor(value, 'values') : new IteratorCursor(value, method);
}

/** What `for (… of value.entries())` iterates, or `keys` or `values`: the collection itself, if it is one of the language's. */
export function cursorOfView(value: unknown, view: View): Cursor {
  receiver(value, view);
  const method = (value as Record<View, unknown>)[view],
    views = nativeViews(value);
  if (views === null || method !== views[view]) return cursorOf(callMethod(method, value));
  return isPlainArray(value, arrayViews.values) ? new ArrayCursor(value, view) : new IteratorCursor(value, views[view]);
}

/** A cursor at the place where it was saved. */
export function cursorAt(iterable: unknown, view: View, place: CursorPlace): Cursor {
  const method = typeof iterable === 'string' ? stringValues : nativeViews(iterable)?.[view];
  if (method === undefined) throw new TypeError('Cannot go on iterating: there is nothing to iterate');
  return new IteratorCursor(iterable, method, place);
}

export class KeyCursor {
  value: unknown;
  readonly object: object | null;
  readonly keys: readonly string[];
  constructor(object: object | null, keys: readonly string[]) {
    this.object = object;
    this.keys = keys;
  }
  next(position: number): number {
    while (position < this.keys.length) {
      const key = this.keys[position++]!;
      // A property that was deleted meanwhile is not visited.
      if (position === 1 || isEnumerableIn(this.object!, key)) {
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
  const object = value === null || value === undefined ? null : (Object(value) as object),
    keys: string[] = [];
  for (const key in object) keys.push(key);
  return new KeyCursor(object, keys);
}
