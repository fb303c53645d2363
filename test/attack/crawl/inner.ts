/** What of Node and of the runtime no guest may get hold of, told by what such objects have: names of classes can be taken away. */
const { apply, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
const { isFrozen } = Object;
const OBJECT = Object.prototype;
// oxlint-disable-next-line typescript/unbound-method -- it is given what to be called on
const { exec } = RegExp.prototype;

/** Members, own or inherited, of which an object of that kind has all. */
const MEMBERS: readonly (readonly [kind: string, members: readonly string[]])[] = [
  ['handle of a stream', ['readStart', 'getAsyncId']],
  ['write to a handle', ['handle', 'getAsyncId']],
  ['file handle', ['releaseFD']],
  ['file handle', ['fd', 'appendFile', 'getAsyncId']],
  ['socket', ['_handle', 'resetAndDestroy']],
  ['port', ['postMessage', 'start', 'close']],
  ['thread', ['postMessage', 'terminate']],
  ['module', ['getNamespace', 'instantiate']],
  ['job of a module', ['module', 'importAttributes', 'run']],
  ['loader of modules', ['loadCache']],
  ['CommonJS module', ['_compile', 'children']],
  ['class of CommonJS modules', ['_load', '_resolveFilename']],
  ['built-in module', ['compileForPublicLoader']],
  ['class of built-in modules', ['canBeRequiredByUsers']],
  ['hooks for modules', ['registerHooks']],
  ['process', ['moduleLoadList']],
  ['sockets', ['createServer', 'createConnection']],
  ['files', ['openSync', 'fchmodSync', 'openAsBlob']],
  ['descriptors of SQLite', ['DatabaseSync']],
  ['channel of diagnostics', ['runStores', 'name']],
  ['frames of the thread', ['frame', 'flush']],
];
/** Of functions that load built-in modules or run code of Node's. */
const FUNCTIONS =
  /^(?:bound )?(?:internalBinding|requireBuiltin|nativeModuleRequire|compileFunctionForCJSLoader|wrapModuleLoad)$/;
/** Of the runtime, whose members are private: what leads beyond the guest's own requests and pages. */
const CLASSES =
  /^(?:Asks|Collector|CommonJs|FrameReader|FrameWriter|GuestBuiltins|LastCollection|OutputBudget|RequestRunner|RunningRequest|TempBudget|UnderWay)$/;
/** The policy gives all channels that guests ask for such names. */
const OWN_CHANNEL = /^(?:tracing:)?servlet:/;

/** A module of Node's that leads to no class, and whose methods nobody can change. */
export const CLOSED_MODULE = 'closed module';

function isShut(module: object): boolean {
  for (let from = getPrototypeOf(module); from !== null && from !== OBJECT; from = getPrototypeOf(from))
    if (!isFrozen(from) || getOwnPropertyDescriptor(from, 'constructor') !== undefined) return false;
  return true;
}

/** What an object is that no guest may have; null: nothing of that kind. It calls nothing that the object has. */
export function kindOf(value: object): string | null {
  if (isPrototype(value)) return null;
  if (typeof value === 'function' && matches(FUNCTIONS, ownText(value, 'name'))) return 'function of the loader';
  for (let at = 0; at < MEMBERS.length; at++) {
    const [kind, members] = MEMBERS[at] as (typeof MEMBERS)[number];
    let hasAll = true;
    for (let next = 0; next < members.length && hasAll; next++)
      hasAll = memberOf(value, members[next] as string) !== undefined;
    if (!hasAll || (kind === 'channel of diagnostics' && matches(OWN_CHANNEL, ownText(value, 'name')))) continue;
    return kind === 'module' && isShut(value) ? CLOSED_MODULE : kind;
  }
  return matches(CLASSES, className(value)) ? 'part of the runtime' : null;
}

/** Of the class that an object is said to have; empty: none. */
export function className(value: object): string {
  const constructor = memberOf(value, 'constructor')?.value as object | undefined;
  return typeof constructor === 'function' ? ownText(constructor, 'name') : '';
}

function isPrototype(value: object): boolean {
  const constructor = getOwnPropertyDescriptor(value, 'constructor')?.value as object | undefined;
  return typeof constructor === 'function' && getOwnPropertyDescriptor(constructor, 'prototype')?.value === value;
}

function memberOf(value: object, key: string): PropertyDescriptor | undefined {
  for (let from: object | null = value; from !== null; from = getPrototypeOf(from)) {
    const descriptor = getOwnPropertyDescriptor(from, key);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

function ownText(value: object, key: string): string {
  const text: unknown = getOwnPropertyDescriptor(value, key)?.value;
  return typeof text === 'string' ? text : '';
}

function matches(pattern: RegExp, text: string): boolean {
  return apply(exec, pattern, [text]) !== null;
}
