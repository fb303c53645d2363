import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LIMITS } from './limits.ts';
import { didYouMean } from './cli/nearest-name.ts';
import type { FilesOptions } from './dispatcher/files.ts';
import type { FetchOptions } from './fetch/fetch-rules.ts';
import type { Realm } from './dispatcher/realms.ts';
import type { ServletsRootOptions } from './dispatcher/servlets-root.ts';
import type { CacheOptions } from './http/cache-control.ts';
import { LOG_FORMATS } from './log/log-format.ts';
import type { ContinuationOptions, Profile, ServeOptions, ServletOptions, Unit } from './options.ts';
import { ConfigError } from './config-error.ts';

export const UNITS: readonly Unit[] = ['connection', 'instance', 'servlet'];
export const PROFILES: readonly Profile[] = ['trusted', 'guest', 'jail'];

/** What is wrong with the value that stands at `place`, a sentence for each mistake. */
type Check = (value: unknown, place: string) => string[];

const CONTINUATION_CHECKS = { transform: listOf(aString) } satisfies Record<keyof ContinuationOptions, Check>;
const FETCH_CHECKS = { origins: listOf(aString), addresses: listOf(aString) } satisfies Record<
  keyof FetchOptions,
  Check
>;
const LIMIT_CHECKS: Record<string, Check> = Object.fromEntries(Object.keys(LIMITS).map((name) => [name, aNumberFrom0]));

// `satisfies` makes the checker name the option that was added to serve() and not here.
const SERVLET_CHECKS = {
  file: aPath,
  mount: aText,
  regexp: aRegexp,
  unit: oneOf(UNITS),
  cell: aString,
  profile: oneOf(PROFILES),
  weakerProfile: oneOf(PROFILES),
  limits: record(LIMIT_CHECKS),
  spareThreads: aWholeNumber,
  stateless: aBoolean,
  checkpoint: aBoolean,
  isEager: aBoolean,
  canary: aPathOrFalse,
  continuations: record(CONTINUATION_CHECKS),
  fetch: record(FETCH_CHECKS, ['origins']),
} satisfies Record<keyof ServletOptions, Check>;

const FILES_CHECKS = {
  root: aPath,
  at: aString,
  indices: listOf(aString),
  dotFiles: anyOf(aBoolean, listOf(aString)),
  etag: oneOf([false, 'strong', 'weak']),
  cache: record({
    immutable: aBoolean,
    maxAge: aWholeNumber,
    mustRevalidate: aBoolean,
    mustUnderstand: aBoolean,
    noCache: aBoolean,
    noStore: aBoolean,
    noTransform: aBoolean,
    private: aBoolean,
    proxyRevalidate: aBoolean,
    public: aBoolean,
    sMaxage: aWholeNumber,
    staleIfError: aWholeNumber,
    staleWhileRevalidate: aWholeNumber,
  } satisfies Record<keyof CacheOptions, Check>),
  mimeTypesPath: aPath,
  headers: aFunction,
} satisfies Record<keyof FilesOptions, Check>;

const {
  file: _file,
  mount: _mount,
  regexp: _regexp,
  isEager: _isEager,
  canary: _canary,
  ...HELD_CHECKS
} = SERVLET_CHECKS;
const SERVLETS_ROOT_CHECKS = { root: aPath, ...HELD_CHECKS } satisfies Record<keyof ServletsRootOptions, Check>;

const REALM_CHECKS = {
  realm: aString,
  path: aRegexp,
  users: anObject,
} satisfies Record<keyof Realm, Check>;

const CONFIG_CHECKS = {
  servlets: aPathOr(listOf(aPathOr(record(SERVLET_CHECKS, ['file'])))),
  port: aPort,
  host: aString,
  ports: listOf(aPort),
  ipsAndPorts: listOf(aHostWithPorts),
  unit: oneOf(UNITS),
  profile: oneOf(PROFILES),
  weakerProfile: oneOf(PROFILES),
  limits: record(LIMIT_CHECKS),
  continuations: record(CONTINUATION_CHECKS),
  fetch: record(FETCH_CHECKS, ['origins']),
  fetchDispatcher: aDispatcher,
  warmCells: aWholeNumber,
  isDevelopment: aBoolean,
  log: oneOf([false, 'events', 'requests']),
  logDestination: aDescriptorOrPath,
  store: aString,
  keyFile: aString,
  stateDir: aString,
  admin: aBooleanOr(record({ port: aPort, host: aString, token: aString })),
  servletPath: aText,
  servletRegexp: aRegexp,
  ssl: aBoolean,
  sslCert: aPath,
  sslKey: aPath,
  connectionClose: aBoolean,
  dispatchers: listOf(aFunction),
  serverRootPath: aPath,
  extraFilesPaths: listOf(aPathOr(record(FILES_CHECKS, ['root']))),
  servletsRoot: aPathOr(record(SERVLETS_ROOT_CHECKS, ['root'])),
  passwords: aPathOr(listOf(record(REALM_CHECKS, Object.keys(REALM_CHECKS)))),
  refresh: aBoolean,
  quit: aBoolean,
  mimeTypesPath: aPath,
  fileNotFoundResponder: anyOf(aFunction, aPath),
  servletLoadingResponder: aFunction,
  servletResponder: aFunction,
  open: aBoolean,
  banner: aBoolean,
  commandLine: aBoolean,
  logFile: anyOf(aDescriptorOrPath, aLineSink),
  logFormat: anyOf(aFunction, oneOf(LOG_FORMATS)),
} satisfies Record<keyof ServeOptions, Check>;

