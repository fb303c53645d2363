import type { Socket } from 'node:net';
import type { LeaseOrder, ToCell, ToSupervisor } from '@custodian/protocol';
import { type Closable, Custodian } from '../custodian.ts';
import type { Profile } from '../options.ts';
import { CellMemory } from './cell-memory.ts';
import { CellProcess, CHANNEL_COUNT, type JailedView, type ProcessSite } from './cell-process.ts';
import type { Lease } from './lease.ts';
import type { DeathCause } from './obituary.ts';

/** A request that has run for less is not what a process died of, when another has run for longer. */
const SUSPECT_FROM_MS = 100;

/** Where and how cells are started, and who owns them. */
export interface CellSite extends ProcessSite {
  custodian: Custodian;
}

let cellCount = 0;

/** One child process with its supervisor and threads: whatever happens inside, only this can die. */
export class Cell implements Closable {
  readonly number: number = ++cellCount;
  readonly profile: Profile;
  readonly custodian: Custodian;
  readonly pid: number;
  readonly startedAt: number = performance.now();
  readonly leases: Map<number, Lease> = new Map();
  /** Resolves when the supervisor takes orders; rejects when the cell died first. */
  readonly booted: Promise<void>;
  /** Resolves when the first of its threads has loaded its servlet, or is gone. */
  readonly begun: Promise<void>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  /** Why it is being ended, once it is. */
  deathCause: DeathCause | null = null;
  isGone = false;
  /** It does beforehand what its first servlet would wait for. */
  hasWarmUp = false;
  /** It has done that. */
  isWarm = false;
  /** No further lease: it ends with its last one. */
  isRetired = false;
  readonly memory: CellMemory = new CellMemory(this);
  /** CPU time in ms that its supervisor has spent, but for starting itself and its threads. */
  samplingMs = 0;
  /** Requests that its threads have answered. */
  answeredCount = 0;
  /** It has its obituary: its other threads get none of their own. */
  isMourned = false;
  /** The thread that it is known to have died of. */
  culprit: Lease | null = null;
  /** Threads that it may have died of, once it is gone. */
  suspects: readonly Lease[] = [];
  /** Exit code or signal, once it is gone. */
  exitDetail = '';
  /** It was sent SIGKILL, and not by us. */
  wasKilledFromOutside = false;
  /** Threads that it had when it died. */
  leaseCountAtDeath = 0;
  /** Of how many servlets they were. */
  servletCountAtDeath = 0;
  /** Those that are to end and are in a native call. */
  readonly #stuck = new Set<Lease>();
  readonly #process: CellProcess;
  readonly #tempMaxBytes: number;
  /** Of the supervisor's own process, once it is known to run. */
  #ownPid = 0;
  #bounding: Promise<void> = Promise.resolve();
  #pressedAt = -Infinity;
  #nextLease = 1;
  #endedAt = 0;
  #isActive = false;
  #hasBooted = false;
  readonly #booted = Promise.withResolvers<void>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();

