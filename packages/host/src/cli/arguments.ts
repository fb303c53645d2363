import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Limits } from '../limits.ts';
import { LIMITS } from '../limits.ts';
import { PROFILES, UNITS } from '../option-tables.ts';
import { LOG_FORMATS } from '../log/log-format.ts';
import type { ServeOptions } from '../options.ts';
import { didYouMean } from './nearest-name.ts';

/** The command line is wrong; the message says how. Ends the program with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked for on the command line. */
export type Command =
  | { name: 'help'; about: 'custodian' | 'serve' | 'check' | 'doctor' | 'ps' | 'kill' | 'top' | 'adjust' }
  | { name: 'version' }
  | { name: 'check'; paths: string[]; isJson: boolean; isStateless: boolean }
  | { name: 'doctor'; isJson: boolean }
  | { name: 'ps'; stateDir: string | null; pid: number | null; isJson: boolean }
  | { name: 'kill'; stateDir: string | null; pid: number | null; target: string }
  | { name: 'adjust'; stateDir: string | null; pid: number | null; servlet: string; limits: Partial<Limits> }
  | { name: 'top'; stateDir: string | null; pid: number | null; count: number }
  /** Nothing to serve and no `config`: that of the current directory is meant. */
  | { name: 'serve'; paths: string[]; config: string | null; isOpening: boolean; options: ServeFlags };

/** Options of serve() that have a flag. A key that is missing was not given. */
export type ServeFlags = Partial<
  Pick<
    ServeOptions,
    | 'port'
    | 'host'
    | 'unit'
    | 'profile'
    | 'limits'
    | 'warmCells'
    | 'isDevelopment'
    | 'log'
    | 'logDestination'
    | 'store'
    | 'keyFile'
    | 'stateDir'
    | 'admin'
    | 'ssl'
    | 'sslCert'
    | 'sslKey'
    | 'connectionClose'
    | 'serverRootPath'
    | 'extraFilesPaths'
    | 'servletsRoot'
    | 'passwords'
    | 'quit'
    | 'logFormat'
  >
>;

const COMMANDS = ['serve', 'check', 'doctor', 'ps', 'kill', 'top', 'adjust', 'help', 'version'];

