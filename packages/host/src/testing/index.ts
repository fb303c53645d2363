/** What tests of servlets import: a real host on any free port, and a visitor without a browser. */
import { serve } from '../index.ts';
import { SERVLET_OPTIONS } from '../option-tables.ts';
import type { Host, ServeOptions, ServletOptions } from '../options.ts';
import { stated } from '../stated.ts';
import { CookieJar } from './cookie-jar.ts';
import { Tab } from './tab.ts';

export type { Control, ControlKind } from './controls.ts';
export type { CookieJar } from './cookie-jar.ts';
export { PageElement } from './document.ts';
export { Page } from './page.ts';
export { type Label, Tab, VisitError } from './tab.ts';

/** How a servlet under test is held. */
export type TestOptions = Omit<ServletOptions, 'file'> & Omit<Partial<ServeOptions>, 'servlets'>;

export interface BrowseOptions {
  /** Sent with every request, for example `{ authorization: … }`. */
  headers?: Readonly<Record<string, string>>;
  /** The visitor's cookies: those of another tab make it the same visitor. Default: none, a new visitor. */
  cookies?: CookieJar;
}

/** A host that can be visited. */
export type TestHost = Host & {
  /** Opens a tab at a path; default: the first servlet's. */
  browse(path?: string, options?: BrowseOptions): Promise<Tab>;
};

/**
 * Serves one servlet for a test, on a real host on a free port. Dispose of it.
 * @param file the servlet's module: a path or `file:` URL
 * @see Racket `make-servlet-tester`
 *
 * @example
 * ```ts
 * await using host = await testServlet(new URL('sum.ts', import.meta.url), { limits: { heapMb: 30 } });
 * const tab = await host.browse('/sum');
 * ```
 */
export async function testServlet(file: string | URL, options: TestOptions = {}): Promise<TestHost> {
  const given = Object.entries(stated(options));
  const servlet = Object.fromEntries(given.filter(([name]) => SERVLET_OPTIONS.has(name)));
  const rest = Object.fromEntries(given.filter(([name]) => !SERVLET_OPTIONS.has(name)));
  return testHost({ isDevelopment: true, ...rest, servlets: [{ spareThreads: 0, ...servlet, file }] });
}

/**
 * Serves for a test what `serve()` takes.
 * @see Racket `make-dispatcher-tester`
 *
 * @example
 * ```ts
 * await using host = await testHost({ servlets: 'servlets/', extraFilesPaths: ['public'] });
 * const tab = await host.browse('/');
 * ```
 */
export async function testHost(options: ServeOptions): Promise<TestHost> {
  const host = await serve(options);
  return Object.assign(host, {
    browse: (path?: string, browseOptions?: BrowseOptions) => browse(host, path, browseOptions),
  });
}

/**
 * Opens a tab of a new visitor at a path of a host that runs already.
 *
 * @example
 * ```ts
 * await using host = await serve({ servlets: 'servlets/' });
 * const tab = await browse(host, '/shop', { headers: { 'Accept-Language': 'de' } });
 * ```
 */
export async function browse(host: Host, path?: string, options: BrowseOptions = {}): Promise<Tab> {
  const { headers = {}, cookies = new CookieJar() } = options;
  const origins = new Set(host.addresses.map(({ url }) => new URL(url).origin));
  return Tab.open({ cookies, headers, origins }, new URL(path ?? host.servlets[0]?.url ?? '/', host.url).href);
}
