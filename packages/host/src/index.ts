// For whoever compiles against the published declarations.
/// <reference types="node" preserve="true" />
import { checkOptions } from './option-checks.ts';
import { checkConfig } from './option-tables.ts';
import { ServletHost } from './host.ts';
import { Custodian } from './custodian.ts';
import { type Jail, JailError, openJail } from './jail/jail.ts';
import type { Host, ListenAddress, Profile, ServeOptions, ServletOptions } from './options.ts';

export type { Account, Ledger, RequestRecord } from './cell/ledger.ts';
export type { DeathCause, Obituary } from './cell/obituary.ts';
export { Custodian, CustodianShutError, type Closable } from './custodian.ts';
export { ListenError, PortInUseError } from './listen-error.ts';
export { DEFAULT_LIMITS, LIMITS, type LimitName, type LimitRow, type Limits } from './limits.ts';
export type { Host, ListenAddress, Profile, ServeOptions, ServletOptions, ServletStatus, Unit } from './options.ts';
export { ConfigError } from './config-error.ts';
export * as dispatchers from './dispatcher/index.ts';
export type { Answerer, Dispatcher, DispatchSite, Pass } from './dispatcher/dispatcher.ts';
export type { FilesOptions } from './dispatcher/files.ts';
export type { NotFoundResponder } from './dispatcher/not-found.ts';
export type { Realm } from './dispatcher/realms.ts';
export type { ServletsRootOptions } from './dispatcher/servlets-root.ts';
export type { CacheOptions } from './http/cache-control.ts';
export type { ErrorPage } from './http/error-page.ts';
export type { Exchange } from './http/exchange.ts';
export type { HostAnswer } from './http/host-answer.ts';
export type { ServletResponder } from './http/servlet-responder.ts';
export type { LogFormat, LogFormatter, LoggedRequest, LoggedResponse } from './log/log-format.ts';
export type { LogTarget } from './log/request-log.ts';
export { JailError } from './jail/jail.ts';

/**
 * Starts a host and returns when it listens; servlets are loaded when they are first asked for, or with `isEager`.
 * @throws PortInUseError, ListenError, ConfigError, JailError
 * @see Racket `serve/servlet`, `serve`, `serve/ports`, `serve/ips+ports`
 *
 * @example
 * ```ts
 * await using host = await serve({ servlets: 'servlets/', port: 8080 });
 * ```
 */
export async function serve(options: ServeOptions): Promise<Host> {
  checkOptions('Cannot serve', checkConfig, options);
  const addresses = addressesOf(options);
  const custodian = new Custodian('host', null);
  let host: ServletHost;
  try {
    host = new ServletHost(options, [], custodian, asksForJail(options) ? await triedJail() : null);
    await host.listen(addresses);
  } catch (error) {
    await custodian.shutdownAll();
    throw error;
  }
  const isInteractive = options.commandLine === false;
  if (options.banner ?? isInteractive) sayWhere(host, urlOf(host));
  if (options.open ?? isInteractive) void openAt(urlOf(host));
  return host;
}

/** Where the only servlet is, or the site. */
function urlOf(host: Host): string {
  const [only, ...others] = host.servlets;
  return only !== undefined && others.length === 0 ? only.url : host.url;
}

function sayWhere(host: Host, url: string): void {
  console.log(`Your Web application is running at ${url}.`);
  console.log('Stop this program at any time to terminate the Web Server.');
  void host.closed.then(() => console.log('Web Server stopped.'));
}

async function openAt(url: string): Promise<void> {
  const { openBrowser } = await import('./cli/browser.ts');
  const problem = await openBrowser(url);
  if (problem !== null) console.error(`Cannot open a browser (${problem}); the address is ${url}`);
}

function asksForJail({ profile, servlets, servletsRoot }: ServeOptions): boolean {
  const each = Array.isArray(servlets) ? (servlets as readonly (string | URL | ServletOptions)[]) : [];
  const all = [...each, servletsRoot];
  return profile === 'jail' || all.some((one) => (one as { profile?: Profile } | undefined)?.profile === 'jail');
}

/** What a jail can be made of here, or why it can't. */
function triedJail(): Promise<Jail | JailError> {
  return openJail().catch((error: unknown) => {
    if (error instanceof JailError) return error;
    throw error;
  });
}

function addressesOf(options: ServeOptions): ListenAddress[] {
  const host = options.host ?? '127.0.0.1';
  const addresses: ListenAddress[] = [];
  if (options.ipsAndPorts !== undefined) {
    for (const [ip, ports] of options.ipsAndPorts) for (const port of ports) addresses.push({ host: ip, port });
  }
  for (const port of options.ports ?? []) addresses.push({ host, port });
  if (options.port !== undefined || addresses.length === 0) addresses.unshift({ host, port: options.port ?? 0 });
  return addresses;
}
