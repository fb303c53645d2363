import { types } from 'node:util';
import { loadedModules, type ServletModule, Tag, tag, tagOf } from '../module-code.ts';
import type { Codec } from './codec.ts';
import { constantOf } from './constants.ts';
import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';
import { intrinsicName, intrinsicNamed } from './intrinsics.ts';
import { knownName, knownNamed } from './known.ts';
import { fillObject, makeShape, refillObject, remakeShape } from './plain.ts';
import { fillExactly, refillExactly } from './properties.ts';
import { Refusal } from './refusal.ts';
import { Node } from './tags.ts';
import { methodOf } from './uncurry.ts';

type Fn = (...args: unknown[]) => unknown;

/** Gives a tag to what modules have once, since no maker did. Cheap to call again. */
const isTagged: WeakSet<ServletModule> = new WeakSet();
export function tagLoadedCode(): void {
  for (const module of loadedModules()) {
    if (isTagged.has(module)) continue;
    let isWhole = true;
    for (const code of Object.keys(module.parts.values).map(Number)) {
      try {
        mark(module, code, module.value(code));
      } catch {
        isWhole = false; // Its declaration has not run.
      }
    }
    module.owned.forEach((value, code) => mark(module, code, value));
    if (isWhole) isTagged.add(module);
  }
}

const methods: WeakMap<object, MethodPlace> = new WeakMap();
interface MethodPlace {
  of: Fn;
  isStatic: boolean;
  key: string | symbol;
  part: 'value' | 'get' | 'set';
}
const PARTS = ['value', 'get', 'set'] as const;

function mark(module: ServletModule, code: number, value: unknown): void {
  if (typeof value !== 'function') return;
  tag(value, new Tag(module, code, null, value));
  if (module.codes[code]!.isClass) markMethods(value as Fn);
}

/** Methods of a class are found by their names in it. */
export function markMethods(of: Fn): void {
  for (const isStatic of [false, true]) {
    const owner = ownerOf(of, isStatic);
    if (owner === null) continue;
    for (const key of Reflect.ownKeys(owner)) {
      if (key === 'constructor' || key === 'prototype') continue;
      const property = Object.getOwnPropertyDescriptor(owner, key)!;
      for (const part of PARTS) {
        const method: unknown = property[part];
        if (typeof method === 'function' && tagOf(method) === undefined && !methods.has(method))
          methods.set(method, { of, isStatic, key, part });
      }
    }
  }
}

function ownerOf(of: Fn, isStatic: boolean): object | null {
  if (isStatic) return of;
  const prototype: unknown = Object.getOwnPropertyDescriptor(of, 'prototype')?.value;
  return typeof prototype === 'object' ? prototype : null;
}

/** How a function or class is written: as code of the servlet, of the language, of the library, or not at all. */
export function functionCodecOf(value: Fn): Codec {
  const mark = tagOf(value);
  if (mark !== undefined) return mark.captured === null ? codeCodec : closureCodec;
  if (methods.has(value)) return methodCodec;
  const named = namedCodecOf(value);
  if (named !== undefined) return named;
  throw new Refusal(value, functionRefusal(value));
}

function functionRefusal(value: Fn): string {
  const name: unknown = Object.getOwnPropertyDescriptor(value, 'name')?.value,
    isNamed = typeof name === 'string' && name !== '',
    called = isNamed ? `the function ${name}` : 'a function',
    own = isNamed ? unsavable(value, name) : undefined;
  if (own !== undefined) return own;
  return `is ${called}, which is not made by the servlet's own modules, or is bound, or can't be saved for what it uses (docs/stateless.md); use it where it is, not in a variable that lives across a suspension`;
}

const sourceText = methodOf(Function.prototype, 'toString');
/** Code of the servlet that can't be saved has no tag; but its module knows why, and what it is called: the end of a sentence. */
export function unsavable(value: Fn, name: string): string | undefined {
  const isClass = /^class\b/.test(sourceText(value) as string);
  for (const { file, codes } of loadedModules()) {
    for (const { why, line, column, ...code } of codes)
      if (why !== undefined && code.name === name && (code.isClass === true) === isClass)
        return `${why} (${file}:${line}:${column})`;
  }
  return undefined;
}

