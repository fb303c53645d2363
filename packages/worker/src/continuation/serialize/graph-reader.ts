import { BindingFrame, type Bindings, bindingsAt, type Frame } from '../frame.ts';
import { unset } from '../support.ts';
import { modulesNamed, type ServletModule } from '../module-code.ts';
import { ByteReader } from './bytes.ts';
import type { Codec } from './codec.ts';
import { GROWTH_MAX_BYTES } from './builtins.ts';
import { codecs } from './codecs.ts';
import { readConstant } from './constants.ts';
import { CodeChangedError, DecodeError } from './errors.ts';
import type { ReadShape } from './plain.ts';
import { FIRST_NODE_AGAIN, FIRST_SHORT_STRING, FIRST_SMALL_INTEGER, FORMAT_VERSION, Value } from './tags.ts';
import { wellKnownSymbols } from './symbols.ts';

/** More than a writer nests. */
const DEPTH_MAX = 1100;
const HASH_BYTES = 9;
const AGAIN_MAX_CHARS = 512;

/** A node that was made. */
interface Made {
  readonly codec: Codec;
  readonly node: object;
  readonly state: unknown;
  isBegun: boolean;
}

/**
 * Reads what a {@link GraphWriter} wrote. It makes nothing but data, and closures of the code of modules that are loaded, whose hash is the
 * one that was written. Whatever the bytes are: it does not recurse without bound, takes no more time and memory than in proportion to
 * them, and throws DecodeError for what cannot be.
 */
export class GraphReader {
  readonly bytes: ByteReader;
  readonly shapes: ReadShape[] = [];
  readonly frames: Frame[] = [];
  readonly #modules: ServletModule[] = [];
  readonly #nodes: Made[] = [];
  readonly #strings: string[] = [];
  /** What a codec leaves for itself between making and filling. */
  state: unknown = null;
  #unfilled: Made[] = [];
  readonly #last: (() => void)[] = [];
  #filled = 0;
  #depth = 0;
  /** Values that objects which are there have yet to get, each of which takes a byte at least. */
  #owed = 0;
  #growthLeft = GROWTH_MAX_BYTES;

  /** Reads the head. @throws CodeChangedError, DecodeError */
  constructor(bytes: Uint8Array) {
    this.bytes = new ByteReader(bytes);
    const version = this.bytes.u8();
    if (version !== FORMAT_VERSION)
      throw new DecodeError(`Cannot decode a continuation: its format is ${version}, not ${FORMAT_VERSION}`);
    const needed: [name: string, hash: string][] = [];
    for (let count = this.bytes.count(); count > 0; count--) {
      const name = this.bytes.utf8();
      needed.push([name, Buffer.from(this.bytes.bytes(HASH_BYTES)).toString('base64url')]);
    }
    for (const [name, hash] of needed) this.#modules.push(findModule(name, hash, needed));
  }

  /** Call it when the roots have been read. */
  finish(): void {
    this.fill();
    if (this.bytes.left > 0) throw this.bad('something follows its end');
    for (const finish of this.#last) finish();
    this.#rebind();
  }

  /** Bindings of parameters are those of the frames outside. */
  #rebind(): void {
    const done = new Set<Frame | null>([null]),
      // What is inside of a parameter's extent shares its bindings.
      inside = new Map<Frame, Bindings | null>();
    const bindingsInside = (frame: Frame | null): Bindings | null => {
      if (!(frame instanceof BindingFrame)) return bindingsAt(frame);
      let bindings = inside.get(frame);
      if (bindings === undefined) inside.set(frame, (bindings = bindingsAt(frame)));
      return bindings;
    };
    for (const start of this.frames) {
      const inner: Frame[] = [],
        chain = new Set<Frame>();
      for (let frame: Frame | null = start; !done.has(frame); frame = frame!.next) {
        if (chain.has(frame!)) throw this.bad('frames wait for each other');
        chain.add(frame!);
        inner.push(frame!);
      }
      for (const frame of inner.reverse()) {
        frame.bindings = bindingsInside(frame.next);
        done.add(frame);
      }
    }
  }

