type Uncurried = (self: object, ...args: any[]) => any;

const uncurry = (method: unknown): Uncurried => Function.prototype.call.bind(method as () => void) as Uncurried;

/**
 * A built-in method as a function of its receiver. Taken when this library is loaded: what a servlet puts into `Map.prototype`
 * later is not called.
 */
export function methodOf(proto: object, key: PropertyKey): Uncurried {
  return uncurry(Object.getOwnPropertyDescriptor(proto, key)!.value);
}

/** The same of a built-in accessor. */
export function getterOf(proto: object, key: PropertyKey): (self: object) => any {
  const part = 'get';
  return uncurry(Object.getOwnPropertyDescriptor(proto, key)![part]);
}