const SERVE_FLAGS = {
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  open: { type: 'boolean' },
  ssl: { type: 'boolean' },
  cert: { type: 'string' },
  key: { type: 'string' },
  'connection-close': { type: 'boolean' },
  quit: { type: 'boolean' },
  files: { type: 'string', multiple: true },
  'servlets-root': { type: 'string' },
  root: { type: 'string' },
  passwords: { type: 'string' },
  config: { type: 'string' },
  unit: { type: 'string' },
  profile: { type: 'string' },
  limit: { type: 'string', multiple: true },
  'warm-cells': { type: 'string' },
  log: { type: 'string' },
  'log-file': { type: 'string' },
  'log-format': { type: 'string' },
  production: { type: 'boolean' },
  development: { type: 'boolean' },
  store: { type: 'string' },
  'key-file': { type: 'string' },
  'state-dir': { type: 'string' },
  'admin-port': { type: 'string' },
  'no-admin': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const CHECK_FLAGS = {
  json: { type: 'boolean' },
  stateless: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const DOCTOR_FLAGS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const OPERATOR_FLAGS = {
  'state-dir': { type: 'string' },
  pid: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const PLAIN_FLAGS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies ParseArgsOptionsConfig;

/** @throws UsageError for anything that is not in the help. */
export function parseCommand(argv: readonly string[]): Command {
  const [first, ...rest] = argv;
  if (first === undefined) throw new UsageError('Cannot tell what to do: no command given (try "custodian --help")');
  switch (first) {
    case 'serve':
      return parseServe(rest);
    case 'check':
      return parseCheck(rest);
    case 'doctor':
      return parseDoctor(rest);
    case 'ps':
    case 'kill':
    case 'top':
    case 'adjust':
      return parseOperator(first, rest);
    case 'help':
      return parseHelp(rest);
    case 'version':
      return { name: 'version' };
  }
  if (!first.startsWith('-')) {
    throw new UsageError(
      `Unknown command "${first}"${didYouMean(first, COMMANDS) || ' (a servlet is served by "custodian serve")'}`,
    );
  }
  const { values } = parse(argv, PLAIN_FLAGS, 'custodian');
  return values['version'] === true ? { name: 'version' } : { name: 'help', about: 'custodian' };
}

function parseHelp(rest: readonly string[]): Command {
  const about = (['serve', 'check', 'doctor', 'ps', 'kill', 'top', 'adjust'] as const).find((name) => name === rest[0]);
  return { name: 'help', about: about ?? 'custodian' };
}

function parseCheck(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv, CHECK_FLAGS, 'custodian check');
  if (values['help'] === true) return { name: 'help', about: 'check' };
  if (positionals.length === 0) throw new UsageError('Cannot check: name a servlet, or a directory of servlets');
  return {
    name: 'check',
    paths: positionals,
    isJson: values['json'] === true,
    isStateless: values['stateless'] === true,
  };
}

function parseDoctor(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv, DOCTOR_FLAGS, 'custodian doctor');
  if (values['help'] === true) return { name: 'help', about: 'doctor' };
  if (positionals.length > 0)
    throw new UsageError(`Cannot use "${positionals[0]}": custodian doctor takes no arguments`);
  return { name: 'doctor', isJson: values['json'] === true };
}

function parseOperator(name: 'ps' | 'kill' | 'top' | 'adjust', argv: readonly string[]): Command {
  const flags: ParseArgsOptionsConfig = {
    ...OPERATOR_FLAGS,
    ...(name === 'ps' ? { json: { type: 'boolean' } } : name === 'top' ? { count: { type: 'string' } } : {}),
  };
  const { values, positionals } = parse(argv, flags, `custodian ${name}`);
  if (values['help'] === true) return { name: 'help', about: name };
  const stateDir = (values['state-dir'] as string | undefined) ?? null;
  const pid = values['pid'] === undefined ? null : wholeNumber('--pid', values['pid'] as string, 2 ** 31);
  const [target, ...others] = positionals;
  if (name === 'kill') {
    if (target === undefined || others.length > 0) {
      throw new UsageError('Cannot kill: name one cell by its pid, one thread as CELL.THREAD, or one servlet');
    }
    return { name, stateDir, pid, target };
  }
  if (name === 'adjust') {
    if (target === undefined || others.length === 0)
      throw new UsageError('Cannot adjust: name one servlet, and its new limits as NAME=VALUE');
    const limits = Object.fromEntries(others.map((text) => parseLimit(text, 'adjust')));
    return { name, stateDir, pid, servlet: target, limits };
  }
  if (target !== undefined) throw new UsageError(`Cannot use "${target}": custodian ${name} takes no arguments`);
  if (name === 'ps') return { name, stateDir, pid, isJson: values['json'] === true };
  const count = values['count'] === undefined ? 0 : wholeNumber('--count', values['count'] as string, 1e9);
  return { name, stateDir, pid, count };
}

function parseServe(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv, SERVE_FLAGS, 'custodian serve');
  if (values['help'] === true) return { name: 'help', about: 'serve' };
  const options: ServeFlags = {};
  const given = (name: keyof typeof SERVE_FLAGS): string | undefined => values[name] as string | undefined;

  /** An option of serve() that is the flag's text as it stands. */
  const text = <Name extends keyof ServeFlags>(name: Name, flag: keyof typeof SERVE_FLAGS): void => {
    const value = given(flag);
    if (value !== undefined) options[name] = value as ServeFlags[Name] & string;
  };
  const isOn = <Name extends keyof ServeFlags>(name: Name, flag: keyof typeof SERVE_FLAGS): void => {
    if (values[flag] === true) options[name] = true as ServeFlags[Name] & true;
  };
  const port = given('port');
  if (port !== undefined) options.port = wholeNumber('--port', port, 65_535);
  text('host', 'host');
  isOn('ssl', 'ssl');
  text('sslCert', 'cert');
  text('sslKey', 'key');
  isOn('connectionClose', 'connection-close');
  isOn('quit', 'quit');
  const files = (values['files'] as string[] | undefined) ?? [];
  if (files.length > 0) options.extraFilesPaths = files;
  text('servletsRoot', 'servlets-root');
  text('serverRootPath', 'root');
  text('passwords', 'passwords');
  const unit = given('unit');
  if (unit !== undefined) options.unit = oneOf('--unit', unit, UNITS);
  const profile = given('profile');
  if (profile !== undefined) options.profile = oneOf('--profile', profile, PROFILES);
  const warmCells = given('warm-cells');
  if (warmCells !== undefined) options.warmCells = wholeNumber('--warm-cells', warmCells, 1000);
  text('store', 'store');
  text('keyFile', 'key-file');
  text('stateDir', 'state-dir');
  const adminPort = given('admin-port');
  if (adminPort !== undefined && values['no-admin'] === true)
    throw new UsageError('Cannot use --admin-port and --no-admin together');
  if (adminPort !== undefined) options.admin = { port: wholeNumber('--admin-port', adminPort, 65_535) };
  if (values['no-admin'] === true) options.admin = false;
  text('logDestination', 'log-file');
  const logFormat = given('log-format');
  if (logFormat !== undefined) options.logFormat = oneOf('--log-format', logFormat, LOG_FORMATS);
  const log = given('log');
  if (log !== undefined) {
    const what = oneOf('--log', log, ['requests', 'events', 'off'] as const);
    options.log = what === 'off' ? false : what;
  }
  if (values['production'] === true && values['development'] === true) {
    throw new UsageError('Cannot use --production and --development together');
  }
  if (values['production'] === true) options.isDevelopment = false;
  if (values['development'] === true) options.isDevelopment = true;
  const limits = (values['limit'] as string[] | undefined) ?? [];
  if (limits.length > 0) options.limits = Object.fromEntries(limits.map((limit) => parseLimit(limit, '--limit')));

  const config = given('config') ?? null;
  return { name: 'serve', paths: positionals, config, isOpening: values['open'] === true, options };
}

