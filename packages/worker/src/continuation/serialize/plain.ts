import type { Codec } from './codec.ts';
import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';
import { addTo, fillExactly, isFar, isOrdinary, makeSparse, refillExactly } from './properties.ts';
import { Node } from './tags.ts';
import { getterOf, methodOf } from './uncurry.ts';

/** What is known of an object's properties before it is made: that their attributes follow, a list of keys, or a known shape's number + 2. */
const EXACT = 0,
  NEW_SHAPE = 1,
  FIRST_SHAPE = 2;

/** Writes the keys of an object, unless something is unusual about it. Leaves them as state. */
export function makeShape(out: GraphWriter, node: object): void {
  const keys = Reflect.ownKeys(node);
  let shape = out.shapes;
  for (const key of keys) {
    if (typeof key === 'symbol' || !isOrdinary(Object.getOwnPropertyDescriptor(node, key)!)) return makeExact(out);
    shape = shape.with(key);
  }
  if (!Object.isExtensible(node)) return makeExact(out);
  if (shape.id < 0) {
    shape.id = out.shapesCount++;
    out.bytes.varint(NEW_SHAPE);
    out.bytes.varint(keys.length);
    for (const key of keys) out.write(key);
  } else out.bytes.varint(FIRST_SHAPE + shape.id);
  out.state = keys;
}

function makeExact(out: GraphWriter): void {
  out.bytes.varint(EXACT);
  // A prototype that was written right before has left its own.
  out.state = null;
}

/** Getters are not called, nor is anything else of the author's. */
export function fillObject(out: GraphWriter, node: object, state: unknown): void {
  if (state === null) return fillExactly(out, node, Reflect.ownKeys(node));
  for (const key of state as string[]) {
    out.at = key;
    out.write((node as Record<string, unknown>)[key]);
  }
}

export function remakeShape(from: GraphReader): ReadShape | null {
  const what = from.bytes.varint();
  let shape: ReadShape | null = null;
  if (what === NEW_SHAPE) {
    const keys: string[] = [];
    for (let count = from.bytes.count(); count > 0; count--) keys.push(from.string());
    from.shapes.push((shape = new ReadShape(keys)));
  } else if (what !== EXACT) {
    shape = from.shapes[what - FIRST_SHAPE] ?? null;
    if (shape === null) throw from.bad('the keys of an object are not there');
  }
  if (shape !== null) from.owe(shape.keys.length);
  from.state = shape;
  return shape;
}

/** Objects with the same keys: the first one is copied, its values then put in the place of the copies. */
export class ReadShape {
  readonly keys: readonly string[];
  readonly isSparse: boolean;
  readonly #template: object;
  constructor(keys: readonly string[]) {
    this.keys = keys;
    this.isSparse = keys.some((key) => isFar(key, keys.length));
    this.#template = this.#fresh();
  }
  /** With all keys, and no values. */
  make(): object {
    // What is copied would not stay sparse.
    return this.isSparse ? this.#fresh() : { ...this.#template };
  }
  #fresh(): object {
    const object = {};
    if (this.isSparse) makeSparse(object);
    for (const key of this.keys) addTo(object, key, undefined);
    return object;
  }
}

/** For an object that was made with other prototypes than Object's, and has no properties yet. */
export function refillObject(from: GraphReader, node: object, state: unknown): void {
  if (state === null) return refillExactly(from, node);
  const { keys, isSparse } = state as ReadShape;
  from.pay(keys.length);
  if (isSparse) makeSparse(node);
  for (const key of keys) addTo(node, key, from.read());
}

export const objectCodec: Codec = {
  tag: Node.Object,
  make: makeShape,
  fill: fillObject,
  remake: (from) => remakeShape(from)?.make() ?? {},
  refill: (from, node, state) => {
    if (state === null) return refillExactly(from, node);
    // An assignment would meet setters and `__proto__`; but not where a property of the object's own is there already.
    const { keys } = state as ReadShape;
    from.pay(keys.length);
    for (const key of keys) (node as Record<string, unknown>)[key] = from.read();
  },
};

/** Its prototype is null, or an object that is written as well. */
export const objectOfCodec: Codec = {
  tag: Node.ObjectOf,
  nests: true,
  make: (out, node) => {
    out.at = '[[Prototype]]';
    out.write(Object.getPrototypeOf(node));
    makeShape(out, node);
  },
  fill: fillObject,
  remake: (from) => {
    const proto = from.read();
    if (typeof proto !== 'object') throw from.bad('a prototype is no object');
    remakeShape(from);
    return Object.create(proto) as object;
  },
  refill: refillObject,
};

/** Holes or other properties than its elements. */
const SPARSE = 0,
  FIRST_LENGTH = 1;

