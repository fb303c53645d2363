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
export const isArray: (value: unknown) => value is unknown[] = Array.isArray;
export const isView: (value: unknown) => value is ArrayBufferView = ArrayBuffer.isView;
const {
  startsWith: nativeStartsWith,
  endsWith: nativeEndsWith,
  slice: nativeSlice,
  charCodeAt: nativeCharCodeAt,
} = String.prototype;
const nativeIsInstance = Function.prototype[Symbol.hasInstance];
const nativeStringify = JSON.stringify;
const NativeUint8Array = Uint8Array;
const TYPED_ARRAY = getPrototypeOf(Uint8Array.prototype) as object;
const [nativeByteLength, nativeByteOffset, nativeBuffer] = gettersOf(TYPED_ARRAY);
const [nativeViewLength, nativeViewOffset, nativeViewBuffer] = gettersOf(DataView.prototype);
const textLength = Buffer.byteLength;

function gettersOf(prototype: object): [length: () => unknown, offset: () => unknown, buffer: () => unknown] {
  const getter = (key: string): (() => unknown) => descriptorOf(prototype, key).get as () => unknown;
  return [getter('byteLength'), getter('byteOffset'), getter('buffer')];
}

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

/** Small letters and digits, and single `-`, `.` and `/` between them: a path that can't be spelled in another way. */
export function isPlainPath(text: string): boolean {
  let before = 47;
  for (let at = 0; at < text.length; at++) {
    const code = apply(nativeCharCodeAt, text, [at]) as number;
    const isMark = code === 45 || code === 46 || code === 47;
    const isPlain = (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
    if (!isPlain && (!isMark || before < 48)) return false;
    before = code;
  }
  return before > 47;
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
export function byteLengthOf(value: unknown, encoding: unknown): number {
  if (typeof value === 'string')
    return textLength(value, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  if (!isView(value)) return 0;
  return viewField(value, nativeByteLength, nativeViewLength) as number;
}

/** A view of the same bytes that has the length of now, and no property of its own; what is no view as it is. */
export function fixedBytes(value: unknown): unknown {
  if (!isView(value)) return value;
  const buffer = viewField(value, nativeBuffer, nativeViewBuffer) as ArrayBuffer;
  return new NativeUint8Array(
    buffer,
    viewField(value, nativeByteOffset, nativeViewOffset) as number,
    byteLengthOf(value, undefined),
  );
}

function viewField(view: object, ofTypedArray: () => unknown, ofDataView: () => unknown): unknown {
  try {
    return apply(ofTypedArray, view, []);
  } catch {
    return apply(ofDataView, view, []);
  }
}

/** How often the character is in the text. */
export function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) if (text[at] === character) count++;
  return count;
}

/** An empty object without a prototype, for look-ups that nobody can interfere with. */
export function table<Value>(): Record<string, Value> {
  return { __proto__: null } as unknown as Record<string, Value>;
}
