import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import * as fs from 'node:fs';
import { createRequire, isBuiltin, stripTypeScriptTypes } from 'node:module';
import type { Socket } from 'node:net';
import { dirname, extname } from 'node:path';
import { PassThrough } from 'node:stream';
import * as vm from 'node:vm';
import type { GuestOrder } from '@custodian/protocol';
import { LIBRARY_PART } from '../servlet/load.ts';
import { GuestBuiltins } from './builtins.ts';
import { CommonJs } from './commonjs.ts';
import { known } from './errors.ts';
import { closeFileClasses } from './files.ts';
import { restrictGlobals } from './globals.ts';
import { checkModule, installModulePolicy } from './module-policy.ts';
import { sliceFrom, startsWith } from './originals.ts';
import { closeNodeClasses } from './node-classes.ts';
import { pin } from './pin.ts';
import { guestProcess } from './process.ts';
import { TempBudget } from './temp-budget.ts';

const SOURCE = new URL('..', import.meta.url).href;
const EXTENSION = extname(import.meta.url);
const LIBRARY = { name: '@custodian/worker', url: new URL(`index${EXTENSION}`, SOURCE).href };
/** What the thread has loaded before it has a guest, and gives to none: sockets, hooks for modules, and these walls. */
const CLOSED = ['boot.', 'guest/', 'servlet/compile-hook.', 'thread.', 'warm-up.'];
/** With so many ticks that wait, Node's queue takes a further block. */
const TICKS_PER_BLOCK = 2048;
const LISTS = 2;
/** Compiled modules import it. */
const EMITTED = new URL(`continuation/emitted${EXTENSION}`, SOURCE).href;

/**
 * Draws the walls within a guest's thread, before its servlet is loaded and after everything else is. Node's permission
 * model, which stands around them, leaves the network (on Node 24), signals, descriptors and SQLite open; and a servlet
 * shares its realm with the runtime. What each of these stops, and what not: SECURITY.md.
 * @param fetch the guest's; null: it has none
 */
export function enclose(order: GuestOrder, channel: Socket, fetch: typeof globalThis.fetch | null): void {
  const real = process.getBuiltinModule.bind(process) as (name: string) => unknown;
  const withoutPrefix = (name: string): string => (startsWith(name, 'node:') ? sliceFrom(name, 5) : name);
  const commonJs: CommonJs = new CommonJs({
    createRequire,
    vm,
    isBuiltin,
    readFile: (path) => fs.readFileSync(path, 'utf8'),
    stripTypes: (source) => stripTypeScriptTypes(source),
    builtin: (name) => builtins.get(withoutPrefix(name)),
    check: checkModule,
    library: LIBRARY,
  });
  const guest = guestProcess((name) => (isBuiltin(name) ? builtins.get(withoutPrefix(name)) : undefined));
  const builtins: GuestBuiltins = new GuestBuiltins(real, {
    tempDir: order.tempDir,
    budget: new TempBudget(dirname(order.tempDir), order.tempMaxBytes),
    process: guest as Record<string, unknown>,
    createRequire: (from) => commonJs.requireFrom(from),
  });
  pinChannel(channel);
  pinLists();
  closeNodeClasses(channel);
  forbidAdditions();
  fixAddresses();
  closeFileClasses(fs);
  installModulePolicy({
    builtins,
    commonJs,
    runtimes: [SOURCE, new URL('.', import.meta.resolve('@custodian/protocol')).href],
    published: [LIBRARY.url, LIBRARY_PART, EMITTED],
    closed: CLOSED,
  });
  restrictGlobals(guest, fetch);
}

function pinChannel(channel: Socket): void {
  const { _readableState, _writableState } = channel as unknown as Record<string, object>;
  for (const object of [channel, _readableState, _writableState]) if (object !== undefined) pin(object);
}

/**
 * Node calls `pop` and `push` of two lists by their prototype, where a guest's would be given what is in them: what runs at the
 * moment, the channel's own ticks among it; and used blocks of the queue of ticks, to which all later ones are added.
 */
function pinLists(): void {
  const { prototype } = Array;
  const { pop } = prototype;
  const lists = new Set<object>();
  prototype.pop = function (this: unknown[]): unknown {
    lists.add(this);
    return Reflect.apply(pop, this, []);
  };
  try {
    new AsyncResource('Enclosure').runInAsyncScope(nothing);
    for (let count = 0; count < TICKS_PER_BLOCK; count++) process.nextTick(nothing);
  } finally {
    prototype.pop = pop;
  }
  known(lists.size < LISTS ? null : lists, 'the lists of what runs');
  for (const list of lists) pin(list);
}

function nothing(): void {}

/**
 * A property that a guest adds to these would be found in objects of Node's insides: a setter `handle` on
 * Object.prototype is called with the handle of every stream that writes, one `0` on Array.prototype with whatever is
 * queued, one `cache` on Function.prototype with all CommonJS modules. What is there already stays as it may be changed anywhere.
 */
function forbidAdditions(): void {
  const prototypes: object[] = [Object.prototype, Array.prototype, Function.prototype, EventEmitter.prototype];
  for (
    let from: object = PassThrough.prototype;
    from !== Object.prototype;
    from = Object.getPrototypeOf(from) as object
  )
    prototypes.push(from);
  for (const prototype of prototypes) Object.preventExtensions(prototype);
}

/** Node's loader reads addresses by its accessors: who replaced one could show the module policy another address than is loaded. */
function fixAddresses(): void {
  Object.freeze(URL.prototype);
}
