import { type Failure, type Ready, readNear, readVersion, type Usage } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import type { Limits } from '../limits.ts';
import { faultText, type Services } from '../service/service.ts';
import type { Uploads } from '../upload/uploads.ts';
import { Bench } from './bench.ts';
import type { Cell } from './cell.ts';
import type { CellGroup } from './cell-group.ts';
import { fatesOf, guiltyOf, obituaryOf, startEndOf } from './inquest.ts';
import type { HeldServlet } from './held-servlet.ts';
import type { Lease } from './lease.ts';
import type { Obituary } from './obituary.ts';
import { Places } from './places.ts';
import type { PoolSite } from './pool-site.ts';
import { Refusals } from './refusals.ts';
import { Threads, type ThreadsOwner } from './threads.ts';

/** The threads of one servlet, and the requests that wait for one. */
export class ServletPool implements ThreadsOwner {
  readonly servlet: HeldServlet;
  kind: Ready['kind'] = 'servlet';
  /** It has multipart forms sent to it as they arrive; null: nobody knows before it is loaded. */
  takesRawBody: boolean | null = null;
  readonly bench: Bench;
  lastUsedAt: number = performance.now();
  readonly #site: PoolSite;
  readonly #threads: Threads;
  readonly #queue: Exchange[] = [];
  readonly #places = new Places();
  readonly #refusals: Refusals;
  #onSettled: (() => void)[] = [];

  constructor(servlet: HeldServlet, group: CellGroup, site: PoolSite) {
    this.servlet = servlet;
    this.#site = site;
    this.bench = new Bench(servlet.file);
    this.#refusals = new Refusals(servlet, this.bench, site.isDevelopment);
    this.#threads = new Threads(servlet, group, site, { places: this.#places, bench: this.bench, owner: this });
  }

  /** The operator's limits, tightened by the servlet's own. */
  get limits(): Limits {
    return this.#threads.limits;
  }

  get services(): Services {
    return this.#site.services;
  }

  get uploads(): Uploads {
    return this.#site.uploads;
  }

  get threadCount(): number {
    return this.#threads.all.size;
  }

