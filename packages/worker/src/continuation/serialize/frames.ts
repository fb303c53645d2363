import { Frame, type FunctionDescription } from '../frame.ts';
import { bodyOf, tagOf } from '../module-code.ts';
import type { Codec } from './codec.ts';
import { isFrame, kindNamed, kindOf } from './frame-kinds.ts';
import type { GraphReader } from './graph-reader.ts';
import type { GraphWriter } from './graph-writer.ts';
import { Refusal } from './refusal.ts';
import { Node } from './tags.ts';

/** Where in the author's code a frame's function is. */
export function codeOf(frame: Frame): { meta: FunctionDescription; code: number } {
  const { meta } = frame;
  if (meta === null)
    throw new Refusal(
      frame,
      "is a frame of the library's own (such as a native part), which only this process can resume",
    );
  if (meta.module === undefined || meta.code === undefined)
    throw new Refusal(frame, `is a call of ${meta.name}, whose module was not compiled to be saved`);
  return { meta, code: meta.code };
}

/** A frame of a function that its module has once. */
const frameCodec: Codec<Frame> = {
  tag: Node.Frame,
  make: (out, node) => {
    const { meta, code } = codeOf(node);
    if (!Object.hasOwn(meta.module!.parts.bodies, code)) throw new Refusal(node, whyNotSaved(meta, code));
    out.module(meta.module!);
    out.bytes.varint(code);
    out.bytes.varint(node.pc);
  },
  fill: fillFrame,
  remake: (from) => {
    const module = from.module(),
      code = from.bytes.varint(),
      body = Object.hasOwn(module.parts.bodies, code) ? module.parts.bodies[code]!() : undefined;
    if (body === undefined) throw from.bad('a module has no such function to go on with');
    return makeFrame(from, module.descriptionOf(code), body);
  },
  refill: refillFrame,
};

function whyNotSaved({ module, name }: FunctionDescription, code: number): string {
  const why = module!.codes[code]?.why ?? 'uses super or new.target, or is made where eval is called',
    wayOut = why.includes(': ') ? '' : ': do that in a function that does not suspend';
  return `is a call of ${name}, which ${why}${wayOut}`;
}

/** A frame of a closure: the closure says which code, and has its variables. */
const closureFrameCodec: Codec<Frame> = {
  tag: Node.ClosureFrame,
  nests: true,
  make: (out, node) => {
    const { value, code } = tagOf(node.body!)!;
    out.write(value);
    out.bytes.varint(code);
    out.bytes.varint(node.pc);
  },
  fill: fillFrame,
  remake: (from) => {
    const mark = tagOf(from.object()),
      code = from.bytes.varint(),
      isThere =
        mark && (code === mark.code ? mark.body !== null : mark.bodies !== null && Object.hasOwn(mark.bodies, code));
    if (!isThere) throw from.bad('a frame belongs to no closure that can go on');
    return makeFrame(from, mark.module.descriptionOf(code), bodyOf(mark.value, code));
  },
  refill: refillFrame,
};

function fillFrame(out: GraphWriter, node: Frame): void {
  for (let i = 0; i < node.locals.length; i++) {
    out.at = i;
    out.write(node.locals[i]);
  }
  out.at = NEXT;
  out.write(node.next);
}

/** The place in a frame of whoever waits for it. */
export const NEXT: unique symbol = Symbol('next');

function makeFrame(from: GraphReader, meta: FunctionDescription | undefined, body: Frame['body']): Frame {
  const pc = from.bytes.varint(),
    site = meta?.awaits[pc - 1];
  if (meta === undefined || site === undefined || site.isTail) throw from.bad('a function does not wait there');
  return new Frame(meta, pc, [], body);
}

function refillFrame(from: GraphReader, node: Frame): void {
  const locals = node.locals as unknown[],
    { live } = node.meta!.awaits[node.pc - 1]!;
  for (let i = 0; i < live.length; i++) locals.push(from.read());
  refillNext(from, node);
}

function refillNext(from: GraphReader, node: Frame): void {
  const next = from.read();
  if (next !== null && !isFrame(next)) throw from.bad('a frame is followed by something else');
  node.next = next;
  from.frames.push(node);
}

const libraryFrameCodec: Codec<Frame> = {
  tag: Node.LibraryFrame,
  nests: true,
  make: (out, node) => {
    const kind = kindOf(node);
    if (kind === undefined) codeOf(node);
    const values = kind!.values(node);
    out.write(kind!.name);
    out.bytes.varint(values.length);
    for (const value of values) {
      out.at = kind!.name;
      out.write(value);
    }
  },
  fill: (out, node) => {
    out.at = NEXT;
    out.write(node.next);
  },
  remake: (from) => {
    const kind = kindNamed(from.string()),
      values: unknown[] = [];
    for (let count = from.bytes.count(); count > 0; count--) values.push(from.read());
    const frame = kind?.make(values);
    if (!frame) throw from.bad('the library has no such frame');
    return frame;
  },
  refill: refillNext,
};

export function frameCodecOf(frame: Frame): Codec {
  if (frame.meta === null) return libraryFrameCodec;
  const mark = tagOf(frame.body!);
  return mark === undefined ? frameCodec : closureFrameCodec;
}

export const frameCodecs: readonly Codec[] = [frameCodec, closureFrameCodec, libraryFrameCodec];
