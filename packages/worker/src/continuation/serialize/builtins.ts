import { types } from 'node:util';
import type { Codec } from './codec.ts';
import { fillOthers, refillOthers } from './plain.ts';
import { Refusal } from './refusal.ts';
import { Node } from './tags.ts';
import { getterOf, methodOf } from './uncurry.ts';

const dateTime = methodOf(Date.prototype, 'getTime');
export const dateCodec: Codec<Date> = {
  tag: Node.Date,
  make: (out, node) => out.write(dateTime(node)),
  fill: (out, node) => fillOthers(out, node),
  remake: (from) => new Date(number(from.read())),
  refill: refillOthers,
};
function number(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}

const regExpSource = getterOf(RegExp.prototype, 'source');
const FLAGS: readonly (readonly [flag: string, isSet: (self: object) => boolean])[] = (
  [
    ['d', 'hasIndices'],
    ['g', 'global'],
    ['i', 'ignoreCase'],
    ['m', 'multiline'],
    ['s', 'dotAll'],
    ['u', 'unicode'],
    ['v', 'unicodeSets'],
    ['y', 'sticky'],
  ] as const
).map(([flag, name]) => [flag, getterOf(RegExp.prototype, name)]);

export const regExpCodec: Codec<RegExp> = {
  tag: Node.RegExp,
  make: (out, node) => {
    out.write(regExpSource(node));
    let flags = '';
    for (const [flag, isSet] of FLAGS) if (isSet(node)) flags += flag;
    out.write(flags);
    const at: unknown = Object.getOwnPropertyDescriptor(node, 'lastIndex')!.value;
    if (typeof at !== 'number') throw new Refusal(node, 'is a regular expression whose lastIndex is no number');
    out.write(at);
  },
  fill: (out, node) => fillOthers(out, node, 'lastIndex'),
  remake: (from) => {
    const expression = new RegExp(from.string(), from.string());
    expression.lastIndex = number(from.read());
    return expression;
  },
  refill: refillOthers,
};

/** One that was frozen: its `lastIndex` stays what it is. */
export const fixedRegExpCodec: Codec<RegExp> = {
  ...regExpCodec,
  tag: Node.FixedRegExp,
  refill: (from, node) => {
    refillOthers(from, node);
    from.finally(() => Object.defineProperty(node, 'lastIndex', { writable: false }));
  },
};

export function regExpCodecOf(node: RegExp): Codec<RegExp> {
  return Object.getOwnPropertyDescriptor(node, 'lastIndex')!.writable ? regExpCodec : fixedRegExpCodec;
}

const ERRORS = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'] as const;
const makers = ERRORS.map((name) => globalThis[name]);

/**
 * Errors, those of the servlet's own classes included. The stack is not kept: it is long, tells where files lie, and the
 * lines of a process that may have ended help nobody.
 */
export const errorCodec: Codec<Error> = {
  tag: Node.Error,
  nests: true,
  make: (out, node) => {
    const proto: unknown = Object.getPrototypeOf(node),
      known = makers.findIndex((maker) => maker.prototype === proto);
    out.bytes.u8(known + 1);
    if (known < 0) {
      out.at = '[[Prototype]]';
      out.write(proto);
    }
  },
  fill: (out, node) => fillOthers(out, node, 'stack'),
  remake: (from) => {
    const known = from.bytes.u8(),
      error = without(known === 0 ? Error : (makers[known - 1] ?? Error));
    if (known === 0) Object.setPrototypeOf(error, from.object());
    return error;
  },
  refill: (from, node) => {
    refillOthers(from, node);
    from.finally(() => nameStack(node));
  },
};

function without(maker: ErrorConstructor): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new maker();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
function nameStack(error: Error): void {
  const message: unknown = Object.getOwnPropertyDescriptor(error, 'message')?.value,
    own: unknown = Object.getOwnPropertyDescriptor(error, 'name')?.value,
    maker: unknown = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(error) ?? {}, 'constructor')?.value,
    made: unknown = typeof maker === 'function' && Object.getOwnPropertyDescriptor(maker, 'name')?.value,
    name = typeof own === 'string' ? own : typeof made === 'string' ? made : 'Error';
  const value = `${name}${typeof message === 'string' && message !== '' ? `: ${message}` : ''}`;
  // A frozen one has the stack that it was made with: its first line.
  if (Object.isExtensible(error)) Object.defineProperty(error, 'stack', { value, writable: true, configurable: true });
}

