import { types } from 'node:util';
import { Frame } from '../frame.ts';
import {
  arrayBufferCodec,
  boxedCodec,
  dateCodec,
  errorCodec,
  headersCodec,
  isSearchParams,
  isUrl,
  fixedRegExpCodec,
  regExpCodec,
  regExpCodecOf,
  searchParamsCodec,
  urlCodec,
  VIEW_PROTOTYPES,
  viewCodec,
} from './builtins.ts';
import {
  classOf,
  codeCodecs,
  functionCodecOf,
  instanceCodec,
  namedCodecOf,
  prototypeCodec,
  unsavable,
} from './code-values.ts';
import type { Codec } from './codec.ts';
import { cursorCodecs, isCursor } from './cursors.ts';
import { frameCodecOf, frameCodecs } from './frames.ts';
import { intrinsicName } from './intrinsics.ts';
import { tagOf } from '../module-code.ts';
import { argumentsCodec, arrayCodec, mapCodec, objectCodec, objectOfCodec, setCodec } from './plain.ts';
import { Refusal } from './refusal.ts';
import { fillableCodec, registeredCodec, registeredCodecFor } from './registered-codec.ts';

/** By the first byte of a node. */
export const codecs: readonly (Codec | undefined)[] = table(
  objectCodec,
  objectOfCodec,
  argumentsCodec,
  arrayCodec,
  mapCodec,
  setCodec,
  dateCodec,
  regExpCodec,
  fixedRegExpCodec,
  errorCodec,
  boxedCodec,
  arrayBufferCodec,
  viewCodec,
  urlCodec,
  searchParamsCodec,
  headersCodec,
  registeredCodec,
  fillableCodec,
  ...codeCodecs,
  ...frameCodecs,
  ...cursorCodecs,
);
function table(...all: Codec[]): (Codec | undefined)[] {
  const byTag: (Codec | undefined)[] = [];
  for (const codec of all) byTag[codec.tag] = codec;
  return byTag;
}

/** Prototypes of built-in kinds. What only looks like one (`Object.create(Map.prototype)`) is none. */
const builtins: Map<unknown, { is: (value: object) => boolean; codec: Codec }> = new Map<
  unknown,
  { is: (value: object) => boolean; codec: Codec }
>([
  [Map.prototype, { is: types.isMap, codec: mapCodec }],
  [Set.prototype, { is: types.isSet, codec: setCodec }],
  [Date.prototype, { is: types.isDate, codec: dateCodec }],
  [RegExp.prototype, { is: types.isRegExp, codec: regExpCodec }],
  [ArrayBuffer.prototype, { is: types.isArrayBuffer, codec: arrayBufferCodec }],
  [URL.prototype, { is: isUrl, codec: urlCodec }],
  [URLSearchParams.prototype, { is: isSearchParams, codec: searchParamsCodec }],
  ...[Boolean, Number, String, BigInt, Symbol].map(
    (maker) => [maker.prototype, { is: types.isBoxedPrimitive, codec: boxedCodec }] as const,
  ),
  ...VIEW_PROTOTYPES.map((proto) => [proto, { is: types.isArrayBufferView, codec: viewCodec }] as const),
]);

/** Which codec writes a node that is met for the first time. @throws Refusal */
export function codecOf(node: object): Codec {
  if (typeof node === 'function') return callableCodecOf(node as (...args: unknown[]) => unknown);
  if (types.isProxy(node)) throw new Refusal(node, 'is a Proxy');
  const proto = Object.getPrototypeOf(node) as object | null;
  if (proto === Object.prototype) return plainCodecOf(node);
  if (Array.isArray(node) && proto === Array.prototype) return arrayCodec;
  const builtin = builtins.get(proto);
  if (builtin?.is(node)) return builtin.codec === regExpCodec ? regExpCodecOf(node as RegExp) : builtin.codec;
  if (node instanceof Frame) return frameCodecOf(node);
  if (isCursor(node)) return cursorCodecs[0]!;
  return otherCodecOf(node, proto);
}

/** The library has functions that carry data of their own, and a class for each kind of them. */
function callableCodecOf(node: (...args: unknown[]) => unknown): Codec {
  const proto = Object.getPrototypeOf(node) as object | null;
  return (proto === null ? undefined : registeredCodecFor(proto)) ?? functionCodecOf(node);
}

