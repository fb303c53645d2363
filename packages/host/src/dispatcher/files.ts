import { type CacheOptions, cacheControl } from '../http/cache-control.ts';
import type { ErrorPage } from '../http/error-page.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendFile } from '../http/file-answer.ts';
import { MediaTypes } from '../http/media-types.ts';
import { FileRoot, type OpenFile } from '../http/open-file.ts';
import { encodePath, queryOf } from '../http/request-path.ts';
import { checkOptions } from '../option-checks.ts';
import { checkFiles } from '../option-tables.ts';
import { directoryOf, pathOf } from '../paths.ts';
import type { Dispatcher } from './dispatcher.ts';

export interface FilesOptions {
  /** The directory. Nothing outside of it is sent, by whatever path or symbolic link. */
  root: string | URL;
  /** The path at which the directory stands: `static` or `static/css`. Default: the site's root. */
  at?: string;
  /** What answers for a directory, the first one that is there. Default `index.html`, `index.htm`. */
  indices?: readonly string[];
  /** May files and directories be seen whose names begin with a dot: all, or those of these names? Default: none. */
  dotFiles?: boolean | readonly string[];
  /** Default `strong`, from size and time of change; `weak` says that it may not be byte for byte the same. */
  etag?: 'strong' | 'weak' | false;
  cache?: CacheOptions;
  /** A `mime.types` file in the place of the usual types. */
  mimeTypesPath?: string | URL;
  /** Further headers for a file. */
  headers?: (path: string) => Readonly<Record<string, string>>;
}

/**
 * Sends the files of a directory to GET and HEAD; passes what is none of them.
 * @throws ConfigError when the directory or the table of types is not there, or an option is wrong
 * @see Racket `files:make`
 *
 * @example
 * ```ts
 * files({ root: 'public', at: 'static', cache: { maxAge: 3600 } });
 * ```
 */
export function files(options: FilesOptions): Dispatcher {
  checkOptions('Cannot serve files', checkFiles, options);
  const { indices = ['index.html', 'index.htm'], dotFiles = false, etag = 'strong', headers } = options;
  const directory = directoryOf(options.root);
  const isSeen = (name: string): boolean =>
    name !== '.' && (typeof dotFiles === 'boolean' ? dotFiles : dotFiles.includes(name));
  const at = (options.at ?? '').split('/').filter((element) => element !== '');
  const types = new MediaTypes(options.mimeTypesPath === undefined ? null : pathOf(options.mimeTypesPath));
  const cache = cacheControl(options.cache ?? {});
  const fixed = cache === null ? {} : { 'Cache-Control': cache };

  const send = (exchange: Exchange, file: OpenFile, rangesMaxCount: number): Promise<void> =>
    sendFile(exchange, file, {
      type: types.typeOf(file.path),
      etag,
      headers: { ...fixed, ...headers?.(file.path) },
      rangesMaxCount,
    });

  return (pass, site) => {
    const { rangesMaxCount } = site.limits;
    const root = new FileRoot(directory, isSeen, site.fileCache);
    const answer = async (exchange: Exchange, elements: readonly string[]): Promise<void> => {
      const below = elements.slice(at.length);
      const found = await openFor(exchange, root, below);
      if (exchange.isDone) return;
      if (found === null) return pass(exchange);
      if (found !== 'directory') return send(exchange, found, rangesMaxCount);
      const hasSlash = elements.length === 0 || elements.at(-1) === '';
      if (!hasSlash) return redirect(exchange, `${encodePath(elements)}/${queryOf(exchange.url)}`);
      const directory = below.filter((element) => element !== '');
      for (const index of indices) {
        const file = await openFor(exchange, root, [...directory, index]);
        if (exchange.isDone) return;
        if (file !== null && file !== 'directory') return send(exchange, file, rangesMaxCount);
      }
      pass(exchange);
    };
    return (exchange) => {
      const { elements } = exchange;
      const isMine = elements !== null && isFor(exchange) && at.every((element, index) => elements[index] === element);
      if (!isMine) return pass(exchange);
      return answer(exchange, elements).catch((error: unknown) => {
        site.warn(`a file can not be sent for ${exchange.url.slice(0, 200)}: ${(error as Error).message}`);
        exchange.refuse(unreadable(error));
      });
    };
  };
}

function redirect(exchange: Exchange, location: string): void {
  exchange.respond({ status: 302, headers: { Location: location } });
}

/** The system does not let the host read what is there: it has no descriptor left, or the disk fails. */
function unreadable(error: unknown): ErrorPage {
  const { code } = error as NodeJS.ErrnoException;
  const isPassing = code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM' || code === 'EAGAIN';
  return {
    status: isPassing ? 503 : 500,
    title: 'Not available at the moment',
    text: 'This file can not be read.',
    code: 'CUSTODIAN_FILE',
    ...(isPassing ? { retryAfterSeconds: 1 } : {}),
  };
}

function isFor({ method }: Exchange): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** What is open belongs to the connection until the exchange is over. */
async function openFor(
  exchange: Exchange,
  root: FileRoot,
  elements: readonly string[],
): Promise<OpenFile | 'directory' | null> {
  const found = await root.open(elements);
  if (found === null || found === 'directory') return found;
  if (exchange.isDone) {
    await found.close();
    return null;
  }
  const { custodian } = exchange.connection;
  custodian.own(found);
  exchange.whenDone(() => {
    custodian.disown(found);
    void found.close();
  });
  return found;
}
