import { dirname } from 'node:path';
import {
  type Failure,
  type LeaseOrder,
  type Persistence,
  type Ready,
  readNear,
  readVersion,
  type Usage,
  withoutToken,
  withoutVersion,
} from '@custodian/protocol';
import type { FetchRules } from '../fetch/fetch-rules.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Limits } from '../limits.ts';
import type { Profile, Unit } from '../options.ts';
import { faultText, type Services } from '../service/service.ts';
import type { Uploads } from '../upload/uploads.ts';
import type { VersionKeeper } from '../version/version-keeper.ts';
import { Bench } from './bench.ts';
import type { Cell } from './cell.ts';
import type { CellGroup } from './cell-group.ts';
import { busyPage, deathPage, failurePage, gonePage, latePage } from './death-page.ts';
import { guiltyOf, obituaryOf, startEndOf } from './inquest.ts';
import { Lease, type LeaseFollower } from './lease.ts';
import type { Obituary } from './obituary.ts';
import { Pace } from './pace.ts';
import { Places } from './places.ts';
import { threadFlags } from './profile.ts';
import type { Watchdog } from './watchdog.ts';

/** A servlet as the operator wants it held. */
export interface HeldServlet {
  name: string;
  /** Where it answers: `/shop/cart`. */
  path: string;
  file: string;
  url: string;
  unit: Unit;
  profile: Profile;
  /** What to have where that can't be had. */
  weakerProfile: Profile | null;
  cell: string;
  limits: Limits;
  spareThreads: number;
  /** What the operator asked for; null: what the module says. */
  persistence: Persistence | null;
  /** What its guests may fetch; null: nothing. */
  fetch: FetchRules | null;
  /** `file:` URLs, ending in a slash, of the packages that are compiled with it. */
  compiledPackages: readonly string[];
}

/** What a pool needs from its host. */
export interface PoolSite {
  watchdog: Watchdog;
  budget: { reserve(bytes: number): boolean; release(bytes: number): void };
  /** What its threads may ask for. */
  services: Services;
  /** Where multipart forms are read. */
  uploads: Uploads;
  versions: VersionKeeper;
  isDevelopment: boolean;
  onCharge(exchange: Exchange, usage: Usage, peakBytes: number, failure: Failure | null): void;
  /** `failure`: what it threw, if it did. */
  onDeath(obituary: Obituary, failure: Failure | null): void;
  onLog(level: number, text: string): void;
}

const MB = 1 << 20;
/** What may wait in a thread's channel, if its requests are quick: this much time of it, and so many. */
const CHANNEL_QUEUE_MS = 4;
const CHANNEL_QUEUE_MAX_COUNT = 64;
/** Threads that may be on their way at once. */
const STARTING_MAX_COUNT = 2;
/** Threads of each older version, for those who finish what they began in it. */
const OLD_VERSION_THREADS_MAX_COUNT = 2;
/** When its threads are used up by instances that rest, one that has rested for so long makes room for a new one. */
const INSTANCE_REST_MIN_MS = 30_000;

/** The threads of one servlet, and the requests that wait for one. */
export class ServletPool implements LeaseFollower {
  readonly servlet: HeldServlet;
  /** The operator's limits, tightened by the servlet's own. */
  limits: Limits;
  kind: Ready['kind'] = 'servlet';
  /** It has multipart forms sent to it as they arrive; null: nobody knows before it is loaded. */
  takesRawBody: boolean | null = null;
  readonly bench: Bench;
  lastUsedAt: number = performance.now();
  readonly #group: CellGroup;
  readonly #site: PoolSite;
  readonly #leases = new Set<Lease>();
  readonly #queue: Exchange[] = [];
  readonly #places = new Places();
  #startUrl: string | null = null;
  /** Its threads make again what others have saved. */
  #revives = false;
  readonly #pace = new Pace();
  #isShut = false;
  #onSettled: (() => void)[] = [];

  constructor(servlet: HeldServlet, group: CellGroup, site: PoolSite) {
    this.servlet = servlet;
    this.limits = servlet.limits;
    this.#group = group;
    this.#site = site;
    this.bench = new Bench(servlet.file);
  }

  get services(): Services {
    return this.#site.services;
  }

