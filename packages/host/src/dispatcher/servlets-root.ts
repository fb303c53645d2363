import { extname, join } from 'node:path';
import type { ServletPool } from '../cell/pool.ts';
import type { Exchange } from '../http/exchange.ts';
import { FileRoot } from '../http/open-file.ts';
import { checkOptions } from '../option-checks.ts';
import { checkServletsRoot } from '../option-tables.ts';
import type { ServletOptions } from '../options.ts';
import { checkGrants, holdingOf, isServletFile, listOne, SERVLET_ENDINGS } from '../servlet-list.ts';
import { directoryOf } from '../paths.ts';
import { isNameElement, servletName } from '../servlet-name.ts';
import { stated } from '../stated.ts';
import type { Dispatcher } from './dispatcher.ts';
import { runIn } from './servlets.ts';

/** How servlets from a directory are held. */
export interface ServletsRootOptions extends Omit<ServletOptions, 'file' | 'mount' | 'regexp' | 'isEager' | 'canary'> {
  root: string | URL;
  /**
   * What the names of its servlets begin with, and so their keys, file boxes, saved pages and accounts: `shop` makes `cart.ts` the servlet
   * `shop/cart.ts`. Only one directory of a host can do without, and none begins with another's, element by element.
   */
  name?: string;
}

/**
 * Runs the servlets of a directory, each when it is first asked for: `/shop/cart.ts` or `/shop/cart`, and whatever follows
 * that in the path. As guests, or in a jail if that is the host's `profile`, unless told otherwise. Passes what is no servlet. The file is read again after
 * `/conf/refresh-servlets`.
 * @throws ConfigError when the directory is not there, an option is wrong, or servlets of another one, or another servlet, could have the same names
 * @see Racket `#:servlets-root`
 *
 * @example
 * ```ts
 * servletsRoot({ root: 'servlets', limits: { heapMb: 20 } });
 * ```
 */
export function servletsRoot(options: ServletsRootOptions): Dispatcher {
  checkOptions('Cannot serve a directory of servlets', checkServletsRoot, options);
  const { root, name: givenName, ...own } = options;
  const directory = directoryOf(root);
  const prefix = givenName === undefined ? '' : servletName(givenName, directory, 'name');
  const files = new FileRoot(directory, () => false, null);
  return (pass, site) => {
    // No less than the operator wants for his own servlets; and no more trust, whatever he has in those.
    const held = { ...site.jailed, ...stated(own) };
    // What is wrong with it is said now, not at the first request.
    site.servlets.expectDirectory(prefix, directory);
    const holding = holdingOf(held, site, directory);
    checkGrants(holding.profile, [directory]);
    site.servlets.expect({ name: directory, ...holding });
    /** By the beginning of the path that each was asked for at. */
    const known = new Map<string, ServletPool>();
    const pools = new Map<string, ServletPool>();
    let depth = 0;
    // A file may be gone, or another have come before it.
    site.servlets.onRefresh(() => known.clear());

    const findKnown = (elements: readonly string[]): ServletPool | undefined => {
      let beginning = '';
      for (const element of elements.slice(0, depth)) {
        beginning += `/${element}`;
        const pool = known.get(beginning);
        if (pool !== undefined) return pool;
      }
      return undefined;
    };
    const open = (file: readonly string[]): ServletPool => {
      const name = file.join('/');
      let pool = pools.get(name);
      if (pool === undefined) {
        const listed = listOne({ ...held, file: join(directory, ...file), mount: name }, site);
        const isNamed = prefix !== '';
        const servlet = isNamed ? { ...listed.held, name: `${prefix}/${name}` } : listed.held;
        pool = site.servlets.add({ ...listed, held: servlet, mounts: [] });
        pools.set(name, pool);
      }
      return pool;
    };
    const find = async (exchange: Exchange, elements: readonly string[]): Promise<void> => {
      const found = await findServlet(files, elements);
      if (exchange.isDone) return;
      if (found === null) return pass(exchange);
      const pool = open(found.file);
      known.set(`/${elements.slice(0, found.depth).join('/')}`, pool);
      depth = Math.max(depth, found.depth);
      runIn(pool, exchange, pass);
    };
    return (exchange) => {
      const { elements } = exchange;
      if (elements === null || elements.length === 0) return pass(exchange);
      const pool = findKnown(elements);
      return pool === undefined ? find(exchange, elements) : runIn(pool, exchange, pass);
    };
  };
}

/** The servlet that a path begins with: its file's elements, and how many of the path's elements name it. */
async function findServlet(
  files: FileRoot,
  elements: readonly string[],
): Promise<{ file: readonly string[]; depth: number } | null> {
  for (const [index, element] of elements.entries()) {
    if (!isNameElement(element) || element === 'node_modules') return null;
    const file = elements.slice(0, index + 1);
    const found = await kindOf(files, file);
    if (found === 'directory') continue;
    if (found === 'file') return isServletFile(element) ? { file, depth: file.length } : null;
    if (extname(element) !== '') return null;
    for (const ending of SERVLET_ENDINGS) {
      const named = [...file.slice(0, -1), `${element}${ending}`];
      if ((await kindOf(files, named)) === 'file') return { file: named, depth: file.length };
    }
    return null;
  }
  return null;
}

async function kindOf(files: FileRoot, elements: readonly string[]): Promise<'file' | 'directory' | null> {
  const found = await files.open(elements);
  if (found === null || found === 'directory') return found;
  await found.close();
  return 'file';
}
