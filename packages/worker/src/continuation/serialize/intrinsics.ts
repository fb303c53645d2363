/** What the language itself has, by the name under which every process finds it. */
const byName: Map<string, object> = new Map();
const names: Map<object, string> = new Map();

function add(name: string, value: unknown): void {
  if ((typeof value !== 'function' && typeof value !== 'object') || value === null || names.has(value)) return;
  byName.set(name, value);
  names.set(value, name);
}

const NAMESPACES = ['Math', 'JSON', 'Reflect', 'Atomics', 'Intl', 'console'] as const;
/** Not `Function`: whoever can write a state must not be able to make code of it. */
const CLASSES = [
  'Object',
  'Array',
  'String',
  'Number',
  'Boolean',
  'Symbol',
  'BigInt',
  'Date',
  'RegExp',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'Promise',
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
  'SuppressedError',
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'URL',
  'URLSearchParams',
] as const;
const FUNCTIONS = [
  'parseInt',
  'parseFloat',
  'isNaN',
  'isFinite',
  'encodeURI',
  'encodeURIComponent',
  'decodeURI',
  'decodeURIComponent',
  'structuredClone',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
] as const;

const globals = globalThis as unknown as Record<string, object>;
for (const name of [...FUNCTIONS, ...CLASSES, ...NAMESPACES]) add(name, globals[name]);
for (const name of CLASSES) {
  addMembers(name, globals[name]!);
  const { prototype } = globals[name] as { prototype?: object };
  if (prototype === undefined) continue;
  add(`${name}.prototype`, prototype);
  addMembers(`${name}.prototype`, prototype);
}
for (const name of NAMESPACES) addMembers(name, globals[name]!);
add('globalThis', globalThis);

/** Their own functions; accessors are left alone. */
function addMembers(of: string, owner: object): void {
  for (const key of Object.getOwnPropertyNames(owner)) {
    const value: unknown = Object.getOwnPropertyDescriptor(owner, key)!.value;
    if (typeof value === 'function') add(`${of}.${key}`, value);
  }
}

export function intrinsicName(value: object): string | undefined {
  return names.get(value);
}
export function intrinsicNamed(name: string): object | undefined {
  return byName.get(name);
}