  /** @throws JailError when the profile is `jail`, and there is none; Error when the system has no process or descriptor left */
  constructor(profile: Profile, site: CellSite, view: JailedView | null) {
    this.profile = profile;
    this.booted = this.#booted.promise;
    this.booted.catch(() => {});
    this.begun = this.#begun.promise;
    this.gone = this.#gone.promise;
    this.#tempMaxBytes = view?.tempMaxBytes ?? 0;
    this.#process = new CellProcess(profile, this.number, site, view, {
      // What a cell says after it was given up is not listened to.
      onMessage: (message) => this.deathCause === null && this.#onMessage(message),
      onMalformed: () => this.kill('protocol'),
      onNoJail: () => this.kill('abort'),
      onGone: (detail) => this.#onGone(detail),
    });
    this.pid = this.#process.pid;
    this.custodian = new Custodian(`cell ${this.number} (pid ${this.pid})`, site.custodian);
    this.custodian.own(this);
    // The number of a jailed process is known only when its jail stands.
    if (!this.#process.isJailed) this.#standsAs(this.pid);
  }

  get label(): string {
    return `process ${this.pid}`;
  }

  get hasChannel(): boolean {
    return this.#nextLease <= CHANNEL_COUNT && !this.isRetired && !this.isDoubtful && this.deathCause === null;
  }

  /** One of its threads is in a native call and does not end: the process may have to. */
  get isDoubtful(): boolean {
    return this.#stuck.size > 0;
  }

  /** The end of what the process wrote to its error output. */
  get lastWords(): string {
    return this.#process.lastWords;
  }

  /** ms since the cell was told to end; 0 while it was not. */
  get endingMs(): number {
    return this.#endedAt === 0 ? 0 : performance.now() - this.#endedAt;
  }

  /** Leases that it has had. */
  get openedCount(): number {
    return this.#nextLease - 1;
  }

  /** The number and the channel for a new lease. Only while {@link hasChannel}. */
  openLease(lease: (number: number, channel: Socket) => Lease): Lease {
    const number = this.#nextLease++;
    const opened = lease(number, this.#process.channel(number));
    this.leases.set(number, opened);
    return opened;
  }

  /** The descriptor, in the cell, of a lease's channel. */
  channelFd(lease: number): number {
    return this.#process.channelFd(lease);
  }

  /** The home of a guest's thread: see {@link GuestOrder}. */
  tempDirFor(servletName: string, lease: number): string {
    return this.#process.tempDirFor(servletName, lease);
  }

  send(message: ToCell): void {
    if (!this.isGone) this.#process.send(message);
  }

  /** Resolves when its supervisor has been told. */
  async start(order: LeaseOrder): Promise<void> {
    if (this.#process.bounds !== null) await this.bound();
    this.send({ type: 'lease', order });
  }

  /** Has the kernel know what its present threads may have. One after another: the last one counts. */
  bound(): Promise<void> {
    const { bounds } = this.#process;
    if (bounds === null) return Promise.resolve();
    this.#bounding = this.#bounding.then(async () => {
      if (this.isGone || this.deathCause !== null) return;
      let capBytes = 0;
      for (const lease of this.leases.values()) capBytes += lease.heapMaxBytes;
      const threads = this.leases.size;
      const holding = { threads, capBytes, wallBytes: this.memory.wallBytes(), tempBytes: this.#tempMaxBytes };
      // It is never left without what it was promised.
      await bounds.hold(this.#ownPid, holding).catch(() => this.kill('abort'));
    });
    return this.#bounding;
  }

  /** Has it do beforehand what its first servlet would wait for. */
  warmUp(): void {
    this.hasWarmUp = true;
    this.memory.onWarmUp();
    this.send({ type: 'warm-up' });
  }

  setActive(isActive: boolean): void {
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    this.send({ type: 'active', isActive });
  }

  onLeaseReady(): void {
    this.#begun.resolve();
  }

  onLeaseGone(lease: Lease): void {
    this.#begun.resolve();
    this.leases.delete(lease.number);
    this.#stuck.delete(lease);
    this.memory.onThreadGone(lease.heapMaxBytes, lease.meter.peakHeapBytes);
    void this.bound();
    if (this.isRetired && this.leases.size === 0) void this.close();
  }

  /** Takes no further lease, and ends when it holds none. */
  retire(): void {
    this.isRetired = true;
    if (this.leases.size === 0) void this.close();
  }

  /** Kills it when its resident memory is over its wall, and has its threads collect their garbage before. Returns how far it is below it. */
  holdToWall(): number {
    const roomBytes = this.memory.look();
    if (roomBytes >= 0) {
      // Whose memory comes is known while one does not end, and the others answer who comes meanwhile.
      if (!this.isDoubtful && this.memory.becomesPressed(roomBytes)) this.#collectFromWorking();
      return roomBytes;
    }
    const leases = [...this.leases.values()];
    // The last threads go anyhow: that less may be held without them is no fault of theirs.
    this.kill(leases.length > 0 && leases.every((lease) => lease.isOrderlyEnd) ? 'drain' : 'rss');
    return roomBytes;
  }

  /** Who has done nothing since the last time has no garbage since then; a collection takes some 10 ms of a thread's CPU time. */
  #collectFromWorking(): void {
    const since = this.#pressedAt;
    this.#pressedAt = performance.now();
    for (const lease of this.leases.values())
      if (lease.isLoaded && (lease.exchanges.size > 0 || lease.progressAt > since)) lease.collect();
  }

  memoryUse(): number {
    return this.memory.sample();
  }

  /** Ends the process and all that it has started, at once. `culprit`: whose fault it is, where that is known. */
  kill(cause: DeathCause, culprit: Lease | null = null): void {
    if (this.isGone) return;
    this.deathCause ??= cause;
    this.culprit ??= culprit;
    if (this.#endedAt === 0) {
      this.#endedAt = performance.now();
      for (const lease of this.leases.values()) lease.onCellEnding();
    }
    this.#process.kill();
  }

  /** Ends the process in good order: it is not a death. */
  async close(): Promise<void> {
    this.kill('drain');
    await this.gone;
    await this.#process.removed();
  }

  #onBooted(): void {
    if (this.#hasBooted) return this.kill('protocol');
    this.#hasBooted = true;
    if (!this.#process.isJailed) return this.#onReady();
    // It may be gone again.
    this.#findOwn().catch(() => this.kill('abort'));
  }

  async #findOwn(): Promise<void> {
    const pid = await this.#process.ownPid();
    if (this.isGone) return;
    this.#standsAs(pid);
    await this.bound();
    this.#onReady();
  }

  #standsAs(pid: number): void {
    this.#ownPid = pid;
    this.memory.open(pid);
  }

  #onReady(): void {
    this.memory.measureBase();
    this.#booted.resolve();
  }

  #onGone(detail: string): void {
    this.memory.close();
    this.isGone = true;
    this.exitDetail = detail;
    if (this.#process.bounds?.end() === true) this.deathCause ??= 'rss';
    this.wasKilledFromOutside = this.deathCause === null && detail === 'signal SIGKILL';
    this.leaseCountAtDeath = this.leases.size;
    this.servletCountAtDeath = new Set(Array.from(this.leases.values(), (lease) => lease.servletName)).size;
    this.deathCause ??= 'abort';
    this.#booted.reject(
      new Error(`Cannot use cell ${this.number}: it died at start with ${detail}: ${this.lastWords}`),
    );
    this.#gone.resolve();
    this.#begun.resolve();
    this.suspects = suspectsOf(this);
    for (const lease of this.leases.values()) lease.onCellGone();
    this.leases.clear();
    void this.custodian.shutdownAll().catch(() => {});
  }

  #onMessage(message: ToSupervisor): void {
    switch (message?.type) {
      case 'booted':
        return this.#onBooted();
      case 'sample':
        for (const thread of Array.isArray(message.threads) ? message.threads : [])
          this.leases.get(thread?.lease)?.onSample(thread);
        this.samplingMs = Math.max(this.samplingMs, Number(message.samplingMs) || 0);
        // What has grown is reported; how much it is now, the acceptor sees for itself.
        this.holdToWall();
        return;
      case 'warmed-up':
        // Once a servlet has been in it, it may be the servlet who says so.
        if (this.openedCount === 0) this.isWarm = true;
        return;
      case 'breach':
        this.leases.get(message.lease)?.onBreach(message.cause, Number(message.value));
        return;
      case 'stuck':
        this.#onStuck(this.leases.get(message.lease));
        return;
      case 'revoked':
        this.leases.get(message.lease)?.onRevoked(message.round, Number(message.last), message.isOver === true);
        return;
      case 'restored':
        this.leases.get(message.lease)?.onRestored(message.round);
        return;
      case 'heap-snapshot':
        this.leases.get(message.lease)?.onHeapSnapshot(message.problem === null ? null : String(message.problem));
        return;
      case 'exit':
        this.leases.get(message.lease)?.onThreadExit(Number(message.running), message.failure ?? null);
        return;
      default:
        this.kill('protocol');
    }
  }

  /** What its threads are for had better be had in another process, too, by the time it is killed. */
  #onStuck(stuck: Lease | undefined): void {
    // An operator who ends one does not want another.
    if (stuck?.state !== 'ending' || stuck.isOrderlyEnd || stuck.deathCause === 'operator') return;
    const isNews = !this.isDoubtful;
    this.#stuck.add(stuck);
    if (isNews) for (const lease of this.leases.values()) lease.onCellDoubtful();
  }
}

/** Those that were busy for about as long as any when it ended; all that were busy, if none was for long. */
function suspectsOf(cell: Cell): Lease[] {
  // An idle thread is no culprit: another one of the cell can have written to its channel.
  if (cell.culprit !== null && cell.culprit.exchanges.size > 0) return [cell.culprit];
  const busy = [...cell.leases.values()].filter((lease) => lease.exchanges.size > 0);
  const endedAt = performance.now() - cell.endingMs;
  const longestMs = Math.max(...busy.map((lease) => endedAt - lease.progressAt));
  return longestMs < SUSPECT_FROM_MS ? busy : busy.filter((lease) => endedAt - lease.progressAt >= longestMs / 2);
}