const maths = Math,
  json = JSON,
  reflect = Reflect;

function plainCodecOf(node: object): Codec {
  if (types.isArgumentsObject(node)) return argumentsCodec;
  if (node === maths || node === json || node === reflect) return namedCodecOf(node)!;
  if (!Object.hasOwn(node, 'constructor')) return objectCodec;
  return classOf(node) !== undefined ? prototypeCodec : intrinsicName(node) ? namedCodecOf(node)! : objectCodec;
}

function otherCodecOf(node: object, proto: object | null): Codec {
  const registered = proto === null ? undefined : registeredCodecFor(proto);
  if (registered !== undefined) return registered;
  if (Object.hasOwn(node, 'constructor') && classOf(node) !== undefined) return prototypeCodec;
  if (isHeaders(proto)) return headersCodec;
  const isInstance = proto !== null && classOf(proto) !== undefined,
    why =
      refusalFor(node) ??
      (isInstance || types.isNativeError(node) ? inheritanceRefusal(node, proto) : foreignRefusal(proto));
  if (why === undefined) return types.isNativeError(node) ? errorCodec : isInstance ? instanceCodec : objectOfCodec;
  const named = namedCodecOf(node);
  if (named === undefined) throw new Refusal(node, why);
  return named;
}

function isHeaders(proto: object | null): boolean {
  // The name is looked at first: whoever asks for the global loads a good part of Node.
  return proto !== null && constructorName(proto) === 'Headers' && proto === Headers.prototype;
}

const KINDS: readonly (readonly [is: (value: object) => boolean, why: string])[] = [
  [types.isPromise, 'is a promise: await it before the page is shown'],
  [types.isGeneratorObject, 'is a generator in progress, whose state is native: collect its values in an array'],
  [(value) => value instanceof Iterator, 'is an iterator in progress'],
  [types.isWeakMap, 'is a WeakMap: nobody can tell what is in it'],
  [types.isWeakSet, 'is a WeakSet: nobody can tell what is in it'],
  [(value) => value instanceof WeakRef, 'is a WeakRef'],
  [types.isSharedArrayBuffer, 'is memory that threads share'],
  [types.isModuleNamespaceObject, 'is a module: import it where it is used'],
  [types.isExternal, 'is a part of native code'],
];
function refusalFor(node: object): string | undefined {
  for (const [is, why] of KINDS) if (is(node)) return why;
  return undefined;
}

/** A class that has private state, or that extends one that the servlet did not make, cannot be made again from outside. */
function inheritanceRefusal(node: object, proto: object | null): string | undefined {
  for (let at = proto; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null) {
    const maker = classOf(at);
    if (maker === undefined) {
      if (types.isNativeError(node)) continue;
      return `is an instance of ${nameOf(proto)}, which extends ${nameOf(at)}: register it with registerSerializable`;
    }
    const { module, code } = tagOf(maker)!;
    if (module.codes[code]!.hasPrivateState)
      return `is an instance of ${nameOf(at)}, which has private fields: register it with registerSerializable`;
  }
  return undefined;
}

function foreignRefusal(proto: object | null): string | undefined {
  for (let at = proto; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null) {
    const maker = constructorOf(at);
    if (maker === undefined) continue;
    const own = unsavable(maker, nameOf(at));
    return own === undefined
      ? `is an instance of ${nameOf(at)}, a class of a library or of Node: what it stands for belongs to this process`
      : `is an instance of ${nameOf(at)}, which ${own}`;
  }
  return undefined;
}

function nameOf(proto: object | null): string {
  return (proto && constructorName(proto)) || 'a class without a name';
}
type Maker = (...args: unknown[]) => unknown;
function constructorOf(proto: object): Maker | undefined {
  const maker: unknown = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
  return typeof maker === 'function' ? (maker as Maker) : undefined;
}
function constructorName(proto: object): string | undefined {
  const maker = constructorOf(proto);
  if (maker === undefined) return undefined;
  const name: unknown = Object.getOwnPropertyDescriptor(maker, 'name')?.value;
  return typeof name === 'string' ? name : '';
}
