import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LIMITS } from './limits.ts';
import { didYouMean } from './cli/nearest-name.ts';
import type { ContinuationOptions, Profile, ServeOptions, ServletOptions, Unit } from './options.ts';
import { ConfigError } from './servlet-list.ts';

export const UNITS: readonly Unit[] = ['connection', 'instance', 'servlet'];
export const PROFILES: readonly Profile[] = ['trusted', 'guest'];

/** What is wrong with the value that stands at `place`, a sentence for each mistake. */
type Check = (value: unknown, place: string) => string[];

const CONTINUATION_CHECKS = { transform: listOf(aString) } satisfies Record<keyof ContinuationOptions, Check>;
const LIMIT_CHECKS: Record<string, Check> = Object.fromEntries(Object.keys(LIMITS).map((name) => [name, aNumberFrom0]));

// `satisfies` makes the checker name the option that was added to serve() and not here.
const SERVLET_CHECKS = {
  file: aPath,
  mount: aString,
  regexp: aRegexp,
  unit: oneOf(UNITS),
  cell: aString,
  profile: oneOf(PROFILES),
  limits: record(LIMIT_CHECKS),
  spareThreads: aWholeNumber,
  stateless: aBoolean,
  checkpoint: aBoolean,
  isEager: aBoolean,
  canary: aPathOrFalse,
  continuations: record(CONTINUATION_CHECKS),
} satisfies Record<keyof ServletOptions, Check>;

const CONFIG_CHECKS = {
  servlets: aPathOr(listOf(aPathOr(record(SERVLET_CHECKS, ['file'])))),
  port: aPort,
  host: aString,
  ports: listOf(aPort),
  ipsAndPorts: listOf(aHostWithPorts),
  unit: oneOf(UNITS),
  profile: oneOf(PROFILES),
  limits: record(LIMIT_CHECKS),
  continuations: record(CONTINUATION_CHECKS),
  warmCells: aWholeNumber,
  isDevelopment: aBoolean,
  log: oneOf([false, 'events', 'requests']),
  logDestination: aDescriptorOrPath,
  store: aString,
  keyFile: aString,
  stateDir: aString,
  admin: aBooleanOr(record({ port: aPort, host: aString, token: aString })),
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

function resolvePaths(config: Partial<ServeOptions>, folder: string): Partial<ServeOptions> {
  const place = <Path extends string | URL>(path: Path): string | URL =>
    typeof path === 'string' && !path.startsWith('file:') ? resolve(folder, path) : path;
  const resolved: Partial<ServeOptions> = { ...config };
  const { servlets, stateDir, store, keyFile, logDestination } = config;
  if (typeof servlets === 'string' || servlets instanceof URL) {
    resolved.servlets = place(servlets);
  } else if (servlets !== undefined) {
    resolved.servlets = servlets.map((each) =>
      typeof each === 'string' || each instanceof URL ? place(each) : { ...each, file: place(each.file) },
    );
  }
  if (stateDir !== undefined) resolved.stateDir = resolve(folder, stateDir);
  if (keyFile !== undefined) resolved.keyFile = resolve(folder, keyFile);
  const [, kind, path = ''] = /^(sqlite|directory):(.+)$/s.exec(store ?? '') ?? [];
  if (kind !== undefined) resolved.store = `${kind}:${resolve(folder, path)}`;
  if (typeof logDestination === 'string') resolved.logDestination = resolve(folder, logDestination);
  return resolved;
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

function aPath(value: unknown, place: string): string[] {
  return value instanceof URL && value.protocol === 'file:' ? [] : aString(value, place);
}

function aString(value: unknown, place: string): string[] {
  return typeof value === 'string' && value !== '' ? [] : [`${place} is ${show(value)}, not a text`];
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
  const text = typeof value === 'bigint' || typeof value === 'function' ? typeof value : JSON.stringify(value);
  return text === undefined ? String(value) : text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
