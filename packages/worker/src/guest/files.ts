import type * as fsModule from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHARGES } from './charges.ts';
import { DeniedError } from './errors.ts';
import { leadsOut } from './links.ts';
import { apply, isView, keysOf, startsWith, table } from './originals.ts';
import { ENTRY_BYTES, type TempBudget } from './temp-budget.ts';

type Fs = typeof fsModule;
type AnyFunction = (...parameters: never[]) => unknown;
type Members = Record<string, unknown>;

/** Functions whose first parameter is a path, or for some a descriptor; each has its `…Sync`. */
const BY_PATH =
  'access appendFile chmod copyFile exists lstat mkdir mkdtemp readdir readFile realpath rename rm rmdir stat statfs truncate unlink utimes writeFile';
/** Functions whose first parameter is a descriptor; each has its `…Sync`. */
const BY_DESCRIPTOR = 'fdatasync fstat fsync ftruncate futimes read readv write writev';
/**
 * `node:fs` for a guest. Which paths it may read and write is the permission model's matter; this closes what that
 * leaves open: descriptors by number, which belong to the whole process, unless this guest has opened them itself;
 * FileHandle, whose insides wrap any number; and everything that a servlet can do without.
 */
export function guestFs(fs: Fs, budget: TempBudget, tempDir: string): Members & { promises: Members } {
  const opened = table<true>();
  const guest: Members = { constants: fs.constants, Stats: fs.Stats, Dirent: fs.Dirent };

  const checkDescriptor = (fd: unknown): void => {
    if (opened[fd as string] !== true || typeof fd !== 'number')
      throw new DeniedError('Cannot use a descriptor: this servlet has not opened it');
  };
  budget.unnamedBytes = () => {
    let bytes = 0;
    const descriptors = keysOf(opened);
    for (let at = 0; at < descriptors.length; at++) bytes += unnamedBytesOf(fs, +(descriptors[at] as string));
    return bytes;
  };
  const checkPath = (target: unknown): unknown => {
    if (typeof target === 'number') {
      checkDescriptor(target);
      return target;
    }
    const path = plainPath(target);
    // A guest makes no links: in its own directory there are none, and what lies deep has no real path that could be told.
    if (typeof path === 'string' && startsWith(resolve(path), tempDir)) return path;
    if (leadsOut(path as string))
      throw new DeniedError(`Cannot use "${String(path)}": it leads to what this servlet may not read`);
    return path;
  };
  const wrap = (name: string, isSync: boolean, check: (target: unknown) => unknown): void => {
    const full = isSync ? `${name}Sync` : name;
    const real = (fs as unknown as Record<string, AnyFunction>)[full] as AnyFunction;
    const charge = CHARGES[name];
    guest[full] = function (...parameters: unknown[]): unknown {
      const last = parameters.length - 1;
      let written = (): void => {};
      try {
        parameters[0] = check(parameters[0]);
        if (charge !== undefined) {
          const bytes = charge(parameters, budget.directory);
          if (isSync) budget.charge(bytes);
          else written = budget.chargePending(bytes);
        }
      } catch (error) {
        return refuse(error, isSync ? null : parameters[last]);
      }
      if (isSync || charge === undefined) return apply(real, fs, parameters);
      const done = parameters[last];
      if (typeof done === 'function')
        parameters[last] = function (this: unknown, ...results: unknown[]): void {
          written();
          apply(done as AnyFunction, this, results as never);
        };
      try {
        return apply(real, fs, parameters);
      } catch (error) {
        written();
        throw error;
      }
    };
  };
  const words = (text: string): string[] => text.split(' ');
  for (const name of words(BY_PATH)) for (const isSync of [false, true]) wrap(name, isSync, checkPath);
  for (const name of words(BY_DESCRIPTOR))
    for (const isSync of [false, true])
      wrap(name, isSync, (fd) => {
        checkDescriptor(fd);
        return fd;
      });
  // Between the look at how long it is and the copy a file could become longer.
  const copyFileSync = guest['copyFileSync'] as AnyFunction;
  guest['copyFile'] = (...parameters: unknown[]): void => {
    const done = parameters[parameters.length - 1];
    if (typeof done !== 'function') throw new TypeError('Cannot copy a file: there is no callback');
    parameters.length -= 1;
    let failure: unknown = null;
    try {
      apply(copyFileSync, guest, parameters as never);
    } catch (error) {
      failure = error;
    }
    setImmediate(done as (error: unknown) => void, failure);
  };

  guest['openSync'] = (target: string, flags: string | number = 'r', mode?: number): number => {
    const path = checkPath(target) as string;
    budget.charge(ENTRY_BYTES);
    const fd = fs.openSync(path, flags, mode);
    opened[fd] = true;
    return fd;
  };
  guest['open'] = (target: string, ...rest: unknown[]): void => {
    const done = rest[rest.length - 1] as (error: unknown, fd?: number) => void;
    let path: string;
    try {
      path = checkPath(target) as string;
      budget.charge(ENTRY_BYTES);
    } catch (error) {
      return refuse(error, done);
    }
    const onOpen = (error: unknown, fd?: number): void => {
      if (fd !== undefined) opened[fd] = true;
      done(error, fd);
    };
    fs.open(path, rest.length > 1 ? (rest[0] as string) : 'r', rest.length > 2 ? (rest[1] as number) : 0o666, onOpen);
  };
  // The number is another's as soon as it is free.
  guest['closeSync'] = (fd: number): void => {
    checkDescriptor(fd);
    delete opened[fd];
    fs.closeSync(fd);
  };
  guest['close'] = (fd: number, done?: () => void): void => {
    checkDescriptor(fd);
    delete opened[fd];
    fs.close(fd, done);
  };

  // A stream with functions of its own for files uses no FileHandle, and these count what is written.
  const functions = { open: guest['open'], read: guest['read'], close: guest['close'], fsync: guest['fsync'] };
  const streamOptions = (options: unknown): Members => {
    const given = (typeof options === 'string' ? { encoding: options } : (options ?? {})) as Members;
    const { encoding, flags, mode, start, end, highWaterMark, autoClose, emitClose, signal, flush } = given;
    const taken: Members = { __proto__: null, encoding, flags, mode, start, end, highWaterMark, autoClose, emitClose };
    for (const name of Object.keys(taken)) if (taken[name] === undefined) delete taken[name];
    if (signal !== undefined) taken['signal'] = signal;
    if (flush !== undefined) taken['flush'] = flush;
    return taken;
  };
  guest['createReadStream'] = (path: string, options?: unknown): unknown =>
    fs.createReadStream(path, { ...streamOptions(options), fs: functions } as never);
  guest['createWriteStream'] = (path: string, options?: unknown): unknown => {
    const writing = { ...functions, write: guest['write'], writev: guest['writev'] };
    return fs.createWriteStream(path, { ...streamOptions(options), fs: writing } as never);
  };

  guest['promises'] = guestPromises(guest);
  return guest as Members & { promises: Members };
}

