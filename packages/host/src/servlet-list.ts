import { readdirSync, realpathSync, statSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Persistence } from '@custodian/protocol';
import type { HeldServlet } from './cell/pool.ts';
import { resolveLimits } from './limits.ts';
import type { ServeOptions, ServletOptions } from './options.ts';

/** An option is wrong: a name, a value, a file that is not there. */
export class ConfigError extends TypeError {
  override readonly name = 'ConfigError';
  readonly code = 'CUSTODIAN_CONFIG';
}

/** What counts as a servlet in a directory. */
const SERVLET_ENDINGS = new Set(['.ts', '.js', '.mjs']);
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
  const given = options.servlets;
  const entries = typeof given === 'string' || given instanceof URL ? [given] : given;
  if (!Array.isArray(entries)) throw new ConfigError('Cannot serve: option "servlets" is neither a path nor a list');
  return entries.flatMap((entry: string | URL | ServletOptions) => listEntry(entry, options));
}

function listEntry(entry: string | URL | ServletOptions, options: ServeOptions): ListedServlet[] {
  if (typeof entry === 'string' || entry instanceof URL) {
    const path = pathOf(entry);
    if (!statOf(path).isDirectory()) return [listOne({ file: path }, options)];
    const files = readdirSync(path)
      .filter((name) => SERVLET_ENDINGS.has(extname(name)) && !name.endsWith('.d.ts') && !name.startsWith('.'))
      .sort();
    if (files.length === 0) throw new ConfigError(`Cannot serve "${path}": there is no .ts, .js or .mjs file in it`);
    return files.map((name) => listOne({ file: join(path, name) }, options));
  }
  if (typeof entry !== 'object' || entry === null || entry.file === undefined) {
    throw new ConfigError('Cannot serve a servlet: it has no "file"');
  }
  return [listOne(entry, options)];
}

function listOne(servlet: ServletOptions, options: ServeOptions): ListedServlet {
  const file = pathOf(servlet.file);
  if (!statOf(file).isFile()) throw new ConfigError(`Cannot serve "${file}": it is not a file`);
  const fileName = basename(file, extname(file));
  const name = (servlet.mount ?? fileName).replace(/^\/+|\/+$/g, '');
  const profile = servlet.profile ?? options.profile ?? 'guest';
  const unit = servlet.unit ?? options.unit ?? 'connection';
  if (profile !== 'guest' && profile !== 'trusted')
    throw new ConfigError(`Cannot serve "${name}": there is no profile "${String(profile)}"`);
  if (unit !== 'connection' && unit !== 'instance' && unit !== 'servlet')
    throw new ConfigError(`Cannot serve "${name}": there is no unit "${String(unit)}"`);
  const cell = servlet.cell ?? 'servlet';
  if (typeof cell !== 'string' || cell === '') throw new ConfigError(`Cannot serve "${name}": its cell has no name`);
  const regexp = servlet.regexp === undefined ? null : regexpOf(servlet.regexp, name);
  const limits = resolveLimits(servlet.limits, resolveLimits(options.limits));
  return {
    held: {
      name: name === '' ? fileName : name,
      file,
      url: pathToFileURL(file).href,
      unit,
      profile,
      cell: GUEST_CELLS.has(cell) ? cell : `group ${cell}`,
      limits,
      spareThreads: servlet.spareThreads ?? 1,
      persistence: persistenceFrom(servlet, name),
      compiledPackages: compiledPackages(
        servlet.continuations?.transform ?? options.continuations?.transform,
        file,
        name,
      ),
    },
    mounts: regexp !== null ? [] : name === INDEX && servlet.mount === undefined ? [name, ''] : [name],
    regexp,
    isEager: servlet.isEager ?? false,
    canary: servlet.isEager !== true || servlet.canary === false ? null : (servlet.canary ?? `/${name}`),
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

/** Without the flags that make a regexp remember where it was. */
function regexpOf(given: RegExp | string, name: string): RegExp {
  try {
    return typeof given === 'string' ? new RegExp(given) : new RegExp(given.source, given.flags.replace(/[gy]/g, ''));
  } catch (cause) {
    throw new ConfigError(`Cannot serve "${name}": its regexp is none: ${(cause as Error).message}`, { cause });
  }
}

function persistenceFrom({ stateless = false, checkpoint = false }: ServletOptions, name: string): Persistence | null {
  if (stateless && checkpoint)
    throw new ConfigError(`Cannot serve "${name}": "stateless" and "checkpoint" exclude each other`);
  return stateless ? 'stateless' : checkpoint ? 'checkpoint' : null;
}

function pathOf(path: string | URL): string {
  return typeof path === 'string' && !path.startsWith('file:') ? resolve(path) : fileURLToPath(path);
}

function statOf(path: string): { isDirectory(): boolean; isFile(): boolean } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ConfigError(`Cannot serve "${path}": it does not exist`);
  return stat;
}
