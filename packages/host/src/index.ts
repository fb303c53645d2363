// For whoever compiles against the published declarations.
/// <reference types="node" preserve="true" />
import { ServletHost } from './host.ts';
import type { Host, ListenAddress, ServeOptions } from './options.ts';
import { ConfigError } from './servlet-list.ts';

export { PortInUseError } from './acceptor.ts';
export type { Account, Ledger, RequestRecord } from './cell/ledger.ts';
export type { DeathCause, Obituary } from './cell/obituary.ts';
export { Custodian, CustodianShutError, type Closable } from './custodian.ts';
export { DEFAULT_LIMITS, LIMITS, type LimitName, type LimitRow, type Limits } from './limits.ts';
export type { Host, ListenAddress, Profile, ServeOptions, ServletOptions, ServletStatus, Unit } from './options.ts';
export { ConfigError } from './servlet-list.ts';

/**
 * Starts a host and returns when it listens; servlets are loaded when they are first asked for, or with `isEager`.
 * @throws PortInUseError, ConfigError
 * @example
 * await using host = await serve({ servlets: 'servlets/', port: 8080 });
 * @see Racket `serve`, `serve/ports`, `serve/ips+ports`
 */
export async function serve(options: ServeOptions): Promise<Host> {
  const addresses = addressesOf(options);
  const host = new ServletHost(options);
  try {
    await host.listen(addresses);
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

function addressesOf(options: ServeOptions): ListenAddress[] {
  const host = options.host ?? '127.0.0.1';
  const addresses: ListenAddress[] = [];
  if (options.ipsAndPorts !== undefined) {
    for (const [ip, ports] of options.ipsAndPorts) for (const port of ports) addresses.push({ host: ip, port });
  }
  for (const port of options.ports ?? []) addresses.push({ host, port });
  if (options.port !== undefined || addresses.length === 0) addresses.unshift({ host, port: options.port ?? 0 });
  for (const { port } of addresses) {
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new ConfigError(`Cannot listen on port ${String(port)}: it is not a number from 0 to 65535`);
  }
  return addresses;
}