const unboxers: readonly ((self: object) => unknown)[] = [
  methodOf(Boolean.prototype, 'valueOf'),
  methodOf(Number.prototype, 'valueOf'),
  methodOf(String.prototype, 'valueOf'),
  methodOf(BigInt.prototype, 'valueOf'),
  methodOf(Symbol.prototype, 'valueOf'),
];
function unboxed(node: object): unknown {
  if (types.isBooleanObject(node)) return unboxers[0]!(node);
  if (types.isNumberObject(node)) return unboxers[1]!(node);
  if (types.isStringObject(node)) return unboxers[2]!(node);
  if (types.isBigIntObject(node)) return unboxers[3]!(node);
  return unboxers[4]!(node);
}
export const boxedCodec: Codec = {
  tag: Node.Boxed,
  make: (out, node) => out.write(unboxed(node)),
  fill: (out, node) => {
    const value = unboxed(node),
      count = typeof value === 'string' ? value.length : -1;
    fillOthers(out, node, ...(count < 0 ? [] : ['length', ...Array.from({ length: count }, (_, i) => String(i))]));
  },
  remake: (from) => {
    const value = from.read();
    if (value === null || value === undefined || typeof value === 'object' || typeof value === 'function')
      throw from.bad('a boxed value is no primitive');
    return Object(value) as object;
  },
  refill: refillOthers,
};

const byteLengthOf = getterOf(ArrayBuffer.prototype, 'byteLength'),
  maxByteLengthOf = getterOf(ArrayBuffer.prototype, 'maxByteLength'),
  isDetached = getterOf(ArrayBuffer.prototype, 'detached'),
  isResizable = getterOf(ArrayBuffer.prototype, 'resizable');
/** Buffers that may grow have room for so much more at most, all of a page together. */
export const GROWTH_MAX_BYTES: number = 1 << 24;
/** What one takes at least. */
const PAGE_BYTES = 1 << 16;

export const arrayBufferCodec: Codec<ArrayBuffer> = {
  tag: Node.ArrayBuffer,
  make: (out, node) => {
    if (isDetached(node)) throw new Refusal(node, 'is a buffer that was transferred away');
    const length = byteLengthOf(node) as number;
    out.bytes.varint(length);
    const growth = isResizable(node) ? (maxByteLengthOf(node) as number) - length + 1 : 0;
    if (growth > 0) out.grow(node, Math.max(growth, PAGE_BYTES));
    out.bytes.varint(growth);
    out.bytes.bytes(new Uint8Array(node));
  },
  fill: (out, node) => fillOthers(out, node),
  remake: (from) => {
    const length = from.bytes.count(),
      growth = from.bytes.varint(),
      bytes = from.bytes.bytes(length);
    if (growth === 0) return bytes.buffer;
    from.grow(Math.max(growth, PAGE_BYTES));
    const buffer = new ArrayBuffer(length, { maxByteLength: length + growth - 1 });
    new Uint8Array(buffer).set(bytes);
    return buffer;
  },
  refill: refillOthers,
};

const VIEWS = [
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  Buffer,
  Float16Array,
] as const;
export const VIEW_PROTOTYPES: readonly object[] = VIEWS.map((view) => view.prototype as object);
const BUFFER = VIEWS.indexOf(Buffer);
/** Small buffers of Node share one large one: of those, only the bytes that are seen are written. */
const POOL_BYTES = 64 * 1024;

/** Where the bytes of a view are: in a buffer that is written too, right here, or in a buffer whose end is the view's. */
const IN_BUFFER = 0,
  HERE = 1,
  TO_THE_END = 2;
const clone = structuredClone;

/** It has no length of its own, and becomes longer and shorter with its buffer. */
function endsWithBuffer(view: AnyView, buffer: ArrayBuffer, [offset, length]: readonly [number, number]): boolean {
  if (!isResizable(buffer)) return false;
  const unit = view instanceof DataView ? 1 : view.BYTES_PER_ELEMENT,
    bytes = byteLengthOf(buffer) as number;
  if (offset + (length + 1) * unit <= bytes || bytes < unit) return false;
  // Nothing says so but what happens when its buffer changes.
  const copy = clone(view),
    [, , lengthOf] = accessorsOf(copy),
    isFull = bytes + unit > (maxByteLengthOf(buffer) as number);
  (copy.buffer as ArrayBuffer).resize(isFull ? bytes - unit : bytes + unit);
  try {
    return lengthOf!(copy) === (isFull ? length - 1 : length + 1);
  } catch {
    return false; // A DataView that has lost its end.
  }
}

