import { dirname } from 'node:path';
import type { LeaseOrder, ServletLimits } from '@custodian/protocol';
import type { Limits } from '../limits.ts';
import type { Bench } from './bench.ts';
import type { Cell } from './cell.ts';
import type { CellGroup } from './cell-group.ts';
import type { HeldServlet } from './held-servlet.ts';
import { Lease, type LeaseFollower } from './lease.ts';
import { Pace } from './pace.ts';
import type { Places } from './places.ts';
import type { PoolSite } from './pool-site.ts';
import { threadFlags } from './profile.ts';
import type { Watched } from './watchdog.ts';

/** A thread may write so much at once, and in each second as much again. Together that is half of what ends it: see `Allowance`. */
const LOG_MAX_BYTES_PER_SECOND = 256 * 1024;
const MB = 1 << 20;
/** What may wait in a thread's channel, if its requests are quick: this much time of it, and so many. */
const CHANNEL_QUEUE_MS = 4;
const CHANNEL_QUEUE_MAX_COUNT = 64;
/** Threads that may be on their way at once. */
const STARTING_MAX_COUNT = 2;
/** Threads of each older version, for those who finish what they began in it. */
const OLD_VERSION_THREADS_MAX_COUNT = 2;
/** For the first answer of a thread that is alone: to start another takes a processor from it. */
const ANSWER_MS = 100;
/** When its threads are used up by instances that rest, one that has rested for so long makes room for a new one. */
const INSTANCE_REST_MIN_MS = 30_000;

/** Who wants the threads. */
export interface ThreadsOwner extends LeaseFollower, Watched {
  /** Requests that wait for any thread. */
  readonly queuedCount: number;
}

/** The threads of one servlet: how many there are, which may be used for what, when one more is started, and when one has nothing left to do. */
export class Threads implements Iterable<Lease> {
  /** The operator's limits, tightened by the servlet's own. */
  limits: Limits;
  /** They make again what others have saved. */
  revives = false;
  readonly pace: Pace = new Pace();
  readonly #servlet: HeldServlet;
  readonly #group: CellGroup;
  readonly #site: PoolSite;
  readonly #places: Places;
  readonly #bench: Bench;
  readonly #owner: ThreadsOwner;
  readonly #leases = new Set<Lease>();
  /** What the servlet asks of its own accord. */
  #ownLimits: ServletLimits = {};
  #spareTimer: NodeJS.Timeout | null = null;
  #isShut = false;

  constructor(
    servlet: HeldServlet,
    group: CellGroup,
    site: PoolSite,
    { places, bench, owner }: { places: Places; bench: Bench; owner: ThreadsOwner },
  ) {
    this.limits = servlet.limits;
    this.#servlet = servlet;
    this.#group = group;
    this.#site = site;
    this.#places = places;
    this.#bench = bench;
    this.#owner = owner;
  }

  [Symbol.iterator](): Iterator<Lease> {
    return this.#leases.values();
  }

  get all(): ReadonlySet<Lease> {
    return this.#leases;
  }

