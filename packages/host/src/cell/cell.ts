import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonLineReader, type LeaseOrder, type ToCell, type ToSupervisor, writeJsonLine } from '@custodian/protocol';
import { type Closable, Custodian } from '../custodian.ts';
import type { Profile } from '../options.ts';
import type { Lease } from './lease.ts';
import type { DeathCause } from './obituary.ts';
import { ByteBudget } from './byte-budget.ts';
import type { CellBounds } from '../jail/bounds.ts';
import { CODE_RANGE_MB } from '../jail/data-limit.ts';
import { type Jail, jailed, JailError } from '../jail/jail.ts';
import { removeTree } from '../remove-tree.ts';
import { cellFlags, jailReadable } from './profile.ts';
import { CellMemory } from './cell-memory.ts';

// `.ts` in a checkout, `.js` in a package: as this file is.
const MAIN = fileURLToPath(new URL(`main${extname(import.meta.url)}`, import.meta.url));
const CONTROL_FD = 3;
/** A thread's channel dies with it, and a process can't be given new ones: when they are used up the cell is replaced. */
const CHANNEL_COUNT = 32;
const STDERR_KEPT_CHARS = 8 * 1024;
/** So much of a cell's error output is read in a second; beyond it the writer waits. */
const STDERR_BYTES_PER_SECOND = 64 * 1024;
/** What a supervisor says is a few lines; a guest that writes to its descriptor must not keep the acceptor busy. */
const CONTROL_BYTES_PER_SECOND = 1 << 20;
/** A request that has run for less is not what a process died of, when another has run for longer. */
const SUSPECT_FROM_MS = 100;

/** Where and how cells are started. */
export interface CellSite {
  custodian: Custodian;
  /** An empty directory: a permissioned thread may read its process's current one, whatever it is granted. */
  emptyDir: string;
  cacheDir: string;
  /** Each cell has a directory in it for its guests' temporary files, which goes with the cell. */
  tempDir: string;
  /** What the machine offers for the profile `jail`; null when it can't be had, or nobody asked for it. */
  jail: Jail | null;
}

/** What a jailed cell is shown of the machine. */
export interface JailedView {
  /** Its servlets' files. */
  files: Iterable<string>;
  /** `file:` URLs of packages that are compiled with them. */
  packages: Iterable<string>;
  tempMaxBytes: number;
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
  /** null: it is no jail's, or the kernel offers none. */
  readonly #bounds: CellBounds | null;
  readonly #tempMaxBytes: number;
  /** Of the process in the jail. */
  #cellPid = 0;
  #bounding: Promise<void> = Promise.resolve();
  readonly #tempDir: string;
  #tempRemoved: Promise<void> = Promise.resolve();
  readonly #child: ChildProcess;
  readonly #control: Socket;
  #pressedAt = -Infinity;
  #stderr = '';
  #nextLease = 1;
  #endedAt = 0;
  #isActive = false;
  #onBegun: () => void = () => {};

