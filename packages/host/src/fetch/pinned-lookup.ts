/* oxlint-disable promise/no-callback-in-promise -- net asks by callback, the resolver answers by promise */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { ServiceError } from '../service/service.ts';
import { Turns } from '../service/turns.ts';
import type { FetchRules } from './fetch-rules.ts';

export type Resolve = (hostname: string, options: LookupOptions & { all: true }) => Promise<LookupAddress[]>;

/** The system's resolver blocks one of Node's few threads, which the host's files need too. */
const turns = new Turns(2);
/** So many names of a servlet wait, also those of fetches that nobody waits for any more. */
const WAITING_MAX_COUNT = 64;

/**
 * Resolves a name to addresses that may be reached and no others: what is looked at is what is connected to, so that a name
 * which answers otherwise the second time gains nothing. Connections that want a name while it is being resolved get the
 * same addresses.
 */
export function pinnedLookup(rules: FetchRules, resolve: Resolve = lookup): LookupFunction {
  // One at a time for each servlet: names that are resolved slowly keep nobody else's waiting.
  const own = new Turns(1);
  const underWay = new Map<string, Promise<LookupAddress[]>>();
  return (hostname, options, done) => {
    const wanted = `${hostname} ${options.family} ${options.hints}`;
    let lookedUp = underWay.get(wanted);
    if (lookedUp === undefined) {
      lookedUp = allowedAddresses(hostname, options, { rules, resolve, own }).finally(() => underWay.delete(wanted));
      underWay.set(wanted, lookedUp);
    }
    lookedUp.then(
      (allowed) => {
        if (options.all === true) return done(null, allowed);
        const { address, family } = allowed[0] as LookupAddress;
        done(null, address, family);
      },
      (error: NodeJS.ErrnoException) => done(error, '', 0),
    );
  };
}

/** At least one. @throws ServiceError, or what the resolver says */
async function allowedAddresses(
  hostname: string,
  { family, hints }: LookupOptions,
  { rules, resolve, own }: { rules: FetchRules; resolve: Resolve; own: Turns },
): Promise<LookupAddress[]> {
  if (own.waitingCount >= WAITING_MAX_COUNT)
    throw new ServiceError('LIMIT_FETCHES', 'Cannot fetch: too many names wait to be resolved for the servlet');
  await own.take();
  await turns.take();
  try {
    const found = await resolve(hostname, { family: family ?? 0, hints: hints ?? 0, all: true });
    const allowed = found.filter(({ address }) => rules.mayReach(address));
    if (allowed.length === 0) throw privateAddress(hostname);
    return allowed;
  } finally {
    turns.release();
    own.release();
  }
}

/** What a guest is told of an address that it may not reach. */
export function privateAddress(host: string): ServiceError {
  return new ServiceError(
    'FETCH_ADDRESS',
    `Cannot fetch from "${host}": its address is not public, and nobody allowed it`,
  );
}