  /** The processes that they are in. */
  get cells(): Cell[] {
    return [...new Set(Array.from(this.#leases, (lease) => lease.cell))];
  }

  /** Continuations that they hold, and their bytes. */
  get holding(): { continuations: number; bytes: number } {
    const holding = { continuations: 0, bytes: 0 };
    for (const lease of this.#leases) {
      holding.continuations += lease.holdings.continuations;
      holding.bytes += lease.holdings.continuationBytes;
    }
    return holding;
  }

  get state(): 'idle' | 'starting' | 'ready' {
    for (const lease of this.#leases) if (lease.state === 'ready' || lease.state === 'stalled') return 'ready';
    return this.#leases.size > 0 ? 'starting' : 'idle';
  }

  get isInstanceEach(): boolean {
    return this.#servlet.unit === 'instance' || this.#group.isExclusive;
  }

  /** How many requests one may hold at once. */
  get depth(): number {
    if (this.#servlet.unit === 'servlet') return this.limits.queueMaxCount;
    if (this.isInstanceEach || !this.pace.isKnown) return 1;
    return Math.max(1, Math.min(CHANNEL_QUEUE_MAX_COUNT, Math.floor(CHANNEL_QUEUE_MS / this.pace.typicalMs)));
  }

  /** One that belongs to one instance is not used for another, nor one with old code for anything new. */
  isSpent(lease: Lease): boolean {
    if (lease.isOutdated) return true;
    return this.isInstanceEach && lease.answeredCount + lease.exchanges.size > 0;
  }

  /** Nothing would be lost with it: all that it holds is saved, and can be made again in the same code. */
  isParkable(lease: Lease): boolean {
    const { continuations, unsavedCount } = lease.holdings;
    return this.revives && lease.isIdle && continuations > 0 && unsavedCount === 0 && !lease.isOutdated;
  }

  /** Those that have the present version of the servlet, or an older one. */
  currentCount(version: string | null = null): number {
    let count = 0;
    for (const lease of this.#leases) if (isCurrent(lease, version)) count++;
    return count;
  }

  startingCount(version: string | null = null): number {
    let count = 0;
    for (const lease of this.#leases)
      if (lease.state === 'starting' && !lease.cell.isDoubtful && isCurrent(lease, version)) count++;
    return count;
  }

  /** What the present version of the servlet asks of its own accord. */
  tighten(ownLimits: ServletLimits): void {
    this.#ownLimits = ownLimits;
    this.limits = { ...this.#servlet.limits };
    for (const [name, value] of Object.entries(ownLimits) as [keyof ServletLimits, number][])
      this.limits[name] = Math.min(this.limits[name], value);
  }

  /**
   * The operator's limits are these from now on; what runs is held to them too. A thread whose cap would be more than the
   * machine has left keeps the one that it has.
   */
  adjust(limits: Limits): void {
    const hasOtherWall = limits.rssMb !== this.#servlet.limits.rssMb;
    // Whoever holds the servlet holds this object.
    Object.assign(this.#servlet.limits, limits);
    this.tighten(this.#ownLimits);
    const heapMaxBytes = this.limits.heapMb * MB;
    for (const lease of this.#leases) {
      if (hasOtherWall) lease.cell.memory.ownWallBytes = this.limits.rssMb * MB;
      const moreBytes = heapMaxBytes - lease.heapMaxBytes;
      if (moreBytes === 0 || lease.state === 'ending' || lease.state === 'gone') continue;
      if (moreBytes > 0 && !this.#site.budget.reserve(moreBytes)) continue;
      if (moreBytes < 0) this.#site.budget.release(-moreBytes);
      lease.adjust(heapMaxBytes);
    }
  }

  // -- More of them --------------------------------------------------------------------------------------------------

  /** One more, if the limits and the machine allow it. `version`: an older one of the servlet. */
  grow(version: string | null = null): void {
    if (this.#isShut || (version !== null && this.startingCount(version) > 0)) return;
    const { threadsMaxCount } = this.limits;
    const mostCount = version === null ? threadsMaxCount : Math.min(threadsMaxCount, OLD_VERSION_THREADS_MAX_COUNT);
    if (this.currentCount(version) >= mostCount) return this.#makeRoom(version);
    if (this.#bench.isBenched && !this.#bench.mayTryAgain()) return;
    const heapMaxBytes = this.limits.heapMb * MB;
    if (!this.#site.budget.reserve(heapMaxBytes)) return this.#makeRoom(version);
    const lease = this.#openLease(heapMaxBytes, version);
    if (lease === null) return this.#site.budget.release(heapMaxBytes);
    const { cell } = lease;
    if (this.limits.rssMb > 0) cell.memory.ownWallBytes = this.limits.rssMb * MB;
    this.#leases.add(lease);
    this.#places.add(lease);
    this.#site.watchdog.follow(lease, this.#owner);
    const order = this.#orderFor(lease);
    cell.booted
      .then(() => cell.start({ ...order, heapMaxBytes: lease.heapMaxBytes }))
      .then(
        () => lease.watch(this.limits.loadCpuMs),
        () => {
          // The cell died at its start, and its leases with it.
        },
      );
  }

  /**
   * One more for those that wait, unless one is coming, or those that there are will be through in a moment. `versions`: the older
   * versions that are waited for.
   */
  growFor(waitingCount: number, versions: ReadonlySet<string>): void {
    for (const version of versions) this.grow(version);
    if (this.startingCount() >= Math.min(STARTING_MAX_COUNT, waitingCount)) return;
    const isQuick = this.depth > 1;
    let atWork = 0;
    for (const lease of this.#leases) {
      if (lease.state !== 'ready' || lease.isOutdated || lease.version !== null) continue;
      if (isQuick) return;
      if (!this.isSpent(lease)) atWork++;
    }
    if (atWork <= this.pace.usefulThreads) this.grow();
  }

  /**
   * Keeps some ready beside the busy ones, so that a kill or a slow request costs nobody a wait. Beside a thread that is alone,
   * in a moment: who has waited for it is answered first.
   */
  keepSpare(): void {
    if (!this.#lacksSpare) return;
    if (this.currentCount() !== 1) return this.grow();
    if (this.#spareTimer !== null) return;
    this.#spareTimer = setTimeout(() => {
      this.#spareTimer = null;
      // It may be idle by now, and be kept busy by the next. Who closes it does not want another.
      const isEnding = this.#leases.values().some((lease) => lease.state === 'ending' && isCurrent(lease, null));
      if (this.currentCount() === 1 && !isEnding) this.grow();
    }, ANSWER_MS).unref();
  }

  /** Keeps some ready in another cell when theirs may have to be killed. */
  replaceDoubtful(): void {
    if (this.#lacksSpare) this.grow();
  }

  get #lacksSpare(): boolean {
    const { spareThreads } = this.#servlet;
    if (spareThreads === 0 || this.currentCount() >= this.limits.threadsMaxCount) return false;
    let spare = 0,
      atWork = 0;
    for (const lease of this.#leases) {
      if (this.isSpent(lease) || lease.version !== null || lease.cell.isDoubtful) continue;
      if (lease.state === 'starting' || lease.isIdle) spare++;
      else if (lease.state === 'ready') atWork++;
    }
    return spare < spareThreads && atWork <= this.pace.usefulThreads;
  }

  /** A lease in the group's cell; `null` when the machine has no process or descriptor left, which may pass. */
  #openLease(heapMaxBytes: number, version: string | null): Lease | null {
    try {
      const cell = this.#group.cell();
      const isSequential = this.#servlet.unit !== 'servlet';
      const lease = cell.openLease(
        (number, channel) => new Lease(number, channel, cell, isSequential, heapMaxBytes, this.#owner, version),
      );
      if (this.#group.isExclusive) cell.retire();
      return lease;
    } catch (error) {
      this.#site.onLog(3, `no thread could be started: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  #orderFor(lease: Lease): LeaseOrder {
    const servlet = this.#servlet;
    const { cell, version } = lease;
    const tempDir = cell.tempDirFor(servlet.name, lease.number);
    return {
      lease: lease.number,
      channelFd: cell.channelFd(lease.number),
      servletUrl: servlet.url,
      persistence: servlet.persistence,
      servletName: servlet.name,
      versionFile: version === null ? null : this.#site.versions.fileOf(servlet.name, version),
      keepsVersion: version === null && servlet.limits.oldVersionMs > 0,
      place: lease.place,
      unit: servlet.unit,
      heapMaxBytes: lease.heapMaxBytes,
      execArgv: threadFlags(servlet.profile, servlet.file, dirname(tempDir), servlet.compiledPackages),
      compiledPackages: servlet.compiledPackages,
      guest:
        servlet.profile === 'trusted'
          ? null
          : { tempDir, tempMaxBytes: this.limits.tempMb * MB, hasFetch: servlet.fetch !== null },
      isDevelopment: this.#site.isDevelopment,
      logMaxBytesPerSecond: Math.min(this.limits.logMaxBytesPerSecond, LOG_MAX_BYTES_PER_SECOND),
    };
  }

  /** For those that wait, ends the instance that has rested longest: one that can be made again, or else one that has rested for long. */
  #makeRoom(version: string | null): void {
    if (!this.isInstanceEach || this.#owner.queuedCount === 0) return;
    const now = performance.now();
    let oldest: Lease | null = null;
    let ending = 0;
    for (const lease of this.#leases) {
      if (lease.version !== version) continue;
      if (lease.state === 'ending') ending++;
      if (!lease.isIdle || this.#places.hasWaiting(lease)) continue;
      const isParkable = this.isParkable(lease);
      if (!isParkable && now - lease.progressAt < INSTANCE_REST_MIN_MS) continue;
      const isRatherKept = oldest !== null && this.isParkable(oldest) !== isParkable;
      if (oldest === null || (isRatherKept ? isParkable : lease.progressAt < oldest.progressAt)) oldest = lease;
    }
    // The places of those that are ending already are about to be free.
    if (oldest !== null && ending < Math.min(STARTING_MAX_COUNT, this.#owner.queuedCount))
      oldest.end('idle', 'it made room for another visitor');
  }

  /** In how many ms the first thread makes room: 0 when that may be at any moment, more when all are with instances that rest, and nothing is saved of them. */
  roomInMs(): number {
    if (!this.isInstanceEach || this.currentCount() < this.limits.threadsMaxCount) return 0;
    const now = performance.now();
    let roomInMs = INSTANCE_REST_MIN_MS;
    for (const lease of this.#leases) {
      if (!isCurrent(lease, null)) continue;
      const isAtRest = lease.isIdle && this.isSpent(lease) && lease.holdings.continuations > 0;
      if (!isAtRest || this.#places.hasWaiting(lease) || this.isParkable(lease)) return 0;
      roomInMs = Math.min(roomInMs, Math.max(0, lease.progressAt + INSTANCE_REST_MIN_MS - now));
    }
    return roomInMs;
  }

  // -- Fewer of them -------------------------------------------------------------------------------------------------

  /** One whose instance is over has nothing more to do. */
  endIfOver(lease: Lease): void {
    if (!this.isSpent(lease) || lease.holdings.continuations > 0 || lease.exchanges.size > 0) return;
    // Of one that is still loading nobody knows which code it has; it ends when it is ready.
    if (lease.state === 'starting') return;
    if (!this.#places.hasWaiting(lease)) lease.end('drain');
  }

  /** Ends those that have rested for long and whose instances can be made again, or whose version is an older one. */
  endRested(now: number, restMs: number): void {
    for (const lease of this.#leases) {
      if (now - lease.progressAt < restMs) continue;
      const isParkable = this.isParkable(lease);
      const isOver = lease.version !== null && lease.isIdle && (lease.holdings.continuations === 0 || isParkable);
      if (isOver || (this.isInstanceEach && isParkable)) lease.end('idle');
    }
  }

  /** Ends all, if nothing would be lost: what their managers hold would be, unless all of it is saved. */
  endIdle(): boolean {
    for (const lease of this.#leases)
      if (!lease.isIdle || (lease.holdings.continuations > 0 && !this.isParkable(lease))) return false;
    for (const lease of this.#leases) lease.end('idle');
    return true;
  }

  /** None of them takes up anything new. */
  outdate(): void {
    let outdated = 0;
    // The newest first: when visitors hold on to too many old versions, the oldest go.
    for (const lease of [...this.#leases].reverse()) {
      if (lease.version !== null) continue;
      lease.isOutdated = true;
      if (lease.exchanges.size === 0 && ++outdated > this.limits.threadsMaxCount) lease.end('drain', 'it was reloaded');
      else this.endIfOver(lease);
    }
  }

  /** No further ones; those that run finish what they have. */
  shut(): void {
    this.#isShut = true;
  }

  remove(lease: Lease): void {
    this.#leases.delete(lease);
    this.#site.budget.release(lease.heapMaxBytes);
  }
}

/** It has the present version of the servlet, or that older one. */
function isCurrent(lease: Lease, version: string | null): boolean {
  return !lease.isOutdated && lease.version === version;
}
