/**
 * Objects of this library that are what they are by where a module made them, such as web cells and web parameters: saved continuations
 * name the module's constant.
 */
export const identities: WeakSet<object> = new WeakSet();
