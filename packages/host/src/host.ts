import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, totalmem, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Failure, Usage } from '@custodian/protocol';
import { Acceptor } from './acceptor.ts';
import { CellGroup } from './cell/cell-group.ts';
import { Ledger } from './cell/ledger.ts';
import { type PoolSite, ServletPool } from './cell/pool.ts';
import { WarmCells } from './cell/warm-cells.ts';
import { Watchdog } from './cell/watchdog.ts';
import { Custodian } from './custodian.ts';
import { Mounts } from './dispatcher/mounts.ts';
import { renderUnknownPage } from './http/error-page.ts';
import type { Exchange } from './http/exchange.ts';
import { type Limits, resolveLimits } from './limits.ts';
import { HostLog } from './log.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { Host, ListenAddress, Profile, ServeOptions, ServletStatus } from './options.ts';
import { bufferBody } from './http/body-intake.ts';
import { type Service, Services } from './service/service.ts';
import { ConfigError, listServlets, type ListedServlet } from './servlet-list.ts';

const MB = 1 << 20;
const DRAIN_POLL_MS = 20;

/** Composition: acceptor, mounts, pools and cells, under the root custodian. */
export class ServletHost implements Host {
  readonly custodian: Custodian = new Custodian('host', null);
  readonly ledger: Ledger = new Ledger();
  readonly #limits: Limits;
  readonly #acceptor: Acceptor;
  readonly #mounts = new Mounts<ServletPool>();
  readonly #pools: ServletPool[] = [];
  readonly #eager: ServletPool[] = [];
  readonly #groups = new Map<ServletPool, CellGroup>();
  readonly #warm: WarmCells;
  /** What threads may ask for. */
  readonly #services: Services;
  readonly #log: HostLog | null;
  readonly #profiles: Set<Profile>;
  #closing: Promise<void> | null = null;
  #isDraining = false;
  #warmed: Promise<void> = Promise.resolve();

  /** `services`: what threads may ask for besides what every host has. */
  constructor(options: ServeOptions, services: Iterable<Service> = []) {
    this.#services = new Services(services);
    this.#limits = resolveLimits(options.limits);
    const listed = listServlets(options);
    const log = options.log ?? false;
    this.#log = log === false ? null : this.custodian.own(new HostLog(log, options.logDestination ?? 1));
    const stateDir = options.stateDir ?? join(tmpdir(), `.custodian-${userInfo().uid}`);
    ownDirectory(stateDir);
    const emptyDir = join(stateDir, 'empty');
    const cacheDir = join(stateDir, 'compile-cache');
    mkdirSync(cacheDir, { recursive: true });
    mkdirSync(emptyDir, { recursive: true, mode: 0o555 });
    this.#warm = new WarmCells({ custodian: this.custodian, emptyDir, cacheDir }, options.warmCells ?? 1);
    const watchdog = new Watchdog(() => this.#sweep());
    this.custodian.own({ label: 'watchdog', close: () => watchdog.close() });
    const budget = new MemoryBudget((this.#limits.memoryMb || (totalmem() / MB) * 0.75) * MB);
    const isDevelopment = options.isDevelopment ?? process.env['NODE_ENV'] !== 'production';
    const named = new Map<string, CellGroup>();
    for (const servlet of listed)
      this.#add(servlet, named, { watchdog, budget, services: this.#services, isDevelopment });
    this.#profiles = new Set(listed.map((servlet) => servlet.held.profile));
    this.#acceptor = new Acceptor(this.custodian, this.#limits, (exchange) => this.#dispatch(exchange));
  }

  get addresses(): Host['addresses'] {
    return this.#acceptor.addresses;
  }

  get url(): string {
    return this.addresses[0]?.url ?? '';
  }

  get port(): number {
    return this.addresses[0]?.port ?? 0;
  }

  get servlets(): readonly ServletStatus[] {
    return this.#pools.map((pool) => ({
      name: pool.servlet.name,
      url: `${this.url}/${pool.servlet.name}`,
      file: pool.servlet.file,
      unit: pool.servlet.unit,
      cell: pool.servlet.cell,
      profile: pool.servlet.profile,
      limits: pool.limits,
      state: pool.state,
      error: pool.bench.lastError,
      threads: pool.threadCount,
      queued: pool.queuedCount,
      continuations: pool.holding.continuations,
      continuationBytes: pool.holding.bytes,
    }));
  }