/** `where`: what it was given to. */
function parseLimit(text: string, where: string): [keyof Limits, number] {
  const [name = '', value] = text.split(/=(.*)/s);
  if (!Object.hasOwn(LIMITS, name)) {
    throw new UsageError(`Unknown limit "${name}" in ${where} ${text}${didYouMean(name, Object.keys(LIMITS))}`);
  }
  const number = value === undefined || value.trim() === '' ? Number.NaN : Number(value);
  if (!(number >= 0 && Number.isFinite(number))) {
    throw new UsageError(
      `Cannot use ${where} ${text}: it is written ${name}=NUMBER, for example ${name}=${LIMITS[name as keyof Limits].default}`,
    );
  }
  return [name as keyof Limits, number];
}

interface Parsed {
  values: Record<string, string | boolean | (string | boolean)[] | undefined>;
  positionals: string[];
}

// Not `strict: true`, whose messages name Node's own idea of the mistake and never the option that was meant.
function parse(argv: readonly string[], flags: ParseArgsOptionsConfig, command: string): Parsed {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: flags,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) {
      throw new UsageError(
        `Unknown option "${token.rawName}" of ${command}${didYouMean(token.name, Object.keys(flags), '--')}`,
      );
    }
    if (flag.type === 'boolean' && token.value !== undefined) {
      throw new UsageError(`Cannot use "${token.rawName}=${token.value}": ${token.rawName} takes no value`);
    }
    if (flag.type === 'string' && (token.value === undefined || token.value === '')) {
      throw new UsageError(`Cannot use "${token.rawName}": it needs a value`);
    }
  }
  return { values: values as Parsed['values'], positionals };
}

function wholeNumber(flag: string, text: string, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) throw new UsageError(`Cannot use ${flag} "${text}": it is a whole number from 0 to ${max}`);
  return number;
}

function oneOf<const Name extends string>(flag: string, text: string, names: readonly Name[]): Name {
  const name = names.find((each) => each === text);
  if (name === undefined) {
    throw new UsageError(`Cannot use ${flag} "${text}": it is one of ${names.join(', ')}${didYouMean(text, names)}`);
  }
  return name;
}
