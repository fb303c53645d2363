import type { Node } from '../compile/ast.ts';
import type { Variable } from '../compile/scope.ts';
import { type CheckedModule, type Foreign, isFunctionNode, LIBRARY, type Own, type Program, walk } from './program.ts';

/** Why a value can't be saved: the end of a sentence that begins with it, and the way out. */
export interface Reason {
  why: string;
  instead: string;
  /** From the variable to the value. */
  path: string;
}

const PROMISE = reason('is a promise', 'await it before the page is shown');
const TIMER = reason('is a timer, which belongs to this process', 'clear it before the page is shown');
const FOREIGN_FUNCTION = reason('is a function of Node', 'call it where it is, instead of keeping it in a variable');
const handle = (what: string): Reason =>
  reason(
    `is ${what}, which belongs to this process`,
    'close it before the page is shown and open it again afterwards; or keep it in its thread with serverRef(value)',
  );
const instance = (name: string): Reason =>
  reason(
    `is an instance of ${name}, a class that is not the servlet's own`,
    'make it again after the page, or keep it in its thread with serverRef(value)',
  );

const SPECIAL: ReadonlyMap<string, Reason> = new Map([
  ['Promise', PROMISE],
  ['Proxy', reason('is a Proxy', 'keep what it stands for, and make it again after the page')],
]);

function reason(why: string, instead: string): Reason {
  return { why, instead, path: '' };
}

/** What the language and Node make of a global, as far as it can't be saved; each is tried in a test. */
export const GLOBAL_CLASSES: readonly string[] = [
  'AbortController',
  'Blob',
  'BroadcastChannel',
  'CompressionStream',
  'DecompressionStream',
  'Event',
  'EventTarget',
  'File',
  'FinalizationRegistry',
  'FormData',
  'Intl.Collator',
  'Intl.DateTimeFormat',
  'Intl.NumberFormat',
  'Intl.PluralRules',
  'Intl.RelativeTimeFormat',
  'Intl.Segmenter',
  'MessageChannel',
  'ReadableStream',
  'Request',
  'Response',
  'SharedArrayBuffer',
  'TextDecoder',
  'TextEncoder',
  'TransformStream',
  'WeakMap',
  'WeakRef',
  'WeakSet',
  'WritableStream',
];
const GLOBAL_CALLS: Readonly<Record<string, Reason>> = {
  fetch: PROMISE,
  'Promise.all': PROMISE,
  'Promise.allSettled': PROMISE,
  'Promise.any': PROMISE,
  'Promise.race': PROMISE,
  'Promise.reject': PROMISE,
  'Promise.resolve': PROMISE,
  'AbortSignal.timeout': instance('AbortSignal'),
  setTimeout: TIMER,
  setInterval: TIMER,
  setImmediate: TIMER,
  Symbol: reason(
    'is a symbol that no other process has',
    'make it at the top level of a module, or with Symbol.for(name)',
  ),
};

/** Calls of Node's own modules that give something of this process; `promised`: what their promise comes to. */
const HANDLES: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  fs: { createReadStream: handle('a stream'), createWriteStream: handle('a stream'), watch: handle('a watcher') },
  net: { createServer: handle('a server'), createConnection: handle('a socket'), connect: handle('a socket') },
  tls: { createServer: handle('a server'), connect: handle('a socket') },
  http: { createServer: handle('a server'), request: handle('a request'), get: handle('a request') },
  https: { createServer: handle('a server'), request: handle('a request'), get: handle('a request') },
  dgram: { createSocket: handle('a socket') },
  child_process: {
    spawn: handle('a process'),
    fork: handle('a process'),
    exec: handle('a process'),
    execFile: handle('a process'),
  },
  readline: { createInterface: handle('a reader of lines') },
  crypto: {
    createHash: handle('a hash in progress'),
    createHmac: handle('a hash in progress'),
    createCipheriv: handle('a cipher in progress'),
    createDecipheriv: handle('a cipher in progress'),
    createSecretKey: handle('a key'),
  },
  zlib: { createGzip: handle('a stream'), createGunzip: handle('a stream'), createDeflate: handle('a stream') },
};
const PROMISED: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  'fs/promises': { open: handle('an open file'), opendir: handle('an open directory') },
};
const PROMISING: ReadonlySet<string> = new Set(['fs/promises', 'timers/promises', 'dns/promises', 'stream/promises']);
/** Classes of Node whose instances can be saved. */
const SAVED_CLASSES: ReadonlySet<string> = new Set(['URL', 'URLSearchParams', 'Buffer']);

/** What can be proven of values by the code that makes them. */
export class ValueCheck {
  /** Classes for which somebody has said how their instances are saved. */
  readonly #registered = new Set<Node>();

  constructor(program: Program) {
    for (const module of program.modules)
      walk(module.root, (n) => {
        if (n.type !== 'CallExpression') return;
        const target = module.target(n['callee'] as Node);
        if (target === null || 'variable' in target || target.from !== LIBRARY) return;
        const made = (n['arguments'] as Node[])[0];
        if (target.name !== 'registerSerializable' || made === undefined) return;
        const of = module.target(made),
          init = of !== null && 'variable' in of ? of.module.inits.get(of.variable) : undefined;
        if (init) this.#registered.add(init);
      });
  }

  /** Why what a variable holds can't be saved; null: nothing is proven. It must be given its value once. */
  variable(module: CheckedModule, variable: Variable, seen: ReadonlySet<Variable> = new Set()): Reason | null {
    const init = module.inits.get(variable);
    if (init === undefined || seen.has(variable) || variable.refs.some((ref) => ref.isWrite && !ref.isInit))
      return null;
    return this.value(module, init, new Set(seen).add(variable));
  }