  get uploads(): Uploads {
    return this.#site.uploads;
  }

  get threadCount(): number {
    return this.#leases.size;
  }

  get leases(): ReadonlySet<Lease> {
    return this.#leases;
  }

  /** The processes that its threads are in. */
  get cells(): Cell[] {
    return [...new Set(Array.from(this.#leases, (lease) => lease.cell))];
  }

  /** Continuations that its threads hold, and their bytes. */
  get holding(): { continuations: number; bytes: number } {
    const holding = { continuations: 0, bytes: 0 };
    for (const lease of this.#leases) {
      holding.continuations += lease.continuations;
      holding.bytes += lease.continuationBytes;
    }
    return holding;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  get state(): 'idle' | 'starting' | 'ready' | 'benched' {
    if (this.bench.isBenched) return 'benched';
    for (const lease of this.#leases) if (lease.state === 'ready' || lease.state === 'stalled') return 'ready';
    return this.#leases.size > 0 ? 'starting' : 'idle';
  }

  /** Starts the first thread, and resolves when it is ready or the servlet is benched. */
  start(): Promise<void> {
    if (this.#leases.size === 0) this.#grow();
    if (this.state !== 'starting') return Promise.resolve();
    return new Promise((resolve) => this.#onSettled.push(resolve));
  }

  /** Gives a request to a thread, or lets it wait for one. */
  dispatch(exchange: Exchange): void {
    this.lastUsedAt = exchange.arrivedAt;
    const { token } = exchange;
    if (token !== null) {
      const holder = this.#places.holderOf(token);
      if (holder !== undefined) return this.#dispatchTo(holder, exchange);
      const obituary = this.#places.epitaph(token);
      if (obituary !== undefined && !this.#revives) return this.#answerGone(exchange, obituary);
      // Any thread will do: it finds what was saved of the instance, or answers as for a page that has expired.
    }
    const near = readNear(exchange.url);
    const holder = near === null ? undefined : this.#places.find(near);
    if (holder !== undefined) return this.#dispatchTo(holder, exchange);
    const lease = this.#pick(exchange);
    if (lease !== null) this.#runOn(lease, exchange);
    else this.#enqueue(exchange);
  }

  /** Closes what has not been used for long. Returns whether the servlet is idle altogether. */
  sweep(now: number): boolean {
    for (const exchange of this.#queue.filter((waiting) => now - waiting.queuedAt > this.limits.queueTimeoutMs)) {
      this.#queue.splice(this.#queue.indexOf(exchange), 1);
      exchange.refuse(
        busyPage('LIMIT_QUEUE_TIMEOUT', this.servlet.name, this.#site.isDevelopment ? this.bench.lastError : null),
      );
    }
    for (const exchange of this.#places.takeLate(now, this.limits.queueTimeoutMs))
      exchange.refuse(busyPage('LIMIT_QUEUE_TIMEOUT', this.servlet.name, null));
    // With an instance each, threads are used up for as long as their visitors rest: look again.
    if (this.#queue.length > 0 && (this.#currentCount() === 0 || this.#isInstanceEach) && this.#startingCount() === 0)
      this.#grow();
    const { cellIdleTimeoutMs } = this.limits;
    if (cellIdleTimeoutMs === 0) return false;
    if (this.#isInstanceEach)
      for (const lease of this.#leases)
        if (this.#isParkable(lease) && now - lease.progressAt >= cellIdleTimeoutMs) lease.end('idle');
    for (const lease of this.#leases) {
      if (lease.version === null || !lease.isIdle || now - lease.progressAt < cellIdleTimeoutMs) continue;
      if (lease.continuations === 0 || this.#isParkable(lease)) lease.end('idle');
    }
    if (now - this.lastUsedAt < cellIdleTimeoutMs) return false;
    // Threads that hold continuations stay until their managers have let go of the last one, or have saved all of them.
    for (const lease of this.#leases)
      if (!lease.isIdle || (lease.continuations > 0 && !this.#isParkable(lease))) return false;
    for (const lease of this.#leases) lease.end('idle');
    return true;
  }

  /**
   * What begins from now on runs in threads that load the servlet's file anew. What runs, and what visitors may come
   * back to, stays with the code that it began in.
   */
  reload(): void {
    let outdated = 0;
    // The newest first: when visitors hold on to too many old versions, the oldest go.
    for (const lease of [...this.#leases].reverse()) {
      if (lease.version !== null) continue;
      lease.isOutdated = true;
      if (lease.exchanges.size === 0 && ++outdated > this.limits.threadsMaxCount) lease.end('drain', 'it was reloaded');
      else this.#endIfOver(lease);
    }
    if (this.#queue.length > 0) this.#growForQueue();
  }

  /** No further threads; those that run finish what they have. */
  shut(): void {
    this.#isShut = true;
  }

  // -- Choosing a thread ---------------------------------------------------------------------------------------------

  #pick(exchange: Exchange): Lease | null {
    const { isRetry } = exchange;
    const version = this.#versionOf(exchange);
    // Two that may have taken a cell down are not tried again at once, or the one would go down with the other.
    if (isRetry) for (const lease of this.#leases) if (lease.oldest?.isRetry === true) return null;
    const depth = isRetry ? 1 : this.#depth();
    for (const lease of this.#leases) {
      if (lease.state !== 'ready' || lease.exchanges.size >= depth || this.#isSpent(lease)) continue;
      if (lease.version !== version) continue;
      // What may have taken a thread down before has the next one for itself, or a bystander would be hit again.
      if (lease.exchanges.size === 0 || lease.oldest?.isRetry !== true) return lease;
    }
    return null;
  }

  /** A continuation's request waits for the thread that holds it, however long that is busy; no other can answer it. */
  #dispatchTo(lease: Lease, exchange: Exchange): void {
    if (!this.#places.hasWaiting(lease) && this.#mayRun(lease, exchange)) this.#runOn(lease, exchange);
    else if (this.#places.waitingCount(lease) >= this.limits.queueMaxCount)
      exchange.refuse(busyPage('LIMIT_QUEUE', this.servlet.name, null));
    else this.#places.wait(lease, exchange);
  }

  #mayRun(lease: Lease, exchange: Exchange): boolean {
    // A body that has been sent can't be taken back, so that a request with one never waits in the channel.
    const depth = exchange.hasBody && lease.isSequential ? 1 : this.#depth();
    return lease.state === 'ready' && lease.exchanges.size < depth;
  }

  #runWaiting(lease: Lease): void {
    for (;;) {
      const exchange = this.#places.next(lease, (waiting) => this.#mayRun(lease, waiting));
      if (exchange === null) return;
      // Another thread may have got the instance meanwhile.
      const holder = this.#revives ? this.#holderFor(exchange) : undefined;
      if (holder === undefined || holder === lease) this.#runOn(lease, exchange);
      else this.#dispatchTo(holder, exchange);
    }
  }

  /** The thread of the continuation that is asked for has died. */
  #answerGone(exchange: Exchange, obituary: Obituary): void {
    const startUrl = this.#startUrl ?? withoutVersion(withoutToken(exchange.url)).replace(/^[/\\]+/, '/');
    exchange.refuseKept(gonePage(obituary, startUrl, this.#site.isDevelopment));
  }

  get #isInstanceEach(): boolean {
    return this.servlet.unit === 'instance' || this.#group.isExclusive;
  }

  /** How many requests a thread may hold at once. */
  #depth(): number {
    if (this.servlet.unit === 'servlet') return this.limits.queueMaxCount;
    if (this.#isInstanceEach || !this.#pace.isKnown) return 1;
    return Math.max(1, Math.min(CHANNEL_QUEUE_MAX_COUNT, Math.floor(CHANNEL_QUEUE_MS / this.#pace.typicalMs)));
  }

  /** A thread that belongs to one instance is not used for another, nor one with old code for anything new. */
  #isSpent(lease: Lease): boolean {
    if (lease.isOutdated) return true;
    return this.#isInstanceEach && lease.answeredCount + lease.exchanges.size > 0;
  }

  /** A thread whose instance is over has nothing more to do. */
  #endIfOver(lease: Lease): void {
    if (!this.#isSpent(lease) || lease.continuations > 0 || lease.exchanges.size > 0) return;
    // Of one that is still loading nobody knows which code it has; it ends when it is ready.
    if (lease.state === 'starting') return;
    if (!this.#places.hasWaiting(lease)) lease.end('drain');
  }

  #runOn(lease: Lease, exchange: Exchange): void {
    if (this.#revives) this.#moveTo(lease, exchange);
    lease.run(exchange);
    // A lease that is busy already is followed, and was counted as no spare.
    if (lease.exchanges.size > 1) return;
    this.#site.watchdog.follow(lease, this);
    this.#keepSpare();
  }

  /** Whose instance no thread has: it is asked of this one, and whoever else comes for it waits for the same. */
  #moveTo(lease: Lease, { home, token }: Exchange): void {
    if (token !== null && home !== null && this.#places.holderOf(token) === undefined) this.#places.move(home, lease);
  }

  /** The older version that a page began in, if it is still kept; null: the present one will do. */
  #versionOf({ url, method }: Exchange): string | null {
    if (this.servlet.limits.oldVersionMs === 0) return null;
    const version = readVersion(url);
    // A visit that begins here begins in the present version.
    if (version === null || !(method === 'POST' || url.includes(';k=') || url.includes(';c='))) return null;
    return this.#site.versions.has(this.servlet.name, version) ? version : null;
  }

  #holderFor({ token }: Exchange): Lease | undefined {
    return token === null ? undefined : this.#places.holderOf(token);
  }

  /** Nothing would be lost with the thread: all that it holds is saved, and can be made again in the same code. */
  #isParkable(lease: Lease): boolean {
    return this.#revives && lease.isIdle && lease.continuations > 0 && lease.unsavedCount === 0 && !lease.isOutdated;
  }

  #enqueue(exchange: Exchange): void {
    if (this.bench.isBenched && !this.bench.mayTryAgain()) {
      exchange.refuse(
        busyPage(
          'SERVLET_BENCHED',
          this.servlet.name,
          this.#site.isDevelopment ? this.bench.lastError : null,
          this.bench.waitMs,
        ),
      );
      return;
    }
    if (this.#queue.length >= this.limits.queueMaxCount) {
      exchange.refuse(busyPage('LIMIT_QUEUE', this.servlet.name, null));
      return;
    }
    exchange.queuedAt = performance.now();
    this.#queue.push(exchange);
    this.#growForQueue();
  }

  /** A thread more for those that wait, unless one is coming, or the threads there are will be through in a moment. */
  #growForQueue(): void {
    let waiting = this.#queue.length;
    if (this.servlet.limits.oldVersionMs > 0) {
      const versions = this.#queue.map((exchange) => this.#versionOf(exchange)).filter((version) => version !== null);
      waiting -= versions.length;
      for (const version of new Set(versions)) this.#grow(version);
    }
    if (this.#startingCount() >= Math.min(STARTING_MAX_COUNT, waiting)) return;
    const isQuick = this.#depth() > 1;
    let atWork = 0;
    for (const lease of this.#leases) {
      if (lease.state !== 'ready' || lease.isOutdated || lease.version !== null) continue;
      if (isQuick) return;
      if (!this.#isSpent(lease)) atWork++;
    }
    if (atWork <= this.#pace.usefulThreads) this.#grow();
  }

  /** Threads with the present version of the servlet. */
  #currentCount(version: string | null = null): number {
    let count = 0;
    for (const lease of this.#leases) if (!lease.isOutdated && lease.version === version) count++;
    return count;
  }

  #startingCount(version: string | null = null): number {
    let count = 0;
    for (const lease of this.#leases)
      if (lease.state === 'starting' && !lease.isOutdated && lease.version === version) count++;
    return count;
  }

  /** One thread more, if the limits and the machine allow it. */
  #grow(version: string | null = null): void {
    if (this.#isShut || (version !== null && this.#startingCount(version) > 0)) return;
    const { threadsMaxCount } = this.limits;
    const mostCount = version === null ? threadsMaxCount : Math.min(threadsMaxCount, OLD_VERSION_THREADS_MAX_COUNT);
    if (this.#currentCount(version) >= mostCount) {
      if (this.#isInstanceEach && this.#queue.length > 0) this.#makeRoom(version);
      return;
    }
    if (this.bench.isBenched && !this.bench.mayTryAgain()) return;
    const heapMaxBytes = this.limits.heapMb * MB;
    if (!this.#site.budget.reserve(heapMaxBytes)) {
      if (this.#isInstanceEach && this.#queue.length > 0) this.#makeRoom(version);
      return;
    }
    const lease = this.#openLease(heapMaxBytes, version);
    if (lease === null) {
      this.#site.budget.release(heapMaxBytes);
      return;
    }
    const { servlet } = this;
    const { cell } = lease;
    if (this.limits.rssMb > 0) cell.rssMaxBytes = this.limits.rssMb * MB;
    this.#leases.add(lease);
    this.#places.add(lease);
    this.#site.watchdog.follow(lease, this);
    const tempDir = cell.tempDirFor(servlet.name, lease.number);
    const order: LeaseOrder = {
      lease: lease.number,
      channelFd: cell.channelFd(lease.number),
      servletUrl: servlet.url,
      persistence: this.servlet.persistence,
      servletName: servlet.name,
      versionFile: version === null ? null : this.#site.versions.fileOf(servlet.name, version),
      keepsVersion: version === null && servlet.limits.oldVersionMs > 0,
      place: lease.place,
      unit: servlet.unit,
      heapMaxBytes,
      execArgv: threadFlags(servlet.profile, servlet.file, dirname(tempDir), servlet.compiledPackages),
      compiledPackages: servlet.compiledPackages,
      guest:
        servlet.profile === 'trusted'
          ? null
          : { tempDir, tempMaxBytes: this.limits.tempMb * MB, hasFetch: servlet.fetch !== null },
      isDevelopment: this.#site.isDevelopment,
    };
    cell.booted
      .then(() => cell.start(order))
      .then(
        () => lease.watch(this.limits.loadCpuMs),
        () => {
          // The cell died at its start, and its leases with it.
        },
      );
  }

  /** Ends the instance that has rested longest: one that can be made again, or else one that has rested for long. */
  #makeRoom(version: string | null): void {
    const now = performance.now();
    let oldest: Lease | null = null;
    let ending = 0;
    for (const lease of this.#leases) {
      if (lease.version !== version) continue;
      if (lease.state === 'ending') ending++;
      if (!lease.isIdle || this.#places.hasWaiting(lease)) continue;
      const isParkable = this.#isParkable(lease);
      if (!isParkable && now - lease.progressAt < INSTANCE_REST_MIN_MS) continue;
      const isRatherKept = oldest !== null && this.#isParkable(oldest) !== isParkable;
      if (oldest === null || (isRatherKept ? isParkable : lease.progressAt < oldest.progressAt)) oldest = lease;
    }
    // The places of those that are ending already are about to be free.
    if (oldest !== null && ending < Math.min(STARTING_MAX_COUNT, this.#queue.length))
      oldest.end('idle', 'it made room for another visitor');
  }

  /** A lease in the group's cell; `null` when the machine has no process or descriptor left, which may pass. */
  #openLease(heapMaxBytes: number, version: string | null): Lease | null {
    try {
      const cell = this.#group.cell();
      const isSequential = this.servlet.unit !== 'servlet';
      const lease = cell.openLease(
        (number, channel) => new Lease(number, channel, cell, isSequential, heapMaxBytes, this, version),
      );
      if (this.#group.isExclusive) cell.retire();
      return lease;
    } catch (error) {
      this.#site.onLog(3, `no thread could be started: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  /** Keeps threads ready beside the busy ones, so that a kill or a slow request costs nobody a wait. */
  #keepSpare(): void {
    if (this.servlet.spareThreads === 0 || this.#currentCount() >= this.limits.threadsMaxCount) return;
    let spare = 0,
      atWork = 0;
    for (const lease of this.#leases) {
      if (this.#isSpent(lease) || lease.version !== null) continue;
      if (lease.state === 'starting' || lease.isIdle) spare++;
      else if (lease.state === 'ready') atWork++;
    }
    if (spare < this.servlet.spareThreads && atWork <= this.#pace.usefulThreads) this.#grow();
  }

  #pullQueue(): void {
    for (let at = 0; at < this.#queue.length;) {
      const exchange = this.#queue[at] as Exchange;
      const holder = this.#revives && !exchange.isDone ? this.#holderFor(exchange) : undefined;
      if (holder !== undefined) {
        this.#queue.splice(at, 1);
        this.#dispatchTo(holder, exchange);
        continue;
      }
      const lease = exchange.isDone ? null : this.#pick(exchange);
      if (lease !== null || exchange.isDone) {
        this.#queue.splice(at, 1);
        if (lease !== null) this.#runOn(lease, exchange);
        continue;
      }
      // One that is tried again may have to wait for another such; the next may not.
      // Nor does one that waits for an older version keep the others.
      if (!exchange.isRetry && this.#versionOf(exchange) === null) return this.#growForQueue();
      at++;
    }
    if (this.#queue.length > 0) this.#growForQueue();
  }

  // -- What becomes of the leases ------------------------------------------------------------------------------------

  onReady(lease: Lease, ready: Ready): void {
    this.#revives ||= ready.revives === true;
    if (lease.version === null) this.#describe(ready);
    this.#settled();
    this.#endIfOver(lease);
    this.#pullQueue();
    this.#keepSpare();
  }

  /** What the present version of the servlet says of itself. */
  #describe(ready: Ready): void {
    this.kind = ready.kind;
    this.takesRawBody = ready.takesRawBody;
    this.#startUrl = ready.startUrl ?? null;
    const { limits } = this.servlet;
    this.limits = { ...limits };
    for (const [name, value] of Object.entries(ready.limits) as [keyof Ready['limits'], number][]) {
      this.limits[name] = Math.min(limits[name], value);
    }
    this.bench.onLoaded();
  }

  onLoadFailed(lease: Lease, failure: Failure): void {
    lease.failure = failure;
    lease.end('crash', `${failure.name}: ${failure.message}`);
  }

  onAnswered(lease: Lease, exchange: Exchange, usage: Usage, failure: Failure | null): void {
    const token = this.#revives ? exchange.token : null;
    if (this.#revives && exchange.home !== null) this.#places.moveBack(exchange.home, lease);
    const obituary = token !== null && failure?.code === 'CHECKPOINT_LOST' ? this.#places.epitaph(token) : undefined;
    if (obituary !== undefined && !exchange.isDone) {
      this.#answerGone(exchange, obituary);
      failure = null;
    }
    const { pass } = exchange;
    const isPassed = failure?.code === 'SERVLET_NEXT_DISPATCHER' && pass !== null && !exchange.isHeadSent;
    if (failure !== null && !isPassed) {
      failure.id = failureId();
      exchange.refuseKept(failurePage(failure, this.servlet.name, this.#site.isDevelopment, exchange));
    }
    this.#pace.add(usage);
    this.#site.onCharge(exchange, usage, lease.requestPeakBytes, isPassed ? null : failure);
    if (isPassed && !exchange.isDone) pass(exchange);
    this.#runWaiting(lease);
    this.#endIfOver(lease);
    if (this.#queue.length > 0) this.#pullQueue();
  }

  onHolding(lease: Lease): void {
    this.#endIfOver(lease);
  }

  onAdopt(lease: Lease, home: string): boolean {
    const holder = this.#places.holderOfHome(home);
    if (holder !== undefined && holder !== lease) return false;
    this.#places.move(home, lease);
    return true;
  }

  onRelease(lease: Lease, home: string): void {
    this.#places.moveBack(home, lease);
  }

  isLost(home: string): boolean {
    return this.#places.isLost(home);
  }

  onReturned(lease: Lease, exchanges: Exchange[]): void {
    for (const { home } of exchanges) if (home !== null) this.#places.moveBack(home, lease);
    for (const exchange of exchanges) if (!exchange.isDone) this.dispatch(exchange);
    this.#runWaiting(lease);
    if (this.#queue.length > 0 && lease.state !== 'gone') this.#pullQueue();
  }

  onEnding(lease: Lease): void {
    this.#site.watchdog.follow(lease, this);
  }

  onLog(_lease: Lease, level: number, text: string): void {
    this.#site.onLog(level, text);
  }

  onServiceFault(_lease: Lease, service: string, error: unknown): void {
    this.#site.onLog(3, faultText(service, error));
  }

  onGone(lease: Lease, running: number): void {
    this.#leases.delete(lease);
    this.#site.budget.release(lease.heapMaxBytes);
    const cause = lease.deathCause ?? 'crash';
    const isOrderly = (cause === 'drain' || cause === 'idle') && lease.exchanges.size === 0;
    const guilty = isOrderly ? null : guiltyOf(lease, running);
    const obituary = obituaryOf(lease, guilty, this.servlet.name, this.limits);
    const waiting = this.#places.remove(lease, lease.unsavedCount > 0 ? obituary : null);
    for (const exchange of waiting) this.dispatch(exchange);
    if (!isOrderly) {
      const { cell } = lease;
      // An idle thread that goes down with its cell is no death of its own, and says nothing about the servlet.
      const isMourner = !cell.isMourned && (cell.suspects.length === 0 || cell.suspects.includes(lease));
      if (!cell.isGone || guilty !== null || isMourner) {
        cell.isMourned = cell.isGone;
        this.#site.onDeath(obituary, lease.failure);
        const answeredCount = cell.isGone ? cell.answeredCount : lease.answeredCount;
        const isUnfit = guilty === null && lease.exchanges.size === 0 && answeredCount === 0;
        if (isUnfit && lease.version !== null) this.#site.versions.forget(this.servlet.name, lease.version);
        else if (isUnfit) this.#holdToBench(lease, lease.failure ?? { name: 'Error', message: obituary.detail });
      }
      this.#decide(lease, guilty, obituary);
    }
    this.#settled();
    if (this.bench.isBenched && !this.bench.mayTryAgain()) this.#refuseQueue();
    else {
      this.#pullQueue();
      // Who closes a cell does not want it back before it is asked for.
      if (!isOrderly && cause !== 'drain') this.#keepSpare();
    }
  }

  #holdToBench(lease: Lease, failure: Failure): void {
    const end = startEndOf(lease);
    if (end === 'unfit') this.bench.onFailedStart(failure);
    else if (end === 'forced') this.bench.onForcedEnd(failure);
  }

  /** Answers what a dead thread leaves: the guilty request gets its page, bystanders go to another thread where that does no harm. */
  #decide(lease: Lease, guilty: Exchange | null, obituary: Obituary): void {
    let isBehindGuilty = false;
    for (const exchange of lease.exchanges.values()) {
      exchange.carrier = null;
      if (exchange === guilty) {
        isBehindGuilty = true;
        exchange.usage = {
          cpuMicros: Math.round(obituary.cpuMs * 1000),
          wallMicros: Math.round((performance.now() - Math.max(exchange.startedAt, lease.progressAt)) * 1000),
        };
        exchange.refuse(deathPage(obituary, this.#site.isDevelopment, lease.failure));
        this.#site.onCharge(exchange, exchange.usage, lease.requestPeakBytes, null);
      } else if (exchange.isDone) continue;
      else if (exchange.isHeadSent) exchange.cut();
      else if (!this.#revives && exchange.token?.place === lease.place) this.#answerGone(exchange, obituary);
      else if (
        !exchange.isRetry &&
        !exchange.hasBody &&
        (exchange.isRepeatable || (lease.isSequential && isBehindGuilty))
      ) {
        // It may be repeated, or was never begun: threads run strictly one after another.
        exchange.isRetry = true;
        this.dispatch(exchange);
      } else exchange.refuse(busyPage('SERVLET_BYSTANDER', this.servlet.name, null));
    }
    lease.exchanges.clear();
  }

  /** A request in a shared thread that takes too long is answered; the thread goes on with the others. */
  refuseLate(lease: Lease, exchange: Exchange): void {
    exchange.refuse(latePage(this.servlet.name, this.limits.wallMs));
    lease.abort(exchange);
  }

  #refuseQueue(): void {
    for (const exchange of this.#queue.splice(0)) {
      exchange.refuse(failurePage(this.bench.lastFailure, this.servlet.name, this.#site.isDevelopment, exchange, true));
    }
  }

  #settled(): void {
    if (this.state === 'starting') return;
    for (const settled of this.#onSettled.splice(0)) settled();
  }
}

/** Tells failures apart in a log; it is no secret. */
function failureId(): string {
  return Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0');
}
