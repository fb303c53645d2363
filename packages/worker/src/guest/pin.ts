import { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } from './originals.ts';

/**
 * Gives an object a prototype of its own with all that it inherits. A guest can replace methods of the classes of
 * Node, `Writable.prototype.write` say, and would be handed the object as `this` at its next use: the channel of its
 * thread, with the system's handle in it.
 */
export function pin(object: object): void {
  const prototype = Object.create(null) as object;
  for (let from = getPrototypeOf(object); from !== null; from = getPrototypeOf(from)) {
    for (const key of ownKeys(from))
      if (getOwnPropertyDescriptor(prototype, key) === undefined)
        defineProperty(prototype, key, getOwnPropertyDescriptor(from, key) as PropertyDescriptor);
  }
  Object.setPrototypeOf(object, prototype);
}
