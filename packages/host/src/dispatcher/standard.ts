import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../config-error.ts';
import { renderUnknownPage } from '../http/error-page.ts';
import type { ServeOptions } from '../options.ts';
import { directoryOf, pathOf } from '../paths.ts';
import { stated } from '../stated.ts';
import type { Dispatcher } from './dispatcher.ts';
import { files, type FilesOptions } from './files.ts';
import { notFound, type NotFoundResponder } from './not-found.ts';
import { passwords } from './passwords.ts';
import { quit } from './quit.ts';
import { refresh } from './refresh.ts';
import { servlets } from './servlets.ts';
import { servletsRoot } from './servlets-root.ts';

/** Options that make the chain, which a list of dispatchers takes the place of. */
const MADE_OF = [
  'serverRootPath',
  'extraFilesPaths',
  'servletsRoot',
  'passwords',
  'refresh',
  'quit',
  'mimeTypesPath',
  'fileNotFoundResponder',
] as const satisfies readonly (keyof ServeOptions)[];

/**
 * The host's chain, in Racket's order: `/quit`, passwords, `/conf/…`, servlets, servlets from files, files of the extra paths
 * in their order, those of `htdocs`, not found. Of these only what the options ask for.
 * @throws ConfigError
 */
export function standardDispatchers(options: ServeOptions): Dispatcher[] {
  const { dispatchers } = options;
  if (dispatchers !== undefined) {
    const other = MADE_OF.find((name) => options[name] !== undefined);
    if (other !== undefined)
      throw new ConfigError(`Cannot use "${other}" beside "dispatchers": put what it stands for into the list`);
    return [...dispatchers, notFound()];
  }
  const inRoot = rootOf(options.serverRootPath);
  const types = options.mimeTypesPath ?? inRoot('mime.types');
  const filesOf = (path: string | URL | FilesOptions): Dispatcher => {
    const given = typeof path === 'string' || path instanceof URL ? { root: path } : path;
    return files(types === undefined ? given : { mimeTypesPath: types, ...stated(given) });
  };
  const root = options.servletsRoot;
  const htdocs = inRoot('htdocs');
  const isRefreshing = options.refresh ?? (root !== undefined || options.passwords !== undefined);
  return [
    ...(isQuitting(options) ? [quit()] : []),
    ...(options.passwords === undefined ? [] : [passwords(options.passwords)]),
    ...(isRefreshing ? [refresh()] : []),
    servlets(),
    ...(root === undefined ? [] : [servletsRoot(typeof root === 'string' || root instanceof URL ? { root } : root)]),
    ...(options.extraFilesPaths ?? []).map(filesOf),
    ...(htdocs === undefined ? [] : [filesOf(htdocs)]),
    notFound(responderOf(options.fileNotFoundResponder ?? inRoot('conf/not-found.html'))),
  ];
}

/** `commandLine: false` asks for what Racket does by default. */
export function isQuitting({ quit: isAsked, commandLine }: ServeOptions): boolean {
  return isAsked ?? commandLine === false;
}

/** What finds something in the server's root, if it is there. */
export function rootOf(serverRootPath: string | URL | undefined): (name: string) => string | undefined {
  if (serverRootPath === undefined) return () => undefined;
  const directory = directoryOf(serverRootPath);
  return (name) => {
    const path = join(directory, name);
    return existsSync(path) ? path : undefined;
  };
}

/** A page is read each time, so that it may be changed. */
function responderOf(given: string | URL | NotFoundResponder | undefined): NotFoundResponder | undefined {
  if (given === undefined || typeof given === 'function') return given;
  const path = pathOf(given);
  if (!existsSync(path)) throw new ConfigError(`Cannot use "${path}" for what is not found: it does not exist`);
  return async ({ url }) => ({ status: 404, body: await readFile(path, 'utf8').catch(() => renderUnknownPage(url)) });
}
