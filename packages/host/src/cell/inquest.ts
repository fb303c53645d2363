/** Of what a thread died, and on whose account. */
import type { Exchange } from '../http/exchange.ts';
import type { LimitName, Limits } from '../limits.ts';
import type { Lease } from './lease.ts';
import { type DeathCause, limitOfCause, type Obituary } from './obituary.ts';

const MB = 1 << 20;

/** The request that a thread died of, as far as it can be told. */
export function guiltyOf(lease: Lease, running: number): Exchange | null {
  if (lease.deathCause === 'drain' || lease.deathCause === 'operator') return null;
  if (running === -1 && !isSuspect(lease)) return null;
  if (lease.isSequential)
    return running > 0 ? (lease.exchanges.get(running) ?? lease.oldest) : running === 0 ? null : lease.oldest;
  return lease.exchanges.size === 1 ? lease.oldest : null;
}

/** May its cell have died of what this thread was at? When that is not sure, what is safe to repeat gets another try. */
function isSuspect(lease: Lease): boolean {
  const { cell, oldest } = lease;
  if (!cell.isGone) return true;
  if (oldest === null || !cell.suspects.includes(lease)) return false;
  const isAlone = cell.suspects.length === 1 && lease.exchanges.size === 1;
  // What the whole process holds may be what another servlet's thread, at rest by now, has taken.
  const isCertain = isAlone && !(cell.deathCause === 'rss' && cell.servletCountAtDeath > 1);
  return isCertain || !oldest.isSafe || oldest.isRetry;
}

/**
 * What becomes of a request that a thread had when it ended: `died`, the thread died of it; `over`, it has its answer; `cut`, half
 * of it; `gone`, nobody else has its continuation; `again`, another thread may try it; `bystander`, it may have been half done.
 */
export type Fate = 'died' | 'over' | 'cut' | 'gone' | 'again' | 'bystander';

/** Of all that it had, in their order. `revives`: other threads make again what was saved of its continuations. */
export function fatesOf(lease: Lease, guilty: Exchange | null, revives: boolean): [Exchange, Fate][] {
  const exchanges = [...lease.exchanges.values()];
  const guiltyAt = guilty === null ? -1 : exchanges.indexOf(guilty);
  return exchanges.map((exchange, at) => {
    if (at === guiltyAt) return [exchange, 'died'];
    if (exchange.isDone) return [exchange, 'over'];
    if (exchange.isHeadSent) return [exchange, 'cut'];
    if (!revives && exchange.token?.place === lease.place) return [exchange, 'gone'];
    // Threads that run strictly one request after another never began those behind the one that they died of.
    const isUnbegun = lease.isSequential && guiltyAt >= 0 && at > guiltyAt;
    const mayRepeat = !exchange.isRetry && !exchange.hasBody && (exchange.isRepeatable || isUnbegun);
    return [exchange, mayRepeat ? 'again' : 'bystander'];
  });
}

/**
 * What the end of a thread that has answered nothing says about its servlet: that it is unfit; nothing, since an operator
 * or another thread ended it; or something only if it happens again, since a signal came from nobody knows where.
 */
export function startEndOf(lease: Lease): 'unfit' | 'ended' | 'forced' {
  const { cell } = lease;
  if (lease.deathCause === 'operator') return 'ended';
  if (!cell.isGone) return 'unfit';
  if (cell.culprit !== null) return cell.culprit === lease ? 'unfit' : 'ended';
  return cell.wasKilledFromOutside || cell.leaseCountAtDeath > 1 ? 'forced' : 'unfit';
}

function limitOf(lease: Lease, cause: DeathCause): LimitName | null {
  // The supervisor blames a thread for resident memory by the thread's own cap; the whole cell has a wall besides.
  if (cause === 'rss' && lease.isBreached) return 'heapMb';
  if (!lease.isLoaded && cause === 'cpu') return 'loadCpuMs';
  if (!lease.isLoaded && cause === 'wall') return 'loadTimeoutMs';
  return limitOfCause(cause);
}

/** What is left of a lease, once it is gone. `guilty`: the request that it died of, where that is known. */
export function obituaryOf(lease: Lease, guilty: Exchange | null, servlet: string, limits: Limits): Obituary {
  const cause = lease.deathCause ?? 'crash';
  const { failure, cell } = lease;
  const limit = limitOf(lease, cause);
  return {
    at: Date.now(),
    servlet,
    cell: cell.number,
    pid: cell.pid,
    lease: cell.isGone ? null : lease.number,
    cause,
    limit,
    limitValue: limit === null ? null : limit === 'rssMb' ? Math.round(cell.memory.wallBytes() / MB) : limits[limit],
    request: guilty === null ? null : `${guilty.method} ${guilty.url.slice(0, 200)}`,
    detail:
      lease.deathDetail ||
      (failure === null ? (cell.isGone ? cell.exitDetail : '') : `${failure.name}: ${failure.message}`),
    peakHeapBytes: lease.meter.peakHeapBytes,
    peakOffHeapBytes: lease.meter.peakOffHeapBytes,
    peakRssBytes: cell.memory.peakBytes,
    cpuMs: lease.meter.cpuMs,
    deathMs: Math.max(lease.endingMs, cell.endingMs),
  };
}