export const arrayCodec: Codec<unknown[]> = {
  tag: Node.Array,
  fill: (out, node) => {
    if (!isDense(node)) {
      out.bytes.varint(SPARSE);
      out.bytes.varint(node.length);
      out.bytes.u8(hasFixedLength(node) ? 1 : 0);
      const keys = Reflect.ownKeys(node);
      keys.splice(keys.indexOf('length'), 1);
      fillExactly(out, node, keys);
      return;
    }
    out.bytes.varint(node.length + FIRST_LENGTH);
    for (let i = 0; i < node.length; i++) {
      out.at = i;
      out.write(node[i]);
    }
  },
  remake: () => [],
  refill: (from, node) => {
    const length = from.bytes.varint();
    if (length === SPARSE) {
      const full = from.bytes.varint();
      if (full > 0xffff_ffff) throw from.bad('an array is too long');
      const isFixed = from.bytes.u8() !== 0;
      refillExactly(from, node, full);
      Object.defineProperty(node, 'length', { value: full });
      if (isFixed) from.finally(() => Object.defineProperty(node, 'length', { writable: false }));
      return;
    }
    if (length - FIRST_LENGTH > from.bytes.left) throw from.bad('it is cut short');
    // Not by assignment, which setters of Array.prototype would see; what grows at its end sees none.
    for (let i = 0; i < length - FIRST_LENGTH; i++) addTo(node, i, from.read());
  },
};

function hasFixedLength(node: unknown[]): boolean {
  return !Object.getOwnPropertyDescriptor(node, 'length')!.writable;
}

function isDense(node: unknown[]): boolean {
  const keys = Reflect.ownKeys(node);
  // Indexes come first and in order, then `length`.
  if (keys.length !== node.length + 1 || keys.at(-1) !== 'length' || !Object.isExtensible(node) || hasFixedLength(node))
    return false;
  for (let i = 0; i < node.length; i++) if (!isOrdinary(Object.getOwnPropertyDescriptor(node, i)!)) return false;
  return true;
}

export const mapCodec: Codec<Map<unknown, unknown>> = {
  tag: Node.Map,
  fill: (out, node) => {
    out.bytes.varint(mapSize(node));
    mapForEach(node, (value: unknown, key: unknown) => {
      out.at = { key };
      out.write(key);
      out.write(value);
    });
    fillOthers(out, node);
  },
  remake: () => new Map(),
  refill: (from, node) => {
    for (let count = from.bytes.count(); count > 0; count--) {
      const key = from.read();
      mapSet(node, key, from.read());
    }
    refillOthers(from, node);
  },
};

export const setCodec: Codec<Set<unknown>> = {
  tag: Node.Set,
  fill: (out, node) => {
    out.bytes.varint(setSize(node));
    let i = 0;
    setForEach(node, (value: unknown) => {
      out.at = i++;
      out.write(value);
    });
    fillOthers(out, node);
  },
  remake: () => new Set(),
  refill: (from, node) => {
    for (let count = from.bytes.count(); count > 0; count--) setAdd(node, from.read());
    refillOthers(from, node);
  },
};

const mapForEach = methodOf(Map.prototype, 'forEach'),
  mapSet = methodOf(Map.prototype, 'set'),
  mapSize = getterOf(Map.prototype, 'size'),
  setForEach = methodOf(Set.prototype, 'forEach'),
  setAdd = methodOf(Set.prototype, 'add'),
  setSize = getterOf(Set.prototype, 'size');

/** Properties of an object that has contents of another kind as well. There are hardly ever any. */
export function fillOthers(out: GraphWriter, node: object, ...known: (string | symbol)[]): void {
  const keys = Reflect.ownKeys(node).filter((key) => !known.includes(key));
  fillExactly(out, node, keys);
}
export function refillOthers(from: GraphReader, node: object): void {
  refillExactly(from, node);
}

/** `arguments` of strict code. */
export const argumentsCodec: Codec<Record<string, unknown>> = {
  tag: Node.Arguments,
  make: (out, node) => out.bytes.varint((out.state = indexesOf(node)).length),
  fill: (out, node, state) => {
    for (const key of state as string[]) {
      out.at = Number(key);
      out.write(Object.getOwnPropertyDescriptor(node, key)!.value);
    }
  },
  remake: (from) => {
    const count = from.bytes.count();
    from.owe(count);
    return argumentsOf(...Array.from({ length: count }));
  },
  refill: (from, node) => {
    const keys = indexesOf(node);
    from.pay(keys.length);
    for (const key of keys) node[key] = from.read();
  },
};

const indexesOf = (node: object): string[] => Object.keys(node).filter((key) => /^\d+$/.test(key));
const argumentsOf = function (..._values: unknown[]): Record<string, unknown> {
  // The one thing that is no array of its own.
  // oxlint-disable-next-line prefer-rest-params
  return arguments as unknown as Record<string, unknown>;
};