/**
 * Reads options of serve() from a JSON file, or from the default export of a .ts, .mts, .js, .mjs or .cjs. Relative paths in it
 * count from the file's directory. @throws ConfigError, whose message has a line for each mistake
 */
export async function readConfig(file: string): Promise<Partial<ServeOptions>> {
  const path = resolve(file);
  const config = await load(path, file);
  const problems = checkConfig(config);
  if (problems.length > 0)
    throw new ConfigError(problems.map((problem) => `Cannot use config "${file}": ${problem}`).join('\n'));
  return resolvePaths(config as Partial<ServeOptions>, dirname(path));
}

/** A sentence for each thing in `config` that serve() does not know; none when it is a good one. */
export function checkConfig(config: unknown): string[] {
  return record(CONFIG_CHECKS)(config, '');
}

async function load(path: string, file: string): Promise<unknown> {
  try {
    switch (extname(path)) {
      case '.json':
        return JSON.parse(await readFile(path, 'utf8'));
      case '.ts':
      case '.mts':
      case '.js':
      case '.mjs':
      case '.cjs': {
        const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
        if (module.default === undefined) throw new Error('it has no default export');
        return module.default;
      }
    }
  } catch (cause) {
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message;
    throw new ConfigError(`Cannot read config "${file}": ${reason}`, { cause });
  }
  throw new ConfigError(`Cannot read config "${file}": it is no .json, .ts, .mts, .js, .mjs or .cjs`);
}

/** Options that name a file or a directory, if they are given as a text. */
const PATHS = [
  'stateDir',
  'logDestination',
  'logFile',
  'sslCert',
  'sslKey',
  'serverRootPath',
  'passwords',
  'mimeTypesPath',
  'fileNotFoundResponder',
  'keyFile',
] as const satisfies readonly (keyof ServeOptions)[];

function resolvePaths(config: Partial<ServeOptions>, folder: string): Partial<ServeOptions> {
  const place = (path: string | URL): string | URL =>
    typeof path === 'string' && !path.startsWith('file:') ? resolve(folder, path) : path;
  /** What names a path by itself, or in its member `key`. */
  const placeIn = <Held extends object>(entry: string | URL | Held, key: keyof Held): string | URL | Held =>
    typeof entry === 'string' || entry instanceof URL
      ? place(entry)
      : { ...entry, [key]: place(entry[key] as string | URL) };
  const resolved: Partial<ServeOptions> = { ...config };
  const { servlets, servletsRoot, extraFilesPaths, store } = config;
  if (typeof servlets === 'string' || servlets instanceof URL) resolved.servlets = place(servlets);
  else if (servlets !== undefined) resolved.servlets = servlets.map((each) => placeIn(each, 'file'));
  if (servletsRoot !== undefined) resolved.servletsRoot = placeIn(servletsRoot, 'root');
  if (extraFilesPaths !== undefined) {
    resolved.extraFilesPaths = extraFilesPaths.map((each) => {
      const placed = placeIn(each, 'root');
      if (typeof placed === 'string' || placed instanceof URL || placed.mimeTypesPath === undefined) return placed;
      return { ...placed, mimeTypesPath: place(placed.mimeTypesPath) };
    });
  }
  const [, kind, storePath = ''] = /^(sqlite|directory):(.+)$/s.exec(store ?? '') ?? [];
  if (kind !== undefined) resolved.store = `${kind}:${resolve(folder, storePath)}`;
  const paths = Object.fromEntries(
    PATHS.flatMap((name) => (typeof config[name] === 'string' ? [[name, place(config[name])]] : [])),
  );
  return { ...resolved, ...paths };
}

