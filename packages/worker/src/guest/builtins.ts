import type * as fsModule from 'node:fs';
import { DeniedError } from './errors.ts';
import { guestFs } from './files.ts';
import { table } from './originals.ts';
import type { TempBudget } from './temp-budget.ts';

/** Built-ins that reach nothing beyond their thread: a guest gets them as they are. */
const PURE =
  'assert assert/strict buffer constants crypto events path path/posix path/win32 perf_hooks punycode querystring readline stream ' +
  'stream/consumers stream/promises stream/web string_decoder sys timers timers/promises url util util/types zlib';

type Members = Record<string, unknown>;
type Make = (real: (name: string) => Members, home: GuestHome) => Members;

/** Where a guest is at home. */
export interface GuestHome {
  /** Its own temporary directory. */
  tempDir: string;
  budget: TempBudget;
  process: Members;
  createRequire: (from: string | URL) => unknown;
}

/** Built-ins of which a guest gets a part. `null`: the part is another's. */
const PARTLY: Record<string, Make> = {
  __proto__: null as never,
  /** Hooks and `executionAsyncResource` hand out the handles of the thread's channel. */
  async_hooks: (real) => pick(real('async_hooks'), 'AsyncLocalStorage AsyncResource executionAsyncId triggerAsyncId'),
  console: () => ({ ...(console as unknown as Members), Console: console.Console }),
  /** Names of its own: Node's channels carry its insides. */
  diagnostics_channel: (real) => guestChannels(real('diagnostics_channel')),
  fs: (real, { budget, tempDir }) => guestFs(real('fs') as unknown as typeof fsModule, budget, tempDir),
  module: (_real, { createRequire }) => ({ builtinModules: names(), createRequire, isBuiltin }),
  os: (real, { tempDir }) => ({
    ...pick(
      real('os'),
      'EOL arch availableParallelism constants devNull endianness freemem loadavg machine platform release',
    ),
    ...pick(real('os'), 'totalmem type uptime version cpus'),
    homedir: () => tempDir,
    hostname: () => 'servlet',
    tmpdir: () => tempDir,
  }),
  process: (_real, home) => home.process,
  tty: () => ({ isatty: () => false }),
  v8: (real) =>
    pick(
      real('v8'),
      'Deserializer DefaultDeserializer DefaultSerializer Serializer deserialize getHeapSpaceStatistics getHeapStatistics serialize',
    ),
};
const PARTS: Record<string, [of: string, member: string]> = {
  __proto__: null as never,
  'fs/promises': ['fs', 'promises'],
};

const isPure = table<true>();
for (const name of PURE.split(' ')) isPure[name] = true;

/** Built-in modules as a guest sees them. */
export class GuestBuiltins {
  readonly #real: (name: string) => Members;
  readonly #home: GuestHome;
  readonly #made = table<Members>();

  /** `real`: what `process.getBuiltinModule` was before it was closed. */
  constructor(real: (name: string) => unknown, home: GuestHome) {
    this.#real = real as (name: string) => Members;
    this.#home = home;
  }

  isPure(name: string): boolean {
    return isPure[name] === true;
  }

  isPartly(name: string): boolean {
    return PARTLY[name] !== undefined || PARTS[name] !== undefined;
  }

  /** A built-in by its name without `node:`. @throws DeniedError */
  get(name: string): Members {
    if (this.isPure(name)) return this.#real(name);
    const part = PARTS[name];
    if (part !== undefined) return this.get(part[0])[part[1]] as Members;
    const make = PARTLY[name];
    if (make === undefined) throw deniedModule(name);
    return (this.#made[name] ??= make(this.#real, this.#home));
  }
}

export function deniedModule(name: string): DeniedError {
  return new DeniedError(`Cannot import "node:${name}": a guest may not`);
}

function names(): string[] {
  return [...PURE.split(' '), ...Object.keys(PARTLY), ...Object.keys(PARTS)].sort();
}

function isBuiltin(name: string): boolean {
  return names().includes(name.replace(/^node:/, ''));
}

function pick(from: Members, members: string): Members {
  const picked: Members = {};
  for (const name of members.split(' ')) if (from[name] !== undefined) picked[name] = from[name];
  return picked;
}

/** Channels of guests have names that no channel of Node has. */
function guestChannels(real: Members): Members {
  const own = (name: unknown): string => `servlet:${String(name)}`;
  const { channel, hasSubscribers, subscribe, unsubscribe, tracingChannel, Channel } = real as Record<
    string,
    (name: unknown, ...rest: unknown[]) => unknown
  >;
  return {
    Channel,
    channel: (name: unknown) => channel?.(own(name)),
    hasSubscribers: (name: unknown) => hasSubscribers?.(own(name)),
    subscribe: (name: unknown, handler: unknown) => subscribe?.(own(name), handler),
    unsubscribe: (name: unknown, handler: unknown) => unsubscribe?.(own(name), handler),
    tracingChannel: (name: unknown) => tracingChannel?.(typeof name === 'string' ? own(name) : name),
  };
}