  /** Listens on all of them, or on none. */
  async listen(addresses: readonly ListenAddress[]): Promise<void> {
    for (const address of addresses) await this.#acceptor.listen(address);
    this.#warmed = Promise.all([
      ...Array.from(this.#profiles, (profile) => this.#warm.prepare(profile)),
      ...this.#eager.map((pool) => pool.start()),
    ]).then(() => {});
    this.#warmed.catch(() => {});
  }

  ready(): Promise<void> {
    return this.#warmed;
  }

  reload(servlet: string): void {
    const pool = this.#pools.find((candidate) => candidate.servlet.name === servlet);
    if (pool === undefined) throw new RangeError(`Cannot reload "${servlet}": there is no such servlet`);
    pool.reload();
  }

  async killCell(pid: number): Promise<void> {
    const cell = this.#pools.flatMap((pool) => pool.cells).find((candidate) => candidate.pid === pid);
    if (cell === undefined) throw new RangeError(`Cannot kill cell ${pid}: there is none with this pid`);
    cell.kill('operator');
    await cell.gone;
  }

  close(options: { graceMs?: number } = {}): Promise<void> {
    if (this.#closing !== null) {
      // The second call: no more waiting.
      this.#isDraining = false;
      return this.#closing;
    }
    this.#closing = this.#shutDown(options.graceMs ?? 0);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(graceMs: number): Promise<void> {
    if (graceMs > 0) {
      this.#isDraining = true;
      this.#acceptor.drain();
      const until = performance.now() + graceMs;
      while (this.#isDraining && this.#acceptor.connectionCount > 0 && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
      }
    }
    for (const pool of this.#pools) pool.shut();
    await this.custodian.shutdownAll();
  }

  #add(
    servlet: ListedServlet,
    named: Map<string, CellGroup>,
    site: Pick<PoolSite, 'watchdog' | 'budget' | 'services' | 'isDevelopment'>,
  ): void {
    const { held } = servlet;
    const isNamed = held.cell.startsWith('group ');
    // A group has one set of process flags: guests and trusted servlets never share a process.
    const groupName = isNamed ? `${held.profile} ${held.cell}` : held.name;
    const group =
      (isNamed ? named.get(groupName) : undefined) ??
      new CellGroup(groupName, held.profile, held.cell === 'instance', this.#warm);
    if (isNamed) named.set(groupName, group);
    const pool = new ServletPool(held, group, {
      ...site,
      onCharge: (exchange, usage, peakBytes, failure) => this.#charge(held.name, exchange, usage, peakBytes, failure),
      onDeath: (obituary, failure) => {
        this.ledger.bury(obituary);
        this.#log?.death(obituary, failure);
      },
      onLog: (level, text) => this.#log?.servletOutput(held.name, level, text),
    });
    this.#pools.push(pool);
    this.#groups.set(pool, group);
    if (servlet.isEager) this.#eager.push(pool);
    for (const mount of servlet.mounts) this.#mounts.add(mount, pool);
  }

  #dispatch(exchange: Exchange): void {
    const pool = this.#mounts.find(exchange.url);
    if (pool === null) {
      exchange.answerPage(404, renderUnknownPage(exchange.url));
      return;
    }
    exchange.bodyMaxBytes = pool.limits.bodyMaxBytes;
    if (!exchange.hasBody) pool.dispatch(exchange);
    else bufferBody(exchange, () => pool.dispatch(exchange));
  }

  #charge(servlet: string, exchange: Exchange, usage: Usage, peakBytes: number, failure: Failure | null): void {
    const record = this.ledger.blank();
    record.at = Date.now();
    record.servlet = servlet;
    record.method = exchange.method;
    record.url = exchange.url;
    record.status = exchange.status;
    record.cpuMs = usage.cpuMicros / 1000;
    record.wallMs = usage.wallMicros / 1000;
    record.totalMs = performance.now() - exchange.arrivedAt;
    record.peakBytes = peakBytes;
    record.bytesIn = exchange.bytesIn;
    record.bytesOut = exchange.bytesOut;
    this.ledger.charge(record);
    if (this.#log === null) return;
    if (failure !== null) this.#log.servletFailure(servlet, failure);
    if (this.#log.logsRequests) this.#log.request(record);
  }

  #sweep(): void {
    const now = performance.now();
    const busy = new Set<CellGroup>();
    for (const [pool, group] of this.#groups) if (!pool.sweep(now)) busy.add(group);
    for (const group of new Set(this.#groups.values())) if (!busy.has(group)) group.retire();
    this.custodian.enforceMemory();
  }
}

/**
 * Makes a directory that nobody else may write to, or finds it so: what lies there is run.
 * @throws ConfigError
 */
function ownDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  const isOwn = process.platform === 'win32' || (stat.uid === userInfo().uid && (stat.mode & 0o022) === 0);
  if (!stat.isDirectory() || !isOwn) {
    throw new ConfigError(`Cannot keep state in "${path}": others may write there; name another with "stateDir"`);
  }
}