/** What is found again by name, wherever it may be. */
export function namedCodecOf(value: object): Codec | undefined {
  if (intrinsicName(value) !== undefined) return intrinsicCodec;
  if (knownName(value) !== undefined) return knownCodec;
  return constantOf(value) === undefined ? undefined : constantCodec;
}

const codeCodec: Codec<Fn> = {
  tag: Node.Code,
  make: (out, node) => {
    const { module, code } = tagOf(node)!;
    out.module(module);
    out.bytes.varint(code);
  },
  remake: (from) => {
    const module = from.module(),
      value = module.value(from.bytes.varint());
    if (typeof value !== 'function') throw from.bad('a module has no such function');
    return value as Fn;
  },
};

const closureCodec: Codec<Fn> = {
  tag: Node.Closure,
  nests: true,
  make: (out, node) => {
    const { module, code, captured } = tagOf(node)!,
      { why, captures } = module.codes[code]!;
    if (why !== undefined) throw new Refusal(node, why);
    out.module(module);
    out.bytes.varint(code);
    for (let i = 0; i < captured!.length; i++) {
      out.at = { captured: captures![i] };
      out.write(captured![i]);
    }
  },
  fill: fillFunction,
  remake: (from) => {
    const module = from.module(),
      code = from.bytes.varint(),
      captures = module.codes[code]?.captures,
      make = Object.hasOwn(module.parts.makers, code) ? module.parts.makers[code] : undefined;
    if (captures === undefined || make === undefined) throw from.bad('a module has no such closure');
    const captured: unknown[] = [];
    for (let i = 0; i < captures.length; i++) captured.push(from.read());
    return make(...captured) as Fn;
  },
  refill: refillFunction,
};

/** A function's own properties, and those of the prototype that it gives to what it constructs. Hardly ever there are any. */
const NOTHING = 0,
  OWN = 1,
  OWN_AND_INHERITED = 2;
const STANDARD: ReadonlySet<string | symbol> = new Set(['length', 'name', 'prototype', 'arguments', 'caller']);

function fillFunction(out: GraphWriter, node: Fn): void {
  const { module, code } = tagOf(node)!,
    isClass = module.codes[code]!.isClass === true,
    prototype = isClass ? null : madeWith(node),
    own = isClass ? [] : Reflect.ownKeys(node).filter((key) => !STANDARD.has(key) || isAdded(node, key)),
    inherited = prototype === null ? [] : Reflect.ownKeys(prototype).filter((key) => key !== 'constructor');
  if (isClass) markMethods(node);
  else if (prototype === null && Object.hasOwn(node, 'prototype') && !isAdded(node, 'prototype'))
    throw new Refusal(node, 'is a function whose prototype was replaced by what is no object');
  if (own.length === 0 && inherited.length === 0 && Object.isExtensible(node)) return out.bytes.u8(NOTHING);
  out.bytes.u8(prototype === null ? OWN : OWN_AND_INHERITED);
  fillExactly(out, node, own);
  if (prototype !== null) fillExactly(out, prototype, inherited);
}

function refillFunction(from: GraphReader, node: Fn): void {
  const what = from.bytes.u8();
  if (what === NOTHING) return;
  const { module, code } = tagOf(node)!,
    isClass = module.codes[code]!.isClass === true,
    // Before there is anything that was written: its `prototype` could be somebody else's.
    prototype = isClass ? null : madeWith(node);
  if (what !== (prototype === null ? OWN : OWN_AND_INHERITED)) throw from.bad('a function is of another kind');
  refillExactly(from, node);
  if (prototype !== null) refillExactly(from, prototype);
  // It would be taken for the one that it is made with when it is written again.
  else if (!isClass && madeWith(node) !== null) throw from.bad('a function is of another kind');
}

