import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from './config-error.ts';
import { checkOptions } from './option-checks.ts';
import { checkConfig } from './option-tables.ts';
import type { ServeOptions } from './options.ts';

/**
 * Reads options of serve() from a JSON file, or from the default export of a .ts, .mts, .js, .mjs or .cjs. Relative paths in it
 * count from the file's directory. @throws ConfigError, whose message has a line for each mistake
 */
export async function readConfig(file: string): Promise<Partial<ServeOptions>> {
  const path = resolve(file);
  const config = await load(path, file);
  checkOptions(`Cannot use config "${file}"`, checkConfig, config);
  return resolvePaths(config as Partial<ServeOptions>, dirname(path));
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
