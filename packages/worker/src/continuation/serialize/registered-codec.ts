import type { Codec } from './codec.ts';
import { Refusal } from './refusal.ts';
import { type Registration, registrationFor, registrationNamed } from './registered.ts';
import { Node } from './tags.ts';

/** The data of an instance is written and read whole, before there is an instance. */
export const registeredCodec: Codec = {
  tag: Node.Registered,
  nests: true,
  make: (out, node) => {
    const registration = registrationFor(Object.getPrototypeOf(node) as object)!;
    out.write(registration.name);
    out.at = '[[Data]]';
    out.whole(dataOf(registration, node));
  },
  remake: (from) => {
    const registration = registrationNamed(from.string());
    if (registration === undefined || registration.fill !== undefined) throw from.bad('a class is not registered');
    const instance = registration.from(from.whole());
    if ((typeof instance !== 'object' && typeof instance !== 'function') || instance === null)
      throw from.bad('a registered class made no object');
    return instance;
  },
};

/** What is filled later may be in a cycle. */
export const fillableCodec: Codec = {
  tag: Node.Fillable,
  make: (out, node) => out.write(registrationFor(Object.getPrototypeOf(node) as object)!.name),
  fill: (out, node) => {
    out.at = '[[Data]]';
    out.write(dataOf(registrationFor(Object.getPrototypeOf(node) as object)!, node));
  },
  remake: (from) => {
    const registration = registrationNamed(from.string());
    if (registration?.fill === undefined) throw from.bad('a class is not registered');
    return registration.from(undefined);
  },
  refill: (from, node) => registrationFor(Object.getPrototypeOf(node) as object)!.fill!(node, from.read()),
};

/** @returns undefined when nobody has said how instances of that class are written */
export function registeredCodecFor(prototype: object): Codec | undefined {
  const registration = registrationFor(prototype);
  if (registration === undefined) return undefined;
  return registration.fill === undefined ? registeredCodec : fillableCodec;
}

function dataOf(registration: Registration, node: object): unknown {
  try {
    return registration.to(node);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(
      node,
      `can not be written by what registerSerializable was given for its class: ${String(error)}`,
    );
  }
}