/**
 * The classes of Node's streams on files take any descriptor, and write past the account: a guest's stream does not lead to
 * them. They must be loaded before the guest can replace what they are made of. What a file takes is told by Stats, where a guest
 * could put accessors in front.
 */
export function closeFileClasses({ ReadStream, WriteStream, Stats }: Fs): void {
  for (const { prototype } of [ReadStream, WriteStream])
    Object.defineProperty(prototype, 'constructor', { value: hidden, configurable: false, writable: false });
  for (let from = Stats.prototype as object; from !== Object.prototype; from = Object.getPrototypeOf(from) as object)
    Object.freeze(from);
}

function hidden(): never {
  throw new DeniedError('Cannot make a stream on a file: use createReadStream or createWriteStream');
}

/** An address, read once; other paths as they are. */
function plainPath(path: unknown): unknown {
  return typeof path !== 'object' || path === null || isView(path) ? path : fileURLToPath(path as URL);
}

/** 0 for a file that has a name, where it is counted. */
function unnamedBytesOf(fs: Fs, fd: number): number {
  try {
    const { nlink, size } = fs.fstatSync(fd);
    return nlink === 0 ? size : 0;
  } catch {
    return 0;
  }
}

/** As Node does it: who gave a callback gets the error there. */
function refuse(error: unknown, done: unknown): void {
  if (typeof done !== 'function') throw error;
  setImmediate(done as (error: unknown) => void, error);
}

/**
 * `node:fs/promises`, made of the functions with callbacks: Node's own pass FileHandles through promises, where a guest
 * can get hold of them.
 */
function guestPromises(guest: Members): Members {
  const promises: Members = { constants: guest['constants'] };
  for (const name of BY_PATH.split(' ')) {
    if (name === 'exists') continue;
    const withCallback = guest[name] as AnyFunction;
    promises[name] = (...parameters: unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        parameters[parameters.length] = (error: unknown, value: unknown): void =>
          error === null || error === undefined ? resolve(value) : reject(error);
        apply(withCallback, guest, parameters);
      });
  }
  return promises;
}
