import type { HeldInstance } from '@custodian/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cell } from '../cell/cell.ts';
import type { Account, Latency } from '../cell/ledger.ts';
import type { Lease } from '../cell/lease.ts';
import type { Obituary } from '../cell/obituary.ts';
import type { ServletPool } from '../cell/pool.ts';
import type { Limits } from '../limits.ts';
import type { Profile, ServletStatus } from '../options.ts';
import type { AdminSite } from './site.ts';

/** A thread, as it is now. */
export interface ThreadSnapshot {
  cell: number;
  pid: number;
  thread: number;
  state: Lease['state'];
  /** Requests that it has been given and has not answered, and the oldest of them, as `GET /hello`. */
  requests: number;
  request: string | null;
  /** How long that one has run, in ms; and the CPU time that the thread has used meanwhile, which is capped. */
  requestMs: number;
  requestCpuMs: number;
  cpuMaxMs: number;
  heapBytes: number;
  offHeapBytes: number;
  /** Resident memory that neither of them shows, as far as it is known to be this thread's. */
  unexplainedBytes: number;
  /** Cap on heap and off-heap together; and on the rest. */
  heapMaxBytes: number;
  peakBytes: number;
  cpuMs: number;
  answered: number;
  continuations: number;
  continuationBytes: number;
  /** Of which instances; null: it holds none, or has not been able to say. */
  instances: InstancesSnapshot | null;
  ageMs: number;
}

/** The instances of a thread, as it told them so many ms ago: one that is busy can't. */
export interface InstancesSnapshot {
  count: number;
  toldMs: number;
  /** The newest 50, newest first, each with its newest 20 continuations. */
  newest: HeldInstance[];
}

export interface ServletSnapshot extends ServletStatus {
  account: Account;
  latency: Latency;
  threadList: ThreadSnapshot[];
}

/** A death, counted from 1: those of one cell can be of one moment. */
export interface ObituarySnapshot extends Obituary {
  number: number;
}

export interface CellSnapshot {
  number: number;
  pid: number;
  profile: Profile;
  servlets: string[];
  threads: number;
  rssBytes: number;
  peakRssBytes: number;
  /** Resident memory that it is killed above. */
  rssMaxBytes: number;
  answered: number;
  ageMs: number;
  /** CPU time that its supervisor has spent, but for starting itself and its threads, in ms. */
  samplingMs: number;
}

/** All that the operator's page shows, as plain data. */
export interface HostSnapshot {
  /** ms since 1970. */
  at: number;
  pid: number;
  node: string;
  urls: string[];
  upMs: number;
  rssBytes: number;
  /** Memory promised to threads, and how much may be. */
  reservedBytes: number;
  budgetBytes: number;
  connections: number;
  latency: Latency;
  servlets: ServletSnapshot[];
  cells: CellSnapshot[];
  /** Newest first. */
  obituaries: ObituarySnapshot[];
  refusals: Record<string, number>;
}

const OBITUARIES_SHOWN = 100;
const DETAIL_MAX_CHARS = 500;

/** A thread that has not told its instances by then shows those that it told before. */
const TELL_MAX_MS = 200;

/** Takes down what a host is doing, after its threads have had the time to tell which instances they hold. */
export async function takeDetailedSnapshot(site: AdminSite): Promise<HostSnapshot> {
  const holders = site.pools().flatMap((pool) => [...pool.leases].filter((lease) => lease.holdings.continuations > 0));
  if (holders.length > 0) {
    const enough = new AbortController();
    const told = Promise.all(holders.map((lease) => lease.holdings.ask()));
    await Promise.race([told, delay(TELL_MAX_MS, undefined, { signal: enough.signal }).catch(() => {})]);
    enough.abort();
  }
  return takeSnapshot(site);
}

/** Takes down what a host is doing. Costs a walk over its threads and its last requests. */
export function takeSnapshot(site: AdminSite): HostSnapshot {
  const { host } = site;
  const { ledger } = host;
  const pools = site.pools();
  const now = performance.now();
  return {
    at: Date.now(),
    pid: process.pid,
    node: process.version,
    urls: host.addresses.map((address) => address.url),
    upMs: Math.round(process.uptime() * 1000),
    rssBytes: process.memoryUsage.rss(),
    reservedBytes: site.budget.reservedBytes,
    budgetBytes: site.budget.maxBytes,
    connections: site.connectionCount(),
    latency: ledger.latency(null),
    servlets: host.servlets.map((status, index) => {
      const pool = pools[index] as ServletPool;
      return {
        ...status,
        error: status.error === null ? null : inShort(status.error),
        account: ledger.account(status.name),
        latency: ledger.latency(status.name),
        threadList: Array.from(pool.leases, (lease) => threadSnapshot(lease, pool.limits, now)),
      };
    }),
    cells: site.cells().map((cell) => cellSnapshot(cell, pools, now)),
    obituaries: ledger.obituaries
      .slice(-OBITUARIES_SHOWN)
      .reverse()
      .map((each, index) => ({ ...each, number: ledger.buriedCount - index, detail: inShort(each.detail) })),
    refusals: Object.fromEntries(ledger.refusals),
  };
}

/** A servlet chooses what its errors say, and who watches gets it again each second. */
function inShort(text: string): string {
  return text.length <= DETAIL_MAX_CHARS ? text : `${text.slice(0, DETAIL_MAX_CHARS)}…`;
}

function threadSnapshot(lease: Lease, { cpuMs: cpuMaxMs }: Limits, now: number): ThreadSnapshot {
  const { oldest } = lease;
  return {
    cell: lease.cell.number,
    pid: lease.cell.pid,
    thread: lease.number,
    state: lease.state,
    requests: lease.exchanges.size,
    request: oldest === null ? null : `${oldest.method} ${oldest.url}`,
    requestMs: oldest === null ? 0 : Math.round(now - lease.busySince),
    requestCpuMs: oldest === null ? 0 : Math.round(lease.meter.requestCpuMs),
    cpuMaxMs,
    heapBytes: lease.meter.heapBytes,
    offHeapBytes: lease.meter.offHeapBytes,
    unexplainedBytes: lease.meter.unexplainedBytes,
    heapMaxBytes: lease.heapMaxBytes,
    peakBytes: lease.meter.peakHeapBytes + lease.meter.peakOffHeapBytes,
    cpuMs: Math.round(lease.meter.cpuMs),
    answered: lease.answeredCount,
    continuations: lease.holdings.continuations,
    continuationBytes: lease.holdings.continuationBytes,
    instances: instancesSnapshot(lease, now),
    ageMs: Math.round(now - lease.startedAt),
  };
}

function instancesSnapshot({ holdings }: Lease, now: number): InstancesSnapshot | null {
  if (holdings.continuations === 0 || holdings.last === null) return null;
  return { count: holdings.last.instances, toldMs: Math.round(now - holdings.toldAt), newest: holdings.last.newest };
}

function cellSnapshot(cell: Cell, pools: readonly ServletPool[], now: number): CellSnapshot {
  return {
    number: cell.number,
    pid: cell.pid,
    profile: cell.profile,
    servlets: pools.filter((pool) => pool.cells.includes(cell)).map((pool) => pool.servlet.name),
    threads: cell.leases.size,
    rssBytes: cell.memory.sample(),
    peakRssBytes: cell.memory.peakBytes,
    rssMaxBytes: cell.memory.wallBytes(),
    answered: cell.answeredCount,
    ageMs: Math.round(now - cell.startedAt),
    samplingMs: Math.round(cell.samplingMs * 10) / 10,
  };
}