function record(checks: Record<string, Check>, required: readonly string[] = []): Check {
  return (value, place) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return [`${place === '' ? 'it' : place} is not an object`];
    }
    const prefix = place === '' ? '' : `${place}.`;
    const problems: string[] = [];
    for (const [key, member] of Object.entries(value)) {
      if (!Object.hasOwn(checks, key)) {
        problems.push(`unknown key "${prefix}${key}"${didYouMean(key, Object.keys(checks), prefix)}`);
      } else if (member !== undefined) {
        problems.push(...checks[key]!(member, prefix + key));
      }
    }
    for (const key of required) {
      if (!Object.hasOwn(value, key)) problems.push(`${prefix}${key} is missing`);
    }
    return problems;
  };
}

function listOf(check: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value)) return [`${place} is not a list`];
    return value.flatMap((member, index) => check(member, `${place}[${index}]`));
  };
}

function aPathOr(check: Check): Check {
  return (value, place) =>
    typeof value === 'string' || value instanceof URL ? aPath(value, place) : check(value, place);
}

function aBooleanOr(check: Check): Check {
  return (value, place) => (typeof value === 'boolean' ? [] : check(value, place));
}

function aDispatcher(value: unknown, place: string): string[] {
  if (typeof (value as { dispatch?: unknown } | null)?.dispatch === 'function') return [];
  return [`${place} is ${show(value)}, no Dispatcher of undici`];
}

function aPathOrFalse(value: unknown, place: string): string[] {
  if (value === false || (typeof value === 'string' && value.startsWith('/'))) return [];
  return [`${place} is ${show(value)}, neither false nor a path that begins with /`];
}

function oneOf(names: readonly (string | false)[]): Check {
  return (value, place) => {
    if (names.includes(value as string | false)) return [];
    const guess =
      typeof value === 'string'
        ? didYouMean(
            value,
            names.filter((name) => name !== false),
          )
        : '';
    return [`${place} is ${show(value)}, not one of ${names.map(show).join(', ')}${guess}`];
  };
}

/** One of them has to be content; what the last one says is said. */
function anyOf(...checks: readonly Check[]): Check {
  return (value, place) => {
    const problems = checks.map((check) => check(value, place));
    return problems.find((found) => found.length === 0) ?? problems.at(-1) ?? [];
  };
}

function aFunction(value: unknown, place: string): string[] {
  return typeof value === 'function' ? [] : [`${place} is ${show(value)}, not a function`];
}

function anObject(value: unknown, place: string): string[] {
  // What it holds is not shown: passwords.
  return typeof value === 'object' && value !== null ? [] : [`${place} is not an object`];
}

function aLineSink(value: unknown, place: string): string[] {
  const isSink = typeof (value as { write?: unknown } | null)?.write === 'function';
  return isSink ? [] : [`${place} is ${show(value)}, not a path, a descriptor or something with a write()`];
}

function aPath(value: unknown, place: string): string[] {
  return value instanceof URL && value.protocol === 'file:' ? [] : aString(value, place);
}

function aString(value: unknown, place: string): string[] {
  return typeof value === 'string' && value !== '' ? [] : [`${place} is ${show(value)}, not a text`];
}

/** Empty, it is the root. */
function aText(value: unknown, place: string): string[] {
  return typeof value === 'string' ? [] : [`${place} is ${show(value)}, not a text`];
}

function aRegexp(value: unknown, place: string): string[] {
  return value instanceof RegExp || typeof value === 'string' ? [] : [`${place} is ${show(value)}, not a regexp`];
}

function aBoolean(value: unknown, place: string): string[] {
  return typeof value === 'boolean' ? [] : [`${place} is ${show(value)}, not true or false`];
}

function aNumberFrom0(value: unknown, place: string): string[] {
  return typeof value === 'number' && value >= 0 ? [] : [`${place} is ${show(value)}, not a number from 0`];
}

function aWholeNumber(value: unknown, place: string): string[] {
  return Number.isInteger(value) && (value as number) >= 0
    ? []
    : [`${place} is ${show(value)}, not a whole number from 0`];
}

function aPort(value: unknown, place: string): string[] {
  const isPort = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
  return isPort ? [] : [`${place} is ${show(value)}, not a port from 0 to 65535`];
}

function aHostWithPorts(value: unknown, place: string): string[] {
  if (!Array.isArray(value) || value.length !== 2)
    return [`${place} is ${show(value)}, not a host with its list of ports`];
  return [...aString(value[0], `${place}[0]`), ...listOf(aPort)(value[1], `${place}[1]`)];
}

function aDescriptorOrPath(value: unknown, place: string): string[] {
  return typeof value === 'number' ? aWholeNumber(value, place) : aString(value, place);
}

function show(value: unknown): string {
  const text = typeof value === 'bigint' || typeof value === 'function' ? typeof value : asJson(value);
  return text === undefined ? String(value) : text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return typeof value;
  }
}
