/* oxlint-disable typescript/unbound-method -- that is what it is about: each is applied to what it is given */
/**
 * Built-in functions as they were before the guest ran. It may replace them everywhere else, and a check that calls a
 * replaced one says what the guest wants. Code that decides uses these, operators, and objects without a prototype; it
 * neither iterates nor spreads.
 */
export const apply: typeof Reflect.apply = Reflect.apply;
export const ownKeys: typeof Reflect.ownKeys = Reflect.ownKeys;
export const getOwnPropertyDescriptor: typeof Reflect.getOwnPropertyDescriptor = Reflect.getOwnPropertyDescriptor;
export const defineProperty: typeof Reflect.defineProperty = Reflect.defineProperty;
export const getPrototypeOf: typeof Reflect.getPrototypeOf = Reflect.getPrototypeOf;
const { startsWith: nativeStartsWith, slice: nativeSlice } = String.prototype;
const { isView } = ArrayBuffer;
const nativeByteLength = descriptorOf(getPrototypeOf(Uint8Array.prototype) as object, 'byteLength').get as () => number;
const nativeViewLength = descriptorOf(DataView.prototype, 'byteLength').get as () => number;
const utf8Length = Buffer.byteLength;

function descriptorOf(object: object, key: string): PropertyDescriptor {
  return getOwnPropertyDescriptor(object, key) as PropertyDescriptor;
}

export function startsWith(text: string, start: string): boolean {
  return apply(nativeStartsWith, text, [start]) as boolean;
}

export function sliceFrom(text: string, at: number): string {
  return apply(nativeSlice, text, [at]) as string;
}

/** Bytes that writing the value to a file takes; 0 for what can't be written. */
export function byteLengthOf(value: unknown): number {
  if (typeof value === 'string') return utf8Length(value);
  if (!isView(value)) return 0;
  try {
    return apply(nativeByteLength, value, []) as number;
  } catch {
    return apply(nativeViewLength, value, []) as number;
  }
}

/** An empty object without a prototype, for look-ups that nobody can interfere with. */
export function table<Value>(): Record<string, Value> {
  return { __proto__: null } as unknown as Record<string, Value>;
}
