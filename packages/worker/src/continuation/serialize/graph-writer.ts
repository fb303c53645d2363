import { unset } from '../support.ts';
import type { ServletModule } from '../module-code.ts';
import { ByteWriter } from './bytes.ts';
import type { Codec } from './codec.ts';
import { GROWTH_MAX_BYTES } from './builtins.ts';
import { codecOf } from './codecs.ts';
import { constantOf } from './constants.ts';
import { Refusal } from './refusal.ts';
import {
  FIRST_NODE_AGAIN,
  FIRST_SHORT_STRING,
  FIRST_SMALL_INTEGER,
  FORMAT_VERSION,
  SHORT_COUNT,
  Value,
} from './tags.ts';
import { wellKnownSymbols } from './symbols.ts';
import { Ways, WaysNeeded } from './ways.ts';

/** What exists only when something else does (a closure and what it captured) nests; anything else does not. */
const DEPTH_MAX = 1000;
/** Longer strings are not looked for among those that were written. */
const AGAIN_MAX_CHARS = 512;
const NOT_LATIN1 = /[\u0100-\uffff]/;

/** Sets of keys that were written before, as a tree: an object costs its values only, if another had the same keys. */
export class Shape {
  readonly #next: Map<string, Shape> = new Map();
  id = -1;
  with(key: string): Shape {
    let next = this.#next.get(key);
    if (next === undefined) this.#next.set(key, (next = new Shape()));
    return next;
  }
}

/** A node that was made. */
interface Made {
  readonly codec: Codec;
  readonly node: object;
  readonly state: unknown;
  /** What is inside it: */
  filling: 'unfilled' | 'begun' | 'filled';
}

/** Where a node was met first: in which other one, and at what. */
export interface Found {
  holder: object | null;
  at: unknown;
}

/**
 * Writes a graph of values. What makes a node exist is written where it is met first, what is inside it afterwards, one
 * node after the other: so neither depth nor cycles matter, and a reader can make everything before it fills anything.
 */
export class GraphWriter {
  readonly bytes: ByteWriter = new ByteWriter();
  readonly shapes: Shape = new Shape();
  shapesCount = 0;
  /** What is being written: for messages. */
  holder: object | null = null;
  at: unknown = null;
  /** Where each node was met, if somebody wants to know. */
  readonly found: Map<object, Found> | null;
  /** A page hardly ever has what makes it worth the memory. */
  readonly #ways: Ways | null;
  readonly #ids = new Map<object, number>();
  readonly #nodes: Made[] = [];
  readonly #strings = new Map<string, number>();
  readonly #modules = new Map<ServletModule, number>();
  /** What a codec leaves for itself between making and filling. */
  state: unknown = null;
  #unfilled: Made[] = [];
  #filled = 0;
  /** Nodes before this one are no part of what is being written whole. */
  #wholeFrom = 0;
  #depth = 0;
  #growthLeft = GROWTH_MAX_BYTES;

  /** @param options `knowsWays`: it remembers which nodes lead where; the bytes are the same, if it gets so far without */
  constructor({ found = null, knowsWays = false }: { found?: Map<object, Found> | null; knowsWays?: boolean } = {}) {
    this.found = found;
    this.#ways = knowsWays ? new Ways() : null;
  }

  /** Everything, once the roots have been written. */
  finish(): Uint8Array {
    this.fill();
    const head = new ByteWriter();
    head.u8(FORMAT_VERSION);
    head.varint(this.#modules.size);
    for (const { name, hash } of this.#modules.keys()) {
      head.utf8(name);
      head.bytes(Buffer.from(hash, 'base64url'));
    }
    return Buffer.concat([head.written, this.bytes.written]);
  }

  write(value: unknown): void {
    const { bytes } = this;
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return this.#number(value);
      case 'object':
        if (value === null) bytes.u8(Value.Null);
        else this.#node(value);
        return;
      case 'function':
        return this.#node(value);
      case 'undefined':
        return bytes.u8(Value.Undefined);
      case 'boolean':
        return bytes.u8(value ? Value.True : Value.False);
      case 'bigint':
        return this.#bigint(value);
      case 'symbol':
        return this.#symbol(value);
    }
  }

