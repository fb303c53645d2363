import type { FilesOptions } from './dispatcher/files.ts';
import type { LimitOptions } from './dispatcher/limit.ts';
import type { LogOptions } from './dispatcher/log.ts';
import type { Realm } from './dispatcher/realms.ts';
import type { ServletsRootOptions } from './dispatcher/servlets-root.ts';
import type { FetchOptions } from './fetch/fetch-rules.ts';
import type { CacheOptions } from './http/cache-control.ts';
import { LIMITS } from './limits.ts';
import { LOG_FORMATS } from './log/log-format.ts';
import {
  aBoolean,
  aBooleanOr,
  aDescriptorOrPath,
  aDispatcher,
  aFunction,
  aHostWithPorts,
  aLineSink,
  aNumberFrom0,
  anObject,
  anyOf,
  aPath,
  aPathOr,
  aPathOrFalse,
  aPort,
  aRegexp,
  aString,
  aText,
  aWholeNumber,
  type Check,
  listOf,
  oneOf,
  record,
} from './option-checks.ts';
import type { ContinuationOptions, Profile, ServeOptions, ServletOptions, Unit } from './options.ts';

export const UNITS: readonly Unit[] = ['connection', 'instance', 'servlet'];
export const PROFILES: readonly Profile[] = ['trusted', 'guest', 'jail'];

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

/** What may be said of one servlet. */
export const SERVLET_OPTIONS: ReadonlySet<string> = new Set(Object.keys(SERVLET_CHECKS));

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

/** Of the dispatchers that take options; `serve()` has most of them as options of its own. */
const SERVLETS_ROOT_CHECKS = { root: aPath, name: aString, ...HELD_CHECKS } satisfies Record<
  keyof ServletsRootOptions,
  Check
>;

const REALM_CHECKS = {
  realm: aString,
  path: aRegexp,
  users: anObject,
} satisfies Record<keyof Realm, Check>;

const LOG_FILE_CHECKS = {
  file: anyOf(aDescriptorOrPath, aLineSink),
  format: anyOf(aFunction, oneOf(LOG_FORMATS)),
} satisfies Record<keyof LogOptions, Check>;

const ADMISSION_CHECKS = {
  maxCount: aWholeNumber,
  over: oneOf(['wait', 'drop-new', 'drop-old']),
} satisfies Record<keyof LimitOptions, Check>;

export const checkFiles: Check = record(FILES_CHECKS, ['root']);
export const checkServletsRoot: Check = record(SERVLETS_ROOT_CHECKS, ['root']);
export const checkLog: Check = record(LOG_FILE_CHECKS, ['file']);
export const checkLimit: Check = record(ADMISSION_CHECKS, ['maxCount']);

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
  extraFilesPaths: listOf(aPathOr(checkFiles)),
  servletsRoot: aPathOr(checkServletsRoot),
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
  logFile: LOG_FILE_CHECKS.file,
  logFormat: LOG_FILE_CHECKS.format,
} satisfies Record<keyof ServeOptions, Check>;

/** Options of serve(), as a config file has them too. */
export const checkConfig: Check = record(CONFIG_CHECKS);