  /** Room is made for so many values before they are read. */
  owe(count: number): void {
    this.#owed += count;
    if (this.#owed > this.bytes.left) throw this.bad('it is cut short');
  }

  /** They are about to be read. */
  pay(count: number): void {
    this.#owed -= count;
  }

  /** Memory that buffers may come to need. */
  grow(bytes: number): void {
    this.#growthLeft -= bytes;
    if (this.#growthLeft < 0) throw this.bad('its buffers may grow too far');
  }

  /** To be done when everything is in its place. */
  finally(finish: () => void): void {
    this.#last.push(finish);
  }

  fill(): void {
    for (; this.#filled < this.#unfilled.length; this.#filled++) {
      const made = this.#unfilled[this.#filled]!;
      if (made.isBegun) continue;
      made.isBegun = true;
      made.codec.refill!(this, made.node, made.state);
    }
  }

  /** Reads a value and all that is inside it. */
  whole(): unknown {
    const unfilled = this.#unfilled,
      filled = this.#filled;
    this.#unfilled = [];
    this.#filled = 0;
    const value = this.read();
    this.fill();
    this.#unfilled = unfilled;
    this.#filled = filled;
    return value;
  }

  bad(why: string): DecodeError {
    return new DecodeError(`Cannot decode a continuation: ${why}`);
  }

  read(): unknown {
    const { bytes } = this;
    let first = bytes.u8();
    while (first === Value.FillingHere) {
      this.#fillHere();
      first = bytes.u8();
    }
    if (first >= FIRST_SHORT_STRING) return this.#remember(bytes.latin1(first - FIRST_SHORT_STRING));
    if (first >= FIRST_NODE_AGAIN) return this.#again(first - FIRST_NODE_AGAIN);
    if (first >= FIRST_SMALL_INTEGER) return first - FIRST_SMALL_INTEGER;
    switch (first) {
      case Value.Undefined:
        return undefined;
      case Value.Null:
        return null;
      case Value.False:
        return false;
      case Value.True:
        return true;
      case Value.MinusZero:
        return -0;
      case Value.NaN:
        return NaN;
      case Value.Infinity:
        return Infinity;
      case Value.MinusInfinity:
        return -Infinity;
      case Value.Unset:
        return unset;
      case Value.Integer: {
        const value = bytes.varint();
        return value % 2 ? -(value + 1) / 2 : value / 2;
      }
      case Value.Double:
        return bytes.double();
      case Value.BigInt:
        return this.#bigint();
      case Value.Latin1:
        return this.#remember(bytes.latin1(bytes.varint()));
      case Value.Utf8:
        return this.#remember(bytes.utf8());
      case Value.Utf16:
        return this.#remember(bytes.utf16(bytes.varint()));
      case Value.StringAgain: {
        const text = this.#strings[bytes.varint()];
        if (text === undefined) throw this.bad('a string is not there');
        return text;
      }
      case Value.RegisteredSymbol:
        return Symbol.for(this.string());
      case Value.WellKnownSymbol: {
        const symbol = wellKnownSymbols[bytes.u8()];
        if (symbol === undefined) throw this.bad('a symbol is not known');
        return symbol;
      }
      case Value.ConstantSymbol: {
        const symbol = this.constant();
        if (typeof symbol !== 'symbol') throw this.bad('a constant is no symbol');
        return symbol;
      }
      case Value.Again:
        return this.#again(bytes.varint());
      default:
        return this.#node(first);
    }
  }

  string(): string {
    const value = this.read();
    if (typeof value !== 'string') throw this.bad('a string is expected');
    return value;
  }

  object(): object {
    const value = this.read();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null)
      throw this.bad('an object is expected');
    return value;
  }

  module(): ServletModule {
    const module = this.#modules[this.bytes.varint()];
    if (module === undefined) throw this.bad('a module is not there');
    return module;
  }

  constant(): unknown {
    const module = this.module();
    return readConstant(module, [this.string(), this.string()]);
  }

  #node(tag: number): object {
    const codec = codecs[tag];
    if (codec === undefined) throw this.bad(`there is no value of kind ${tag}`);
    if (++this.#depth > DEPTH_MAX) throw this.bad('it nests too deep');
    this.state = null;
    const node = codec.remake(this);
    this.#depth--;
    const made: Made = { codec, node, state: this.state, isBegun: codec.refill === undefined };
    this.#nodes.push(made);
    if (!made.isBegun) this.#unfilled.push(made);
    return node;
  }

  #again(id: number): object {
    const made = this.#nodes[id];
    if (made === undefined) throw this.bad('a node is not there yet');
    return made.node;
  }

  /** What is inside those nodes follows where the present value is filled, and is passed over where they were made. */
  #fillHere(): void {
    for (let count = this.bytes.count(); count > 0; count--) {
      const made = this.#nodes[this.bytes.varint()];
      if (made === undefined || made.isBegun) throw this.bad('a node that is to be filled is not there, or is filled');
      this.#unfilled.push(made);
    }
  }

  #remember(text: string): string {
    if (text.length > 1 && text.length <= AGAIN_MAX_CHARS) this.#strings.push(text);
    return text;
  }

  #bigint(): bigint {
    const isNegative = this.bytes.u8() !== 0,
      hex = Buffer.from(this.bytes.bytes(this.bytes.varint())).toString('hex'),
      magnitude = hex === '' ? 0n : BigInt(`0x${hex}`);
    return isNegative ? -magnitude : magnitude;
  }
}

function findModule(name: string, hash: string, modules: CodeChangedError['modules']): ServletModule {
  const versions = modulesNamed(name),
    module = versions.findLast((version) => version.hash === hash);
  if (module === undefined) throw new CodeChangedError(name, hash, { isLoaded: versions.length > 0, modules });
  return module;
}
