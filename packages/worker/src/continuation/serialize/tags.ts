/**
 * The first byte of every value. Whole numbers from 0 to 63, references to the first 64 nodes and strings of less than 64
 * Latin-1 characters begin with a byte of their own, which says it all.
 */
export const Value = {
  Undefined: 0,
  Null: 1,
  False: 2,
  True: 3,
  MinusZero: 4,
  NaN: 5,
  Infinity: 6,
  MinusInfinity: 7,
  /** What stands in a variable before its declaration has run. */
  Unset: 8,
  /** Signed, the sign in the lowest bit. */
  Integer: 9,
  Double: 10,
  /** Sign, length, bytes of the magnitude. */
  BigInt: 11,
  Latin1: 12,
  Utf8: 13,
  /** What is no valid Unicode. */
  Utf16: 14,
  /** A string that was written before. */
  StringAgain: 15,
  /** `Symbol.for(text)`. */
  RegisteredSymbol: 16,
  /** `Symbol.iterator` and its kind. */
  WellKnownSymbol: 17,
  /** The symbol that a module's constant holds. */
  ConstantSymbol: 18,
  /** A node that was written before. */
  Again: 19,
  /** How many nodes, and which: what is inside them follows here, and not where they were made. Then comes the value. */
  FillingHere: 20,
} as const;

/** The first byte of every node that is written for the first time. */
export const Node = {
  Object: 24,
  Array: 25,
  Map: 26,
  Set: 27,
  Date: 28,
  RegExp: 29,
  Error: 30,
  Boxed: 31,
  ArrayBuffer: 32,
  View: 33,
  Url: 34,
  UrlSearchParams: 35,
  Headers: 36,
  /** An object whose prototype is null or an object of the graph. */
  ObjectOf: 37,
  Arguments: 38,
  /** A function or class that a module has once. */
  Code: 39,
  Closure: 40,
  /** A method that a class has: class, where, key, which. */
  Method: 41,
  Instance: 42,
  /** The `prototype` of a function or class. */
  Prototype: 43,
  Frame: 44,
  ClosureFrame: 45,
  LibraryFrame: 46,
  /** What a constant of a module holds. */
  Constant: 51,
  /** The same as Registered, of a class whose instances are filled when they are there. */
  Fillable: 52,
  FixedRegExp: 53,
  /** Something of the language, by its name. */
  Intrinsic: 47,
  /** Something of this library, by its name. */
  Known: 48,
  /** An instance of a class with a way to be written: its name, its data. */
  Registered: 49,
  /** A position in something that a loop iterates. */
  Cursor: 50,
} as const;

export const FIRST_SMALL_INTEGER = 0x40;
export const FIRST_NODE_AGAIN = 0x80;
export const FIRST_SHORT_STRING = 0xc0;
export const SHORT_COUNT = 0x40;

/** The first byte of all: of the format, not of the compiler. Whatever changes what bytes mean, or how many follow, raises it. */
export const FORMAT_VERSION = 2;