  /** Memory that a buffer may come to need. */
  grow(buffer: ArrayBuffer, bytes: number): void {
    this.#growthLeft -= bytes;
    if (this.#growthLeft < 0)
      throw new Refusal(
        buffer,
        `is a buffer that may grow, and all of a page may by ${GROWTH_MAX_BYTES} bytes together`,
      );
  }

  /** The number of a module in the head. */
  module(module: ServletModule): void {
    let number = this.#modules.get(module);
    if (number === undefined) this.#modules.set(module, (number = this.#modules.size));
    this.bytes.varint(number);
  }

  /** Writes what is inside the nodes that were made, and the nodes that are found there. */
  fill(): void {
    for (; this.#filled < this.#unfilled.length; this.#filled++) {
      const made = this.#unfilled[this.#filled]!;
      // It was needed whole meanwhile.
      if (made.filling === 'unfilled') this.#fillOne(made);
    }
  }

  #fillOne(made: Made): void {
    const { codec, node, state } = made;
    made.filling = 'begun';
    this.holder = node;
    const ways = this.#ways;
    if (ways === null) codec.fill!(this, node, state);
    else ways.during(() => codec.fill!(this, node, state), ways.from(this.#ids.get(node)!));
    made.filling = 'filled';
  }

  /**
   * Writes a value and all that it leads to, before anything else. Only what leads to this value itself can't be whole yet.
   * @throws WaysNeeded
   */
  whole(value: unknown): void {
    const unfilled = this.#unfilled,
      filled = this.#filled,
      from = this.#wholeFrom;
    this.#unfilled = [];
    this.#filled = 0;
    this.#wholeFrom = this.#nodes.length;
    this.write(value);
    this.fill();
    this.#wholeFrom = from;
    this.#unfilled = unfilled;
    this.#filled = filled;
  }

  /** A node that is needed whole was made before: what is inside it, and waits to be written elsewhere, is to be written here. */
  #complete(id: number): void {
    if (this.#ways === null) throw new WaysNeeded();
    const missing = this.#ways.unfilledFrom(id, (each) => this.#nodes[each]!.filling);
    if (missing.length === 0) return;
    this.bytes.u8(Value.FillingHere);
    this.bytes.varint(missing.length);
    for (const each of missing) {
      this.bytes.varint(each);
      this.#unfilled.push(this.#nodes[each]!);
    }
  }

  #node(node: object): void {
    const { bytes } = this,
      known = this.#ids.get(node);
    if (known !== undefined) {
      if (known < 0) throw new Refusal(node, 'holds itself in a place where nothing can be put later');
      if (known < this.#wholeFrom) this.#complete(known);
      this.#ways?.to(known);
      if (known < SHORT_COUNT) bytes.u8(FIRST_NODE_AGAIN + known);
      else {
        bytes.u8(Value.Again);
        bytes.varint(known);
      }
      return;
    }
    this.found?.set(node, { holder: this.holder, at: this.at });
    const codec = codecOf(node);
    bytes.u8(codec.tag);
    this.state = null;
    const ways = this.#ways;
    if (ways === null) this.#make(codec, node);
    else ways.add(ways.during(() => this.#make(codec, node)));
    const id = this.#nodes.length,
      made: Made = { codec, node, state: this.state, filling: codec.fill === undefined ? 'filled' : 'unfilled' };
    this.#ids.set(node, id);
    this.#nodes.push(made);
    ways?.to(id);
    if (codec.fill !== undefined) this.#unfilled.push(made);
  }

  #make(codec: Codec, node: object): void {
    if (codec.nests !== true) return codec.make?.(this, node);
    if (++this.#depth > DEPTH_MAX)
      throw new Refusal(node, `nests more than ${DEPTH_MAX} closures (or instances of registered classes) deep`);
    const { holder } = this;
    this.holder = node;
    this.#ids.set(node, -1);
    codec.make!(this, node);
    this.holder = holder;
    this.#depth--;
  }

  #number(value: number): void {
    const { bytes } = this;
    if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 47 && !Object.is(value, -0)) {
      if (value >= 0 && value < SHORT_COUNT) bytes.u8(FIRST_SMALL_INTEGER + value);
      else {
        bytes.u8(Value.Integer);
        bytes.varint(value < 0 ? -value * 2 - 1 : value * 2);
      }
    } else if (Number.isFinite(value) && value !== 0) {
      bytes.u8(Value.Double);
      bytes.double(value);
    } else if (value === 0) bytes.u8(Value.MinusZero);
    else bytes.u8(value > 0 ? Value.Infinity : value < 0 ? Value.MinusInfinity : Value.NaN);
  }

  #string(text: string): void {
    const { bytes } = this;
    if (text.length > 1 && text.length <= AGAIN_MAX_CHARS) {
      const again = this.#strings.get(text);
      if (again !== undefined) {
        bytes.u8(Value.StringAgain);
        bytes.varint(again);
        return;
      }
      this.#strings.set(text, this.#strings.size);
    }
    if (!NOT_LATIN1.test(text)) {
      if (text.length < SHORT_COUNT) bytes.u8(FIRST_SHORT_STRING + text.length);
      else {
        bytes.u8(Value.Latin1);
        bytes.varint(text.length);
      }
      bytes.latin1(text);
    } else if (text.isWellFormed()) {
      bytes.u8(Value.Utf8);
      bytes.utf8(text);
    } else {
      bytes.u8(Value.Utf16);
      bytes.varint(text.length);
      bytes.utf16(text);
    }
  }

  #bigint(value: bigint): void {
    const { bytes } = this;
    let hex = (value < 0n ? -value : value).toString(16);
    if (hex.length % 2) hex = `0${hex}`;
    const magnitude = Buffer.from(hex, 'hex');
    bytes.u8(Value.BigInt);
    bytes.u8(value < 0n ? 1 : 0);
    bytes.varint(magnitude.length);
    bytes.bytes(magnitude);
  }

  #symbol(value: symbol): void {
    const { bytes } = this;
    if (value === unset) return bytes.u8(Value.Unset);
    const registered = Symbol.keyFor(value);
    if (registered !== undefined) {
      bytes.u8(Value.RegisteredSymbol);
      this.#string(registered);
      return;
    }
    const known = wellKnownSymbols.indexOf(value);
    if (known >= 0) {
      bytes.u8(Value.WellKnownSymbol);
      bytes.u8(known);
      return;
    }
    const constant = constantOf(value);
    if (constant === undefined)
      throw new Refusal(value, 'is a symbol that is neither registered (Symbol.for) nor a constant of a module');
    bytes.u8(Value.ConstantSymbol);
    this.module(constant.module);
    for (const name of constant.path) this.#string(name);
  }
}