  constructor(profile: Profile, site: CellSite, view: JailedView | null) {
    this.profile = profile;
    this.#tempDir = join(site.tempDir, String(this.number));
    if (profile === 'guest') mkdirSync(this.#tempDir, { mode: 0o700 });
    const env: Record<string, string> = {
      NODE_COMPILE_CACHE: site.cacheDir,
      // Large pieces of memory go back to the system when they are freed: a killed thread's must not count against the next.
      MALLOC_MMAP_THRESHOLD_: '131072',
      MALLOC_TRIM_THRESHOLD_: '131072',
    };
    if (process.env['TZ'] !== undefined) env['TZ'] = process.env['TZ'];
    const pipes = Array.from({ length: CHANNEL_COUNT + 1 }, () => 'pipe' as const);
    const args = [...cellFlags(profile, site.cacheDir, this.#tempDir), '--no-warnings'];
    const codeRangeMb = profile === 'jail' ? CODE_RANGE_MB : 0;
    const mainArgs = [site.cacheDir, site.emptyDir, String(CHANNEL_COUNT), String(codeRangeMb)];
    const command = [process.execPath, ...args, MAIN, ...mainArgs];
    if (profile === 'jail' && (site.jail === null || view === null))
      throw new JailError('Cannot start a cell: its jail was not tried when the host started');
    const inJail =
      profile !== 'jail' || site.jail === null || view === null
        ? null
        : jailed(site.jail, command, {
            number: this.number,
            firstFd: CONTROL_FD + pipes.length,
            readable: jailReadable(view.files, view.packages, site.cacheDir),
            tempDir: this.#tempDir,
            tempMaxBytes: view.tempMaxBytes,
            emptyDir: site.emptyDir,
          });
    const extra = Array.from({ length: inJail?.fdCount ?? 0 }, () => 'pipe' as const);
    this.#tempMaxBytes = view?.tempMaxBytes ?? 0;
    this.#bounds = inJail === null ? null : (site.jail?.boundsFor?.(this.number) ?? null);
    const inner = { program: inJail?.program ?? (command[0] as string), args: inJail?.args ?? command.slice(1) };
    const { program, args: programArgs } = this.#bounds?.around(inner.program, inner.args) ?? inner;
    this.#child = spawn(program, programArgs, {
      cwd: site.emptyDir,
      env,
      stdio: ['ignore', 'ignore', 'pipe', ...pipes, ...extra],
      // A process group of its own, so that what it starts dies with it.
      detached: true,
    });
    // Without a listener a process that can't be started would end the acceptor.
    this.#child.on('error', () => {});
    if (this.#child.pid === undefined)
      throw new Error('Cannot start a cell: the system has no process or descriptor left');
    this.pid = this.#child.pid;
    this.custodian = new Custodian(`cell ${this.number} (pid ${this.pid})`, site.custodian);
    this.custodian.own(this);
    // The number of a jailed process is known only when its jail stands.
    const entered = inJail === null ? null : inJail.enter(this.#child.stdio);
    entered?.catch(() => this.kill('abort'));
    if (entered === null) this.memory.open(this.pid);
    this.#control = this.#child.stdio[CONTROL_FD] as Socket;
    this.begun = new Promise((resolve) => (this.#onBegun = resolve));
    let onBooted: () => void = () => {};
    let onFailed: (error: Error) => void = () => {};
    this.booted = new Promise((resolve, reject) => {
      onBooted = resolve;
      onFailed = reject;
    });
    this.booted.catch(() => {});
    let isBooted = false;
    const reader = new JsonLineReader((value) => {
      const message = value as ToSupervisor;
      // What a cell says after it was given up is not listened to.
      if (this.deathCause !== null) return;
      if (message?.type !== 'booted') this.#onMessage(message);
      else if (isBooted) this.kill('protocol');
      else {
        isBooted = true;
        const measure = (): void => {
          this.memory.measureBase();
          onBooted();
        };
        if (entered === null) measure();
        else
          entered.then(
            (findPid) => {
              if (this.isGone) return;
              try {
                const cellPid = findPid();
                this.#cellPid = cellPid;
                this.memory.open(cellPid);
                void this.bound().then(measure);
              } catch {
                // It is gone again.
                this.kill('abort');
              }
            },
            () => {},
          );
      }
    });
    const budget = new ByteBudget(CONTROL_BYTES_PER_SECOND);
    this.#control.on('data', (chunk: Buffer) => {
      if (!budget.take(chunk.length)) return this.kill('protocol');
      try {
        reader.push(chunk);
      } catch {
        this.kill('protocol');
      }
    });
    for (let fd = CONTROL_FD; fd < this.#child.stdio.length; fd++) {
      // The end of the process shows as errors on all of these; its exit is what we act on.
      this.#child.stdio[fd]?.on('error', () => {});
    }
    this.#readStderr();
    this.gone = new Promise((resolve) => {
      const onGone = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (this.isGone) return;
        this.memory.close();
        this.isGone = true;
        this.exitDetail = exitText(code, signal, inJail !== null);
        if (this.#bounds?.end() === true) this.deathCause ??= 'rss';
        this.wasKilledFromOutside = this.deathCause === null && this.exitDetail === 'signal SIGKILL';
        this.leaseCountAtDeath = this.leases.size;
        this.servletCountAtDeath = new Set(Array.from(this.leases.values(), (lease) => lease.servletName)).size;
        this.deathCause ??= 'abort';
        onFailed(
          new Error(`Cannot use cell ${this.number}: it died at start with ${this.exitDetail}: ${this.lastWords}`),
        );
        // The leader is gone; what it started must not outlive it.
        signalGroup(this.pid);
        this.#tempRemoved = removeTree(this.#tempDir);
        resolve();
        this.#onBegun();
        this.suspects = suspectsOf(this);
        for (const lease of this.leases.values()) lease.onCellGone();
        this.leases.clear();
        void this.custodian.shutdownAll().catch(() => {});
      };
      this.#child.once('exit', onGone);
    });
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

  /** The end of what the process wrote to its error output: V8's own words when it aborts. */
  get lastWords(): string {
    return this.#stderr.trim();
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
    const opened = lease(number, this.#child.stdio[CONTROL_FD + number] as Socket);
    this.leases.set(number, opened);
    return opened;
  }

  /** The descriptor, in the cell, of a lease's channel. */
  channelFd(lease: number): number {
    return CONTROL_FD + lease;
  }

  /** The home of a guest's thread: see {@link GuestOrder}. */
  tempDirFor(servletName: string, lease: number): string {
    return join(this.#tempDir, `servlet-${encodeURIComponent(servletName)}`, String(lease));
  }

  send(message: ToCell): void {
    if (!this.isGone && this.#control.writable) writeJsonLine(this.#control, message);
  }

  /** Resolves when its supervisor has been told. */
  async start(order: LeaseOrder): Promise<void> {
    if (this.#bounds !== null) await this.bound();
    this.send({ type: 'lease', order });
  }

  /** Has the kernel know what its present threads may have. One after another: the last one counts. */
  bound(): Promise<void> {
    const bounds = this.#bounds;
    if (bounds === null) return Promise.resolve();
    this.#bounding = this.#bounding.then(async () => {
      if (this.isGone || this.deathCause !== null) return;
      let capBytes = 0;
      for (const lease of this.leases.values()) capBytes += lease.heapMaxBytes;
      const threads = this.leases.size;
      const holding = { threads, capBytes, wallBytes: this.memory.wallBytes(), tempBytes: this.#tempMaxBytes };
      // It is never left without what it was promised.
      await bounds.hold(this.#cellPid, holding).catch(() => this.kill('abort'));
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
    this.#onBegun();
  }

  onLeaseGone(lease: Lease): void {
    this.#onBegun();
    this.leases.delete(lease.number);
    this.#stuck.delete(lease);
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
      if (this.memory.becomesPressed(roomBytes)) this.#collectFromWorking();
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
    signalGroup(this.pid);
    this.#child.kill('SIGKILL');
  }

  /** Ends the process in good order: it is not a death. */
  async close(): Promise<void> {
    this.kill('drain');
    await this.gone;
    await this.#tempRemoved;
  }

  #onMessage(message: ToSupervisor): void {
    switch (message?.type) {
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

  #readStderr(): void {
    const stderr = this.#child.stderr;
    if (stderr === null) return;
    let budget = STDERR_BYTES_PER_SECOND;
    stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('latin1')).slice(-STDERR_KEPT_CHARS);
      budget -= chunk.length;
      if (budget > 0) return;
      stderr.pause();
      setTimeout(() => {
        budget = STDERR_BYTES_PER_SECOND;
        stderr.resume();
      }, 1000).unref();
    });
    stderr.on('error', () => {});
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

/** Bubblewrap ends with 128 and the number of the signal that its command has ended by. */
function exitText(code: number | null, signal: NodeJS.Signals | null, isJailed: boolean): string {
  const number = isJailed && code !== null ? code - 128 : 0;
  const name = signal ?? Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name === undefined ? `exit code ${code}` : `signal ${name}`;
}

function signalGroup(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
