import type * as fsModule from 'node:fs';
import { DeniedError } from './errors.ts';
import { apply, byteLengthOf, table } from './originals.ts';
import { ENTRY_BYTES, type TempBudget } from './temp-budget.ts';

type Fs = typeof fsModule;
type AnyFunction = (...parameters: never[]) => unknown;
type Members = Record<string, unknown>;

/** Functions whose first parameter is a path, or for some a descriptor; each has its `…Sync`. */
const BY_PATH =
  'access appendFile chmod copyFile exists lstat mkdir mkdtemp readdir readFile realpath rename rm rmdir stat statfs truncate unlink utimes writeFile';
/** Functions whose first parameter is a descriptor; each has its `…Sync`. */
const BY_DESCRIPTOR = 'fdatasync fstat fsync ftruncate futimes read readv write writev';
/** What is added to the account of the temporary directory; `written` and `moved` are the function's first parameters. */
const CHARGES: Record<string, (written: unknown, moved: unknown, fs: Fs) => number> = {
  __proto__: null as never,
  appendFile: (_path, data) => byteLengthOf(data) + ENTRY_BYTES,
  writeFile: (_path, data) => byteLengthOf(data) + ENTRY_BYTES,
  mkdir: () => ENTRY_BYTES,
  mkdtemp: () => ENTRY_BYTES,
  copyFile: (from, _to, fs) => ENTRY_BYTES + (fs.statSync(from as string, { throwIfNoEntry: false })?.size ?? 0),
  truncate: (_path, length) => Math.max(0, Number(length) || 0),
  ftruncate: (_fd, length) => Math.max(0, Number(length) || 0),
  write: (_fd, data) => byteLengthOf(data),
  writev: (_fd, views) => {
    let bytes = 0;
    if (Array.isArray(views)) for (let at = 0; at < views.length; at++) bytes += byteLengthOf(views[at]);
    return bytes;
  },
};

/**
 * `node:fs` for a guest. Which paths it may read and write is the permission model's matter; this closes what that
 * leaves open: descriptors by number, which belong to the whole process, unless this guest has opened them itself;
 * FileHandle, whose insides wrap any number; and everything that a servlet can do without.
 */
export function guestFs(fs: Fs, budget: TempBudget): Members & { promises: Members } {
  const opened = table<true>();
  const guest: Members = { constants: fs.constants, Stats: fs.Stats, Dirent: fs.Dirent };

  const checkDescriptor = (fd: unknown): void => {
    if (opened[fd as string] !== true || typeof fd !== 'number')
      throw new DeniedError('Cannot use a descriptor: this servlet has not opened it');
  };
  const wrap = (name: string, isSync: boolean, check: (target: unknown) => void): void => {
    const full = isSync ? `${name}Sync` : name;
    const real = (fs as unknown as Record<string, AnyFunction>)[full] as AnyFunction;
    const charge = CHARGES[name];
    guest[full] = function (...parameters: unknown[]): unknown {
      try {
        check(parameters[0]);
        if (charge !== undefined) budget.charge(charge(parameters[0], parameters[1], fs));
      } catch (error) {
        return refuse(error, isSync ? null : parameters[parameters.length - 1]);
      }
      return apply(real, fs, parameters);
    };
  };
  const words = (text: string): string[] => text.split(' ');
  for (const name of words(BY_PATH))
    for (const isSync of [false, true])
      wrap(name, isSync, (target) => {
        if (typeof target === 'number') checkDescriptor(target);
      });
  for (const name of words(BY_DESCRIPTOR)) for (const isSync of [false, true]) wrap(name, isSync, checkDescriptor);

  guest['openSync'] = (path: string, flags: string | number = 'r', mode?: number): number => {
    budget.charge(ENTRY_BYTES);
    const fd = fs.openSync(path, flags, mode);
    opened[fd] = true;
    return fd;
  };
  guest['open'] = (path: string, ...rest: unknown[]): void => {
    const done = rest[rest.length - 1] as (error: unknown, fd?: number) => void;
    try {
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
 * them. They must be loaded before the guest can replace what they are made of.
 */
export function hideFileStreams({ ReadStream, WriteStream }: Fs): void {
  for (const { prototype } of [ReadStream, WriteStream])
    Object.defineProperty(prototype, 'constructor', { value: hidden, configurable: false, writable: false });
}

function hidden(): never {
  throw new DeniedError('Cannot make a stream on a file: use createReadStream or createWriteStream');
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
