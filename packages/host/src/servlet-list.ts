import { readdirSync, realpathSync, statSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Persistence } from '@custodian/protocol';
import type { HeldServlet } from './cell/held-servlet.ts';
import { LIBRARY_GRANTS } from './cell/profile.ts';
import { ConfigError } from './config-error.ts';
import { type FetchOptions, FetchRules } from './fetch/fetch-rules.ts';
import { pathOf } from './paths.ts';
import { servletName } from './servlet-name.ts';
import { resolveLimits } from './limits.ts';
import type { Profile, ServeOptions, ServletOptions } from './options.ts';
import { statelessRegexp } from './stateless-regexp.ts';

/** What counts as a servlet in a directory. */
export const SERVLET_ENDINGS: readonly string[] = ['.ts', '.js', '.mjs'];
const GUEST_CELLS = new Set(['servlet', 'instance']);
const PACKAGE_NAME = /^(?:@[\w.~-]+\/)?[\w~-][\w.~-]*$/;
/** The servlet of this name in a directory also stands at the root. */
const INDEX = 'index';

/** A servlet and the paths that it answers at. */
export interface ListedServlet {
  held: HeldServlet;
  mounts: string[];
  /** It answers at all paths in which this finds something, in the place of its mounts. */
  regexp: RegExp | null;
  isEager: boolean;
  /** The path that tells whether it is well; `null`: it is not asked. */
  canary: string | null;
}

/** Makes of the options the servlets that they name. @throws ConfigError */
export function listServlets(options: ServeOptions): ListedServlet[] {
  const given = options.servlets ?? [];
  const entries = typeof given === 'string' || given instanceof URL ? [given] : given;
  if (!Array.isArray(entries)) throw new ConfigError('Cannot serve: option "servlets" is neither a path nor a list');
  const listed = entries.flatMap((entry: string | URL | ServletOptions) => listEntry(entry, options));
  const { servletPath, servletRegexp } = options;
  if (servletPath === undefined && servletRegexp === undefined) return listed;
  const [only] = listed;
  if (only === undefined || listed.length > 1)
    throw new ConfigError(
      'Cannot use "servletPath" and "servletRegexp": they are for one servlet; several have a "mount" or a "regexp" each',
    );
  const regexp = servletRegexp === undefined ? only.regexp : regexpOf(servletRegexp, only.held.name);
  const mount = servletPath === undefined ? undefined : servletName(servletPath, only.held.file, 'servletPath');
  const held = mount === undefined ? only.held : { ...only.held, path: `/${mount}` };
  return [{ ...only, held, regexp, mounts: regexp !== null ? [] : mount === undefined ? only.mounts : [mount] }];
}

export function isServletFile(name: string): boolean {
  return SERVLET_ENDINGS.includes(extname(name)) && !name.endsWith('.d.ts') && !name.startsWith('.');
}

function listEntry(entry: string | URL | ServletOptions, options: ServeOptions): ListedServlet[] {
  if (typeof entry === 'string' || entry instanceof URL) {
    const path = pathOf(entry);
    if (!statOf(path).isDirectory()) return [listOne({ file: path }, options)];
    const files = readdirSync(path).filter(isServletFile).sort();
    if (files.length === 0) throw new ConfigError(`Cannot serve "${path}": there is no .ts, .js or .mjs file in it`);
    return files.map((name) => listOne({ file: join(path, name) }, options));
  }
  if (typeof entry !== 'object' || entry === null || entry.file === undefined) {
    throw new ConfigError('Cannot serve a servlet: it has no "file"');
  }
  return [listOne(entry, options)];
}

/**
 * Node's permission model takes `*` for every ending, and what follows for nothing: a guest that is let into such a directory could
 * read those beside it. @throws ConfigError
 */
export function checkPermissible(path: string): void {
  if (path.includes('*'))
    throw new ConfigError(
      `Cannot hold guests by the path "${path}": there is a "*" in it, which Node's permission model takes for every ending`,
    );
}

/** What is held so would be let into these, and into where the library is installed. @throws ConfigError */
export function checkGrants(profile: Profile, paths: Iterable<string>): void {
  if (profile === 'trusted') return;
  for (const path of [...LIBRARY_GRANTS, ...paths]) checkPermissible(path);
}

/** How a servlet is held: its own options before those for all. */
type Holding = Pick<ServletOptions, 'unit' | 'profile' | 'weakerProfile' | 'limits' | 'continuations' | 'fetch'>;

