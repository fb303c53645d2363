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
    if (registration === undefined) throw from.bad('a class is not registered');
    const instance = registration.from(from.whole());
    if ((typeof instance !== 'object' && typeof instance !== 'function') || instance === null)
      throw from.bad('a registered class made no object');
    return instance;
  },
};

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