type AnyView = Uint8Array | DataView;
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object,
  arrayBytes = [getterOf(typedArray, 'buffer'), getterOf(typedArray, 'byteOffset'), getterOf(typedArray, 'length')],
  viewBytes = [
    getterOf(DataView.prototype, 'buffer'),
    getterOf(DataView.prototype, 'byteOffset'),
    getterOf(DataView.prototype, 'byteLength'),
  ];

const accessorsOf = (view: AnyView): typeof arrayBytes => (types.isTypedArray(view) ? arrayBytes : viewBytes);

export const viewCodec: Codec<AnyView> = {
  tag: Node.View,
  nests: true,
  make: (out, node) => {
    const kind = VIEW_PROTOTYPES.indexOf(Object.getPrototypeOf(node) as object),
      [bufferOf, offsetOf, lengthOf] = accessorsOf(node),
      buffer = bufferOf!(node) as ArrayBuffer,
      isPooled = kind === BUFFER && (byteLengthOf(buffer) as number) <= POOL_BYTES;
    if (!Object.isExtensible(node)) throw new Refusal(node, 'is a view of a buffer to which nothing can be added');
    const [offset, length] = [offsetOf!(node) as number, lengthOf!(node) as number];
    out.bytes.u8(kind);
    out.bytes.varint(length);
    if (isPooled) {
      out.bytes.u8(HERE);
      out.bytes.bytes(node as Uint8Array);
    } else {
      out.bytes.u8(endsWithBuffer(node, buffer, [offset, length]) ? TO_THE_END : IN_BUFFER);
      out.bytes.varint(offset);
      out.at = 'buffer';
      out.write(buffer);
    }
  },
  remake: (from) => {
    const kind = from.bytes.u8(),
      view = VIEWS[kind],
      length = from.bytes.varint();
    if (view === undefined) throw from.bad('there is no such view of a buffer');
    const where = from.bytes.u8();
    if (where === HERE) return Buffer.from(from.bytes.bytes(length).buffer);
    const offset = from.bytes.varint(),
      buffer = from.read();
    if (!types.isArrayBuffer(buffer)) throw from.bad('a view has no buffer');
    const end = where === TO_THE_END ? undefined : length;
    if (view === Buffer) return Buffer.from(buffer, offset, end);
    return Reflect.construct(view, [buffer, offset, end]) as AnyView;
  },
};

function answers(method: (self: object) => unknown, self: object): boolean {
  try {
    method(self);
    return true;
  } catch {
    return false;
  }
}

/** What a class of Node shows of its instances is all of them; what somebody has added would be lost. */
function refuseOthers(node: object): void {
  if (Reflect.ownKeys(node).length > 0 || !Object.isExtensible(node))
    throw new Refusal(node, 'has properties of its own, or is frozen, which its class does not provide for');
}

const href = getterOf(URL.prototype, 'href');
export const urlCodec: Codec<URL> = {
  tag: Node.Url,
  make: (out, node) => {
    refuseOthers(node);
    out.write(href(node));
  },
  remake: (from) => new URL(from.string()),
};

export const isUrl = (value: object): boolean => answers(href, value);

const searchText = methodOf(URLSearchParams.prototype, 'toString');
export const searchParamsCodec: Codec<URLSearchParams> = {
  tag: Node.UrlSearchParams,
  make: (out, node) => {
    refuseOthers(node);
    out.write(searchText(node));
  },
  remake: (from) => new URLSearchParams(from.string()),
};

export const isSearchParams = (value: object): boolean => answers(searchText, value);

type HeaderMethod = 'forEach' | 'append' | 'getSetCookie';
const headersMethods: Map<HeaderMethod, ReturnType<typeof methodOf>> = new Map();
/** Not taken before it is needed: the first mention of `Headers` loads a good part of Node. */
function headersMethod(name: HeaderMethod): ReturnType<typeof methodOf> {
  let method = headersMethods.get(name);
  if (method === undefined) headersMethods.set(name, (method = methodOf(Headers.prototype, name)));
  return method;
}

export const headersCodec: Codec<Headers> = {
  tag: Node.Headers,
  make: (out, node) => {
    refuseOthers(node);
    const pairs: [string, string][] = [];
    headersMethod('forEach')(node, (value: string, name: string) => {
      if (name !== 'set-cookie') pairs.push([name, value]);
    });
    for (const cookie of headersMethod('getSetCookie')(node) as string[]) pairs.push(['set-cookie', cookie]);
    out.bytes.varint(pairs.length);
    for (const [name, value] of pairs) {
      out.write(name);
      out.write(value);
    }
  },
  remake: (from) => {
    const headers = new Headers();
    for (let count = from.bytes.count(); count > 0; count--)
      headersMethod('append')(headers, from.string(), from.string());
    return headers;
  },
};
