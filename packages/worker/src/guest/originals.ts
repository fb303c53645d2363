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
export const keysOf: (object: object) => string[] = Object.keys;
export const getPrototypeOf: typeof Reflect.getPrototypeOf = Reflect.getPrototypeOf;
const {
  startsWith: nativeStartsWith,
  endsWith: nativeEndsWith,
  slice: nativeSlice,
  charCodeAt: nativeCharCodeAt,
} = String.prototype;
const nativeIsInstance = Function.prototype[Symbol.hasInstance];
const nativeStringify = JSON.stringify;
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

export function endsWith(text: string, end: string): boolean {
  return apply(nativeEndsWith, text, [end]) as boolean;
}

/** Letters, digits, `_` and `$` only. */
export function isPlainName(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = apply(nativeCharCodeAt, text, [at]) as number;
    const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
    const isDigit = code >= 48 && code <= 57;
    if (!isLetter && !isDigit && code !== 95 && code !== 36) return false;
  }
  return text.length > 0;
}

/** What `value instanceof of` was. */
export function isInstance(value: unknown, of: Function): boolean {
  return apply(nativeIsInstance, of, [value]) as boolean;
}

/** A text as JavaScript writes it. */
export function quoted(text: string): string {
  return nativeStringify(text);
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