  /** The same of an expression. */
  value(module: CheckedModule, n: Node, seen: ReadonlySet<Variable> = new Set()): Reason | null {
    if (isFunctionNode(n)) return this.#function(module, n, seen);
    if (n.type.startsWith('Class')) return nativeCode(n);
    switch (n.type) {
      case 'NewExpression':
        return this.#made(module, n);
      case 'CallExpression':
        return this.#called(module, n);
      case 'ImportExpression':
        return PROMISE;
      case 'AwaitExpression':
        return this.#awaited(module, n['argument'] as Node);
      case 'MemberExpression':
      case 'Identifier': {
        const target = module.target(n);
        if (target === null) return null;
        if ('variable' in target)
          return n.type === 'Identifier' ? this.variable(target.module, target.variable, seen) : null;
        return isBuiltInFunction(target) ? FOREIGN_FUNCTION : null;
      }
      default:
        return null;
    }
  }

  /** A closure that can't be saved, or that has captured what can't. */
  #function(module: CheckedModule, n: Node, seen: ReadonlySet<Variable>): Reason | null {
    const native = nativeCode(n),
      use = n.$use;
    if (native !== null) return native;
    if (use?.kind !== 'closure') return null;
    for (const captured of use.captures) {
      const found = this.variable(module, captured, seen);
      if (found !== null) return { ...found, path: `'s ${captured.name}${found.path}` };
    }
    return null;
  }

  #made(module: CheckedModule, n: Node): Reason | null {
    const target = module.target(n['callee'] as Node);
    if (target === null) return null;
    if ('variable' in target) return this.#instance(target.module, target.module.inits.get(target.variable));
    const { from, name } = target;
    if (from === null) return SPECIAL.get(name) ?? (GLOBAL_CLASSES.includes(name) ? instance(name) : null);
    return isBuiltInFunction(target) && !SAVED_CLASSES.has(name) ? instance(name) : null;
  }

  #instance(module: CheckedModule, made: Node | undefined): Reason | null {
    if (made === undefined || !made.type.startsWith('Class') || this.#registered.has(made)) return null;
    const name = (made['id'] as Node | null)?.['name'] as string | undefined,
      native = nativeCode(made);
    if (native !== null) return { ...native, why: `is an instance of ${name ?? 'a class'}, which ${native.why}` };
    if ((made['body'].body as Node[]).some((m) => m['key']?.type === 'PrivateIdentifier' && !m['static']))
      return reason(`is an instance of ${name ?? 'a class'}, which has private fields`, REGISTER);
    const above = made['superClass'] as Node | null,
      target = above ? module.target(above) : null;
    if (target === null) return null;
    if ('variable' in target) return this.#instance(target.module, target.module.inits.get(target.variable));
    const isForeign = target.from === null ? EXTENDED.includes(target.name) : isBuiltInFunction(target);
    return isForeign ? reason(`is an instance of ${name ?? 'a class'}, which extends ${target.name}`, REGISTER) : null;
  }

  #called(module: CheckedModule, n: Node): Reason | null {
    const target = module.target(n['callee'] as Node);
    if (target === null) return null;
    if (!('variable' in target)) {
      if (target.from === null) return Object.hasOwn(GLOBAL_CALLS, target.name) ? GLOBAL_CALLS[target.name]! : null;
      const [from, name] = builtIn(target);
      if (PROMISING.has(from)) return PROMISE;
      return Object.hasOwn(HANDLES, from) ? (HANDLES[from]![name] ?? null) : null;
    }
    const fn = this.functionOf(target);
    if (fn === null) return null;
    if (fn['generator'] === true)
      return reason('is a generator in progress, whose state nobody can read', 'collect its values in an array');
    return fn['async'] === true ? PROMISE : null;
  }

  #awaited(module: CheckedModule, n: Node): Reason | null {
    const target = n.type === 'CallExpression' ? module.target(n['callee'] as Node) : null;
    if (target === null || 'variable' in target) return null;
    const [from, name] = builtIn(target);
    return Object.hasOwn(PROMISED, from) ? (PROMISED[from]![name] ?? null) : null;
  }

  /** The function that a variable is, if it is never another. */
  functionOf({ module, variable }: Own): Node | null {
    const init = module.inits.get(variable);
    if (!init || !isFunctionNode(init) || variable.refs.some((ref) => ref.isWrite && !ref.isInit)) return null;
    return init;
  }
}

/** The compiler could not make it so that it can be saved. */
function nativeCode(n: Node): Reason | null {
  const use = n.$use;
  if (use?.kind !== 'native' || use.why === null) return null;
  const [why, wayOut = 'write it so that it does not, or declare it at the top level of a module'] =
    use.why.split(': ');
  return reason(why!, wayOut);
}

const REGISTER = 'say with registerSerializable(Class, to, from) how it is written and made again';
/** Classes of the language with contents that a class which extends them inherits. */
const EXTENDED: readonly string[] = [
  'Map',
  'Set',
  'Promise',
  'WeakMap',
  'WeakSet',
  'ArrayBuffer',
  'EventTarget',
  'RegExp',
  'Date',
];

/** `node:fs`, and `promises.open` of it, by the names in the tables. */
function builtIn({ from, name }: Foreign): [module: string, name: string] {
  const module = from?.replace(/^node:/, '') ?? '';
  return module === 'fs' && name.startsWith('promises.') ? ['fs/promises', name.slice(9)] : [module, name];
}

function isBuiltInFunction(target: Foreign): boolean {
  const [from, name] = builtIn(target);
  if (from === '' || name === '*' || name === 'default') return false;
  const module = process.getBuiltinModule(from) as Record<string, unknown> | undefined;
  return module !== undefined && Object.hasOwn(module, name) && typeof module[name] === 'function';
}
