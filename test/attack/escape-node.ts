/** Ways to what Node's own JavaScript, and its native objects, find by prototypes that a guest can reach as well. */
import { denied, returns, type Row } from './attack.ts';

const ABSENT = 'TypeError|ReferenceError';
/** Gives `seen`, what matters of whatever is awaited: a promise whose class has gone is asked for its `then`. */
const AWAITED = `const seen = []; const { then } = Promise.prototype;
  Object.defineProperty(Promise.prototype, 'constructor', { get() { return undefined; }, configurable: true });
  Promise.prototype.then = function (done, failed) { return Reflect.apply(then, this, [(value) => { if (value?.module !== undefined) seen.push(value.module); return done?.(value); }, failed]); };
  await import('data:text/javascript,export default 1'); Promise.prototype.then = then;
  if (seen.length === 0) throw new ReferenceError('nothing came by');`;

export const ESCAPE_NODE: readonly Row[] = [
  denied(
    'the loader of modules, to which Node binds functions',
    `const { bind } = Function.prototype; let loader;
     Function.prototype.bind = function (self, ...given) { if (self?.loadCache !== undefined) loader = self; return Reflect.apply(bind, this, [self, ...given]); };
     await import('data:text/javascript,export default 1'); return loader.loadCache.size;`,
    ABSENT,
  ),
  denied(
    "the insides of the runtime's modules, over which Node iterates",
    `const steps = Object.getPrototypeOf(new Set().values()); const { next } = steps; const jobs = [];
     steps.next = function () { const step = Reflect.apply(next, this, []); if (step.value?.module !== undefined) jobs.push(step.value); return step; };
     await import('@custodian/worker'); steps.next = next; return Object.keys(jobs.find(({ url }) => url === 'node:module').module.getNamespace()).join();`,
    ABSENT,
  ),
  ...['handle', 'error', 'oncomplete'].map((name) =>
    denied(
      `the handle of its channel, by ${name} on the prototype of all native objects`,
      `const { createGzip } = await import('node:zlib'); const native = Object.getPrototypeOf(Object.getPrototypeOf(createGzip()._handle)); const found = [];
       if (!Object.hasOwn(native, 'getAsyncId')) return 'another prototype is the last one now';
       Object.defineProperty(native, '${name}', { get() { found.push(this); }, set(value) { found.push(this, value); Object.defineProperty(this, '${name}', { value, writable: true }); }, configurable: true });
       console.log('x'); await new Promise((resolve) => setTimeout(resolve, 30)); return found[0].handle.fd;`,
      ABSENT,
    ),
  ),
  denied(
    'code that V8 is to believe it has compiled, by the class of modules in a promise',
    `${AWAITED} const { constructor } = seen[0]; if (constructor === Object) throw new TypeError('it is hidden');
     return new constructor('file:///x', undefined, 'x', 0, 0, Buffer.alloc(100)).getStatus();`,
    ABSENT,
  ),
  denied(
    "the runtime's own modules, by what modules are linked with",
    `${AWAITED} const modules = Object.getPrototypeOf(seen[0]); const { link } = modules; const linked = [];
     modules.link = function (...given) { linked.push(...given.flat()); return Reflect.apply(link, this, given); };
     await import('node:tty'); return linked.length;`,
    ABSENT,
  ),
  denied(
    'the port of its collector, by what dispatches its messages',
    `const { port1, port2 } = new MessageChannel(); const ports = []; const key = Symbol.for('nodejs.internal.kHybridDispatch');
     for (let from = Object.getPrototypeOf(port1); from !== Object.prototype; from = Object.getPrototypeOf(from)) {
       const real = from[key]; try { Object.defineProperty(from, key, { value: function (...given) { if (this !== port1 && this !== port2) ports.push(this); return Reflect.apply(real, this, given); } }); } catch {}
     }
     for (let held, turn = 0; turn < 40 && ports.length === 0; turn++) { held = Buffer.alloc(4 << 20, 1); await new Promise((resolve) => setTimeout(resolve, 5)); }
     return ports[0].constructor.name;`,
    ABSENT,
  ),
  denied(
    'the port to its supervisor, by which Node posts an error that ends the thread',
    `const ports = []; const { postMessage } = MessagePort.prototype;
     MessagePort.prototype.postMessage = function (...given) { ports.push(this); return Reflect.apply(postMessage, this, given); }; return 'it waits';`,
    ABSENT,
  ),
  denied(
    "Node's own diagnostics, by its channels",
    `const { Channel } = await import('node:diagnostics_channel'); const real = Object.getOwnPropertyDescriptor(Channel.prototype, 'hasSubscribers').get; const channels = [];
     Object.defineProperty(Channel.prototype, 'hasSubscribers', { get() { channels.push(this); return Reflect.apply(real, this, []); } });
     await import('data:text/javascript,export default 2'); return channels[0].name;`,
    ABSENT,
  ),
  denied(
    "Node's class of modules, by what its diagnostics call when a module is loaded",
    `const { tracingChannel, channel } = await import('node:diagnostics_channel'); const { createRequire } = await import('node:module');
     const tracing = Object.getPrototypeOf(tracingChannel('x')); const own = channel('y'); own.subscribe(() => {}); const found = [];
     tracing.traceSync = function (load, context, self, ...given) { found.push(self); return Reflect.apply(load, self, given); };
     Object.defineProperty(tracing, 'hasSubscribers', { get: () => true, configurable: true });
     Object.getPrototypeOf(own).publish = function () { found.push(this); };
     createRequire(import.meta.url)('node:util'); return found.length;`,
    ABSENT,
  ),
  returns(
    'a function that has a bind of its own, for comparison',
    `'use strict'; const own = () => {}; own.bind = own.apply = () => 'own'; return own.bind() + own.apply() + (() => 'bound').bind(null)();`,
    /^ownownbound$/,
    { isProbe: true },
  ),
  denied(
    'the class of modules, by what Node gives to a function that requires',
    `const { createRequire } = await import('node:module'); let modules;
     Object.defineProperty(Function.prototype, 'cache', { set(value) { modules ??= value; }, configurable: true });
     createRequire(import.meta.url); const Module = Object.values(modules)[0].constructor;
     Module.registerHooks({ resolve: (name, context, next) => name === 'custodian' ? { url: 'node:net', shortCircuit: true } : next(name, context) });
     return Object.keys(await import('custodian')).join();`,
    ABSENT,
  ),
  denied(
    'the port to its supervisor, by the process, to which Node applies listeners',
    `const { EventEmitter } = await import('node:events'); const { apply } = Function.prototype; let real;
     Function.prototype.apply = function (self, given) { if (self?.moduleLoadList !== undefined) real = self; return Reflect.apply(apply, this, [self, given]); };
     process.on('warning', () => {}); const emitter = new EventEmitter(); for (let count = 0; count < 12; count++) emitter.on('x', () => {});
     await new Promise((resolve) => setTimeout(resolve, 20)); const { stdin } = real;
     return Reflect.ownKeys(stdin).map((key) => stdin[key]).find((value) => value instanceof MessagePort).constructor.name;`,
    ABSENT,
  ),
  denied(
    'a descriptor of its process, by the line of an error',
    `const { exec } = RegExp.prototype; const { replace } = String.prototype; const read = []; let fd;
     Number.prototype.startsWith = (start) => start !== 'file://'; Number.prototype.includes = () => false;
     RegExp.prototype.exec = function (text) { const match = Reflect.apply(exec, this, [text]); if (match?.length === 4) match[1] = fd; return match; };
     String.prototype.replace = function (...given) { if (typeof fd === 'number' && given[0]?.source === '^\\\\ufeff') read.push(String(this)); return Reflect.apply(replace, this, given); };
     process.on('uncaughtException', () => {});
     for (fd = 3; fd < 64; fd++) { setTimeout(() => { throw new Error('x'); }); await new Promise((resolve) => setTimeout(resolve, 2)); }
     RegExp.prototype.exec = exec; String.prototype.replace = replace; if (read.length === 0) throw new TypeError('nothing was read'); return read.join();`,
    ABSENT,
  ),
  denied(
    'the port of its collector, by what stands behind all that ports inherit',
    `const ports = []; const behind = new Proxy(Object.prototype, { get(target, key, self) { if (self instanceof MessagePort) ports.push(self); return Reflect.get(target, key, self); } });
     Object.setPrototypeOf(EventTarget.prototype, behind); await import(import.meta.url + '?late'); return ports[0].constructor.name;`,
    ABSENT,
    // Its modules are compiled in its thread, which looks for messages of the supervisor meanwhile.
    { prelude: `import { sendSuspend } from '@custodian/worker'; export const flow = () => sendSuspend(() => 'x');` },
  ),
  denied(
    'the memory in which its supervisor reads what it runs, by a class replaced while it is loaded',
    `return memory.byteLength;`,
    ABSENT,
    {
      prelude: `let memory; const Real = Int32Array;
      globalThis.Int32Array = function (given, ...more) { if (given instanceof SharedArrayBuffer) memory ??= given; return new Real(given, ...more); };`,
    },
  ),
];