/** @throws ConfigError */
export function listOne(servlet: ServletOptions, options: Holding): ListedServlet {
  const file = pathOf(servlet.file);
  if (!statOf(file).isFile()) throw new ConfigError(`Cannot serve "${file}": it is not a file`);
  const fileName = basename(file, extname(file));
  const name = servletName(servlet.mount ?? fileName, file, 'mount');
  const regexp = servlet.regexp === undefined ? null : regexpOf(servlet.regexp, name);
  const transform = servlet.continuations?.transform ?? options.continuations?.transform;
  const packages = compiledPackages(transform, file, name);
  const holding = holdingOf(servlet, options, name);
  checkGrants(holding.profile, [file, ...packages]);
  return {
    held: {
      name: name === '' ? servletName(fileName, file, 'mount') : name,
      path: `/${name}`,
      file,
      url: pathToFileURL(file).href,
      ...holding,
      compiledPackages: packages,
    },
    mounts: regexp !== null ? [] : name === INDEX && servlet.mount === undefined ? [name, ''] : [name],
    regexp,
    isEager: servlet.isEager ?? false,
    canary: servlet.isEager !== true || servlet.canary === false ? null : (servlet.canary ?? `/${name}`),
  };
}

/** @throws ConfigError */
export function holdingOf(
  servlet: Omit<ServletOptions, 'file'>,
  options: Holding,
  name: string,
): Omit<HeldServlet, 'name' | 'path' | 'file' | 'url' | 'compiledPackages'> {
  const profile = servlet.profile ?? options.profile ?? 'guest';
  const unit = servlet.unit ?? options.unit ?? 'connection';
  if (profile !== 'guest' && profile !== 'trusted' && profile !== 'jail')
    throw new ConfigError(`Cannot serve "${name}": there is no profile "${String(profile)}"`);
  if (unit !== 'connection' && unit !== 'instance' && unit !== 'servlet')
    throw new ConfigError(`Cannot serve "${name}": there is no unit "${String(unit)}"`);
  const cell = servlet.cell ?? 'servlet';
  if (typeof cell !== 'string' || cell === '') throw new ConfigError(`Cannot serve "${name}": its cell has no name`);
  return {
    unit,
    profile,
    weakerProfile: servlet.weakerProfile ?? options.weakerProfile ?? null,
    cell: GUEST_CELLS.has(cell) ? cell : `group ${cell}`,
    limits: resolveLimits(servlet.limits, resolveLimits(options.limits)),
    spareThreads: servlet.spareThreads ?? 1,
    persistence: persistenceFrom(servlet, name),
    fetch: fetchRules(servlet.fetch ?? options.fetch, name),
  };
}

/** Where the packages are that are compiled with a servlet, as it would find them: `file:` URLs that end in a slash. */
function compiledPackages(given: readonly string[] | undefined, file: string, name: string): string[] {
  if (given !== undefined && !Array.isArray(given))
    throw new ConfigError(`Cannot serve "${name}": its continuations.transform is no list of packages`);
  return (given ?? []).map((each: string) => {
    const manifest = PACKAGE_NAME.test(each) ? manifestOf(each, file) : null;
    if (manifest === null)
      throw new ConfigError(
        `Cannot serve "${name}": there is no package "${each}" for it, which its continuations.transform names`,
      );
    return pathToFileURL(`${dirname(realpathSync(manifest))}/`).href;
  });
}

function manifestOf(packageName: string, file: string): string | null {
  try {
    return findPackageJSON(packageName, pathToFileURL(file)) ?? null;
  } catch {
    return null;
  }
}

function fetchRules(given: FetchOptions | undefined, name: string): FetchRules | null {
  if (given === undefined) return null;
  try {
    return new FetchRules(given);
  } catch (cause) {
    throw new ConfigError(`Cannot serve "${name}": of its "fetch", ${(cause as Error).message}`, { cause });
  }
}

function regexpOf(given: RegExp | string, name: string): RegExp {
  try {
    return typeof given === 'string' ? new RegExp(given) : statelessRegexp(given);
  } catch (cause) {
    throw new ConfigError(`Cannot serve "${name}": its regexp is none: ${(cause as Error).message}`, { cause });
  }
}

function persistenceFrom(
  { stateless = false, checkpoint = false }: Omit<ServletOptions, 'file'>,
  name: string,
): Persistence | null {
  if (stateless && checkpoint)
    throw new ConfigError(`Cannot serve "${name}": "stateless" and "checkpoint" exclude each other`);
  return stateless ? 'stateless' : checkpoint ? 'checkpoint' : null;
}

function statOf(path: string): { isDirectory(): boolean; isFile(): boolean } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ConfigError(`Cannot serve "${path}": it does not exist`);
  return stat;
}
