import { Channel, channel as diagnosticsOf, tracingChannel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { MessagePort } from 'node:worker_threads';
import { known } from './errors.ts';

interface ModuleLoader {
  loadCache?: Map<string, Record<PropertyKey, { module?: object } | undefined>>;
}

/**
 * Node's own JavaScript, and its native objects, find much by prototypes that a guest can reach, too: what stands there would be
 * handed the loader of modules, the port to the supervisor, or the handle of the thread's channel. Call it with the hooks for modules in place.
 * @throws UnknownNodeError
 */
export function closeNodeClasses(channel: Socket): void {
  closeModules();
  freezeSteps();
  fixCalls();
  closePorts();
  freezeHandles(channel);
  freezeDiagnostics();
}

/** Node asks its channels whether anybody listens, and has them call what it does: a module's loading, with its class. */
function freezeDiagnostics(): void {
  const channel = diagnosticsOf('custodian:guest');
  channel.subscribe(nothing);
  const active = Object.getPrototypeOf(channel) as object;
  channel.unsubscribe(nothing);
  const tracing = Object.getPrototypeOf(tracingChannel('custodian:guest')) as object;
  known(active === Channel.prototype || tracing === Object.prototype ? null : active, 'channels of diagnostics');
  for (const prototype of [Channel.prototype, active, tracing]) Object.freeze(prototype);
}

function nothing(): void {}

/**
 * A module's insides come by in a promise of Node's. Their class makes modules of code that V8 has compiled, whatever that is; and its
 * `link` is given those that a module imports.
 */
function closeModules(): void {
  const bind = boundBy();
  let loader: ModuleLoader | null = null;
  Function.prototype.bind = function (this: unknown, self: unknown, ...given: unknown[]): unknown {
    if ((self as ModuleLoader | null)?.loadCache !== undefined) loader = self as ModuleLoader;
    return Reflect.apply(bind, this, [self, ...given]);
  };
  try {
    import.meta.resolve('node:url');
  } finally {
    Function.prototype.bind = bind as typeof Function.prototype.bind;
  }
  const module = known(firstModule(loader), 'the class of modules');
  for (const prototype of prototypesOf(module)) {
    Reflect.deleteProperty(prototype, 'constructor');
    Object.freeze(prototype);
  }
}

function firstModule(loader: ModuleLoader | null): object | undefined {
  for (const jobs of loader?.loadCache?.values() ?? [])
    for (const key of Reflect.ownKeys(jobs)) {
      const module = jobs[key]?.module;
      if (module !== undefined) return module;
    }
  return undefined;
}

/** Node iterates over what it is to load. Frozen, V8 takes them as quickly as before; with a property defined, it does not. */
function freezeSteps(): void {
  for (const steps of [[].values(), new Map().values(), new Set().values()])
    Object.freeze(Object.getPrototypeOf(steps));
}

/**
 * Node binds functions to its loader of modules, and applies listeners to who emits, the process among them. A function may have
 * methods of its own by these names, as underscore has.
 */
function fixCalls(): void {
  const { prototype } = Function;
  for (const name of ['apply', 'bind', 'call']) {
    const method: unknown = Reflect.get(prototype, name);
    Object.defineProperty(prototype, name, {
      get: () => method,
      set(this: object, value: unknown) {
        if (this === prototype) throw new TypeError(`Cannot replace Function.prototype.${name}: a guest may not`);
        Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
      },
      configurable: false,
    });
  }
}

function boundBy(): (...given: unknown[]) => unknown {
  return Reflect.get(Function.prototype, 'bind') as (...given: unknown[]) => unknown;
}

/**
 * Ports get their messages, and Node posts an error that ends the thread, by methods of this prototype, and of those before it. What
 * all of them miss would be looked for in whatever a guest has put behind them.
 */
function closePorts(): void {
  const { prototype } = MessagePort;
  for (const from of prototypesOf(prototype)) {
    Object.preventExtensions(from);
    for (const key of Reflect.ownKeys(from))
      if (!Object.hasOwn(prototype, key))
        Object.defineProperty(prototype, key, Object.getOwnPropertyDescriptor(from, key) as PropertyDescriptor);
  }
  Object.freeze(prototype);
}

/** All native objects share the last of these: a setter `handle` there would be given the channel's when something is written. */
function freezeHandles(channel: Socket): void {
  const { _handle: handle } = channel as unknown as { _handle?: object | null };
  const prototypes = prototypesOf(known(handle, 'the handle of its channel'));
  const last = prototypes.at(-1);
  known(last !== undefined && 'getAsyncId' in last ? last : null, 'the prototype of native objects');
  for (const prototype of prototypes) Object.freeze(prototype);
}

/** Without that of all objects. */
function prototypesOf(object: object): object[] {
  const prototypes: object[] = [];
  for (
    let from = Object.getPrototypeOf(object) as object | null;
    from !== null && from !== Object.prototype;
    from = Object.getPrototypeOf(from) as object | null
  )
    prototypes.push(from);
  return prototypes;
}