  /** Those that are ready and have nothing to do. */
  get idleThreadCount(): number {
    let count = 0;
    for (const lease of this.#threads) if (lease.isIdle) count++;
    return count;
  }

  get leases(): ReadonlySet<Lease> {
    return this.#threads.all;
  }

  /** The processes that its threads are in. */
  get cells(): Cell[] {
    return this.#threads.cells;
  }

  /** Continuations that its threads hold, and their bytes. */
  get holding(): { continuations: number; bytes: number } {
    return this.#threads.holding;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  get state(): 'idle' | 'starting' | 'ready' | 'benched' {
    return this.bench.isBenched ? 'benched' : this.#threads.state;
  }

  /** Starts the first thread, and resolves when it is ready or the servlet is benched. */
  start(): Promise<void> {
    if (this.threadCount === 0) this.#threads.grow();
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
      if (obituary !== undefined && !this.#threads.revives) return this.#refusals.gone(exchange, obituary);
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
      this.#refusals.waitedTooLong(exchange, 'any');
    }
    for (const exchange of this.#places.takeLate(now, this.limits.queueTimeoutMs))
      this.#refusals.waitedTooLong(exchange, 'its own');
    const threads = this.#threads;
    // With an instance each, threads are used up for as long as their visitors rest: look again.
    const isUsedUp = threads.currentCount() === 0 || threads.isInstanceEach;
    if (this.#queue.length > 0 && isUsedUp && threads.startingCount() === 0) threads.grow();
    this.#refuseHopeless(now);
    const { cellIdleTimeoutMs } = this.limits;
    if (cellIdleTimeoutMs === 0) return false;
    threads.endRested(now, cellIdleTimeoutMs);
    return now - this.lastUsedAt >= cellIdleTimeoutMs && threads.endIdle();
  }

  /**
   * What begins from now on runs in threads that load the servlet's file anew. What runs, and what visitors may come
   * back to, stays with the code that it began in.
   */
  reload(): void {
    this.#threads.outdate();
    if (this.#queue.length > 0) this.#growForQueue();
  }

  /** The operator's limits are these from now on; what runs is held to them too. */
  adjust(limits: Limits): void {
    this.#threads.adjust(limits);
    if (this.#queue.length > 0) this.#growForQueue();
  }

  /** No further threads; those that run finish what they have. */
  shut(): void {
    this.#threads.shut();
  }

  // -- Choosing a thread ---------------------------------------------------------------------------------------------

  #pick(exchange: Exchange): Lease | null {
    const { isRetry } = exchange;
    const version = this.#versionOf(exchange);
    // Two that may have taken a cell down are not tried again at once, or the one would go down with the other.
    if (isRetry) for (const lease of this.#threads) if (lease.oldest?.isRetry === true) return null;
    const depth = isRetry ? 1 : this.#threads.depth;
    // In a cell that may have to be killed; another is better.
    let doubtful: Lease | null = null;
    for (const lease of this.#threads) {
      if (lease.state !== 'ready' || lease.exchanges.size >= depth || this.#threads.isSpent(lease)) continue;
      if (lease.version !== version) continue;
      // What may have taken a thread down before has the next one for itself, or a bystander would be hit again.
      if (lease.exchanges.size > 0 && lease.oldest?.isRetry === true) continue;
      if (!lease.cell.isDoubtful) return lease;
      doubtful ??= lease;
    }
    return doubtful;
  }

  /** A continuation's request waits for the thread that holds it, however long that is busy; no other can answer it. */
  #dispatchTo(lease: Lease, exchange: Exchange): void {
    if (!this.#places.hasWaiting(lease) && this.#mayRun(lease, exchange)) this.#runOn(lease, exchange);
    else if (this.#places.waitingCount(lease) >= this.limits.queueMaxCount) this.#refusals.full(exchange);
    else this.#places.wait(lease, exchange);
  }

  #mayRun(lease: Lease, exchange: Exchange): boolean {
    // A body that has been sent can't be taken back, so that a request with one never waits in the channel.
    const depth = exchange.hasBody && lease.isSequential ? 1 : this.#threads.depth;
    return lease.state === 'ready' && lease.exchanges.size < depth;
  }

  #runWaiting(lease: Lease): void {
    for (;;) {
      const exchange = this.#places.next(lease, (waiting) => this.#mayRun(lease, waiting));
      if (exchange === null) return;
      // Another thread may have got the instance meanwhile.
      const holder = this.#threads.revives ? this.#holderFor(exchange) : undefined;
      if (holder === undefined || holder === lease) this.#runOn(lease, exchange);
      else this.#dispatchTo(holder, exchange);
    }
  }

  #runOn(lease: Lease, exchange: Exchange): void {
    if (this.#threads.revives) this.#moveTo(lease, exchange);
    lease.run(exchange);
    // A lease that is busy already is followed, and was counted as no spare; one that takes its time is looked at soon, for what waits now.
    if (lease.exchanges.size === 1 || lease.isWatched) this.#site.watchdog.follow(lease, this);
    if (lease.exchanges.size === 1) this.#threads.keepSpare();
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

  #enqueue(exchange: Exchange): void {
    if (this.bench.isBenched && !this.bench.mayTryAgain()) return this.#refusals.benched(exchange);
    if (this.#queue.length >= this.limits.queueMaxCount) return this.#refusals.full(exchange);
    exchange.queuedAt = performance.now();
    this.#queue.push(exchange);
    this.#growForQueue();
    this.#refuseHopeless(exchange.queuedAt);
  }

  /** When all threads are with visitors who rest, who would wait for one of them and be refused all the same hears it at once. */
  #refuseHopeless(now: number): void {
    const roomInMs = this.#threads.roomInMs();
    if (roomInMs === 0) return;
    for (const exchange of this.#queue.slice()) {
      // One that waits for an older version waits for other threads.
      if (this.#versionOf(exchange) !== null) continue;
      if (roomInMs <= exchange.queuedAt + this.limits.queueTimeoutMs - now) continue;
      this.#queue.splice(this.#queue.indexOf(exchange), 1);
      this.#refusals.allAtRest(exchange, roomInMs);
    }
  }

  #growForQueue(): void {
    const older = new Set<string>();
    let waitingCount = this.#queue.length;
    if (this.servlet.limits.oldVersionMs > 0)
      for (const exchange of this.#queue) {
        const version = this.#versionOf(exchange);
        if (version === null) continue;
        older.add(version);
        waitingCount--;
      }
    this.#threads.growFor(waitingCount, older);
  }

  #pullQueue(): void {
    for (let at = 0; at < this.#queue.length;) {
      const exchange = this.#queue[at] as Exchange;
      const holder = this.#threads.revives && !exchange.isDone ? this.#holderFor(exchange) : undefined;
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
    this.#threads.revives ||= ready.revives === true;
    if (lease.version === null) this.#describe(ready);
    this.#settled();
    this.#threads.endIfOver(lease);
    this.#pullQueue();
    this.#threads.keepSpare();
  }

  /** What the present version of the servlet says of itself. */
  #describe(ready: Ready): void {
    this.kind = ready.kind;
    this.takesRawBody = ready.takesRawBody;
    this.#refusals.startUrl = ready.startUrl ?? null;
    this.#threads.tighten(ready.limits);
    this.bench.onLoaded();
  }

  onLoadFailed(lease: Lease, failure: Failure): void {
    lease.failure = failure;
    lease.end('crash', `${failure.name}: ${failure.message}`);
  }

  onAnswered(lease: Lease, exchange: Exchange, usage: Usage, failure: Failure | null): void {
    const token = this.#threads.revives ? exchange.token : null;
    if (this.#threads.revives && exchange.home !== null) this.#places.moveBack(exchange.home, lease);
    const obituary = token !== null && failure?.code === 'CHECKPOINT_LOST' ? this.#places.epitaph(token) : undefined;
    if (obituary !== undefined && !exchange.isDone) {
      this.#refusals.gone(exchange, obituary);
      failure = null;
    }
    const { pass } = exchange;
    const isPassed = failure?.code === 'SERVLET_NEXT_DISPATCHER' && pass !== null && !exchange.isHeadSent;
    if (failure !== null && !isPassed) {
      this.#site.onFailure(failure);
      this.#refusals.failed(exchange, failure);
    }
    this.#threads.pace.add(usage);
    this.#site.onCharge(exchange, usage, lease.meter.requestPeakBytes);
    if (isPassed && !exchange.isDone) {
      exchange.givenAt = 0;
      pass(exchange);
    }
    this.#runWaiting(lease);
    // What it goes on with may be at its beginning, and it may be watched no longer.
    if (lease.exchanges.size > 0) this.#site.watchdog.follow(lease, this);
    this.#threads.endIfOver(lease);
    if (this.#queue.length > 0) this.#pullQueue();
  }

  onCpu(ms: number): void {
    this.#site.onCpu(ms);
  }

  onHolding(lease: Lease): void {
    this.#threads.endIfOver(lease);
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
    const now = performance.now();
    for (const exchange of exchanges) {
      if (exchange.isDone) continue;
      // It has waited in threads instead of in the queue. One that gives back whatever it gets, however often, keeps nobody for ever.
      if (now - exchange.givenAt > this.limits.queueTimeoutMs) this.#refusals.waitedTooLong(exchange, 'any');
      else this.dispatch(exchange);
    }
    this.#runWaiting(lease);
    if (this.#queue.length > 0 && lease.state !== 'gone') this.#pullQueue();
  }

  onEnding(lease: Lease): void {
    this.#site.watchdog.follow(lease, this);
  }

  onCellDoubtful(): void {
    if (this.#queue.length > 0) this.#growForQueue();
    this.#threads.replaceDoubtful();
  }

  onLog(_lease: Lease, level: number, text: string): void {
    this.#site.onLog(level, text);
  }

  onServiceFault(_lease: Lease, service: string, error: unknown): void {
    this.#site.onLog(3, faultText(service, error));
  }

  onGone(lease: Lease, running: number): void {
    this.#threads.remove(lease);
    const cause = lease.deathCause ?? 'crash';
    const isOrderly = (cause === 'drain' || cause === 'idle') && lease.exchanges.size === 0;
    const guilty = isOrderly ? null : guiltyOf(lease, running);
    const obituary = obituaryOf(lease, guilty, this.servlet.name, this.limits);
    const waiting = this.#places.remove(lease, lease.holdings.unsavedCount > 0 ? obituary : null);
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
        if (isUnfit) this.#holdToBench(lease, lease.failure ?? { name: 'Error', message: obituary.detail });
      }
      this.#decide(lease, guilty, obituary);
    }
    this.#settled();
    if (this.bench.isBenched && !this.bench.mayTryAgain()) this.#refuseQueue();
    else {
      this.#pullQueue();
      // Who closes a cell does not want it back before it is asked for.
      if (!isOrderly && cause !== 'drain') this.#threads.keepSpare();
    }
  }

  #holdToBench(lease: Lease, failure: Failure): void {
    const end = startEndOf(lease);
    if (lease.version !== null) {
      // Pages that are of it are of an older version now. What others have ended is tried again.
      if (end === 'unfit') this.#site.versions.forget(this.servlet.name, lease.version);
    } else if (end === 'unfit') this.bench.onFailedStart(failure);
    else if (end === 'forced') this.bench.onForcedEnd(failure);
  }

  /** Answers what a dead thread leaves, or gives it to another. */
  #decide(lease: Lease, guilty: Exchange | null, obituary: Obituary): void {
    for (const [exchange, fate] of fatesOf(lease, guilty, this.#threads.revives)) {
      exchange.carrier = null;
      switch (fate) {
        case 'died':
          exchange.usage = {
            cpuMicros: Math.round(obituary.cpuMs * 1000),
            wallMicros: Math.round((performance.now() - Math.max(exchange.startedAt, lease.progressAt)) * 1000),
          };
          this.#refusals.died(exchange, obituary, lease.failure);
          this.#site.onCharge(exchange, exchange.usage, lease.meter.requestPeakBytes);
          break;
        case 'cut':
          exchange.cut();
          break;
        case 'gone':
          this.#refusals.gone(exchange, obituary);
          break;
        case 'again':
          exchange.isRetry = true;
          // What it has had so far was no waiting.
          exchange.givenAt = 0;
          this.dispatch(exchange);
          break;
        case 'bystander':
          this.#refusals.bystander(exchange);
          break;
        case 'over':
      }
    }
    lease.exchanges.clear();
  }

  /** A request in a shared thread that takes too long is answered; the thread goes on with the others. */
  refuseLate(lease: Lease, exchange: Exchange): void {
    this.#refusals.ranTooLong(exchange, this.limits.wallMs);
    lease.abort(exchange);
  }

  #refuseQueue(): void {
    for (const exchange of this.#queue.splice(0)) this.#refusals.notLoaded(exchange);
  }

  #settled(): void {
    if (this.state === 'starting') return;
    for (const settled of this.#onSettled.splice(0)) settled();
  }
}