/** The `prototype` that a function has from the start, in contrast to one that was added. */
const madeWith = (node: Fn): object | null => (isAdded(node, 'prototype') ? null : constructedBy(node));
function isAdded(node: Fn, key: string | symbol): boolean {
  return key === 'prototype' && Object.getOwnPropertyDescriptor(node, key)?.configurable === true;
}

function constructedBy(node: Fn): object | null {
  const prototype: unknown = Object.getOwnPropertyDescriptor(node, 'prototype')?.value;
  // That of a generator has no `constructor`, and is no different.
  return typeof prototype === 'object' ? prototype : null;
}

const methodCodec: Codec<Fn> = {
  tag: Node.Method,
  nests: true,
  make: (out, node) => {
    const { of, isStatic, key, part } = methods.get(node)!;
    out.write(of);
    out.bytes.u8(PARTS.indexOf(part) * 2 + (isStatic ? 1 : 0));
    out.write(key);
  },
  remake: (from) => {
    const of = from.read(),
      what = from.bytes.u8(),
      key = from.read();
    const owner = isOwnCode(of) ? ownerOf(of, what % 2 === 1) : null,
      part = PARTS[what >> 1];
    if (owner === null || part === undefined || (typeof key !== 'string' && typeof key !== 'symbol'))
      throw from.bad('a method belongs to no class');
    const method: unknown = Object.getOwnPropertyDescriptor(owner, key)?.[part];
    if (typeof method !== 'function') throw from.bad('a class has no such method');
    return method as Fn;
  },
};

const intrinsicCodec: Codec = {
  tag: Node.Intrinsic,
  make: (out, node) => out.write(intrinsicName(node)),
  remake: (from) => {
    const value = intrinsicNamed(from.string());
    if (value === undefined) throw from.bad('the language has nothing of this name');
    return value;
  },
};

const knownCodec: Codec = {
  tag: Node.Known,
  make: (out, node) => out.write(knownName(node)),
  remake: (from) => {
    const value = knownNamed(from.string());
    if (value === undefined) throw from.bad('the library has nothing of this name');
    return value;
  },
};

const constantCodec: Codec = {
  tag: Node.Constant,
  make: (out, node) => {
    const { module, path } = constantOf(node)!;
    out.module(module);
    for (const name of path) out.write(name);
  },
  remake: (from) => {
    const value = from.constant();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || types.isProxy(value))
      throw from.bad('a constant is no object');
    return value;
  },
};

/** What an instance of the servlet's own classes and constructors is made of: its class, its properties. */
export const instanceCodec: Codec = {
  tag: Node.Instance,
  nests: true,
  make: (out, node) => {
    out.at = '[[Class]]';
    out.write(classOf(Object.getPrototypeOf(node) as object));
    makeShape(out, node);
  },
  fill: fillObject,
  remake: (from) => {
    const made = from.read(),
      prototype = isOwnCode(made) ? constructedBy(made) : null;
    if (prototype === null) throw from.bad('an instance has no class');
    remakeShape(from);
    return Object.create(prototype) as object;
  },
  refill: refillObject,
};

export const prototypeCodec: Codec = {
  tag: Node.Prototype,
  nests: true,
  make: (out, node) => out.write(classOf(node)),
  remake: (from) => {
    const made = from.read(),
      prototype = isOwnCode(made) ? constructedBy(made) : null;
    if (prototype === null) throw from.bad('a function has no prototype');
    return prototype;
  },
};

function isOwnCode(value: unknown): value is Fn {
  return typeof value === 'function' && tagOf(value) !== undefined;
}

/** The function of the servlet's own code whose `prototype` this is. */
export function classOf(prototype: object): Fn | undefined {
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof maker !== 'function' || tagOf(maker) === undefined) return undefined;
  return constructedBy(maker as Fn) === prototype ? (maker as Fn) : undefined;
}

export const codeCodecs: readonly Codec[] = [
  codeCodec,
  closureCodec,
  methodCodec,
  intrinsicCodec,
  knownCodec,
  constantCodec,
  instanceCodec,
  prototypeCodec,
];
