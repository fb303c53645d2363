import { existsSync, mkdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { Usage } from '@custodian/protocol';
import { Acceptor } from './acceptor.ts';
import { Admin, type AdminOptions } from './admin/admin.ts';
import type { Canary } from './admin/health.ts';
import type { AdminSite } from './admin/site.ts';
import { certificateOption } from './certificate-option.ts';
import { Ledger } from './cell/ledger.ts';
import { type AskedProfile, Servlets } from './cell/servlets.ts';
import { WarmCells } from './cell/warm-cells.ts';
import { Custodian } from './custodian.ts';
import { CheckpointService } from './checkpoint/checkpoint-service.ts';
import { chain } from './dispatcher/dispatcher.ts';
import { standardDispatchers } from './dispatcher/standard.ts';
import { FetchService } from './fetch/fetch-service.ts';
import { FileBoxService } from './file-box/file-box-service.ts';
import { BodyBudget } from './http/body-budget.ts';
import type { Exchange } from './http/exchange.ts';
import { FileCache } from './http/file-cache.ts';
import { createPageInstead } from './http/servlet-responder.ts';
import { type LimitName, type Limits, LIMITS, resolveLimits } from './limits.ts';
import { HostLog } from './log.ts';
import { RequestLog } from './log/request-log.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { Host, ListenAddress, Profile, ServeOptions, ServletOptions, ServletStatus } from './options.ts';
import { type Jail, JailError, unreadableIn } from './jail/jail.ts';
import { KeyRing } from './keys/key-ring.ts';
import { KeyService } from './keys/key-service.ts';
import { AccountService } from './service/account-service.ts';
import { faultText, type Service, Services } from './service/service.ts';
import { checkPermissible, listServlets } from './servlet-list.ts';
import { defaultStateDir, ownDirectory } from './state-dir.ts';
import { openStore } from './store/open-store.ts';
import { PatientStore } from './store/patient-store.ts';
import { StoreService } from './store/store-service.ts';
import { TempRoot } from './temp-root.ts';
import { Certificate } from './tls.ts';
import { VersionKeeper } from './version/version-keeper.ts';
import { VersionService } from './version/version-service.ts';
import { Uploads } from './upload/uploads.ts';

const MB = 1 << 20;
/** The key ring itself, where no file shall be. */
const KEYS_VARIABLE = 'CUSTODIAN_KEYS';
const DRAIN_POLL_MS = 20;

/** Composition: acceptor, dispatchers, servlets and cells, under the root custodian. */
export class ServletHost implements Host {
  readonly custodian: Custodian;
  readonly closed: Promise<void>;
  readonly ledger: Ledger = new Ledger();
  readonly #acceptor: Acceptor;
  readonly #servlets: Servlets;
  readonly #versions: VersionKeeper;
  readonly #warm: WarmCells;
  /** What threads may ask for. */
  readonly #services: Services;
  readonly #log: HostLog | null;
  readonly #budget: MemoryBudget;
  readonly #stateDir: string;
  readonly #cacheDir: string;
  readonly #adminOptions: AdminOptions | null;
  readonly #canaries: readonly { servlet: string; path: string }[];
  #admin: Admin | null = null;
  #isWarm = false;
  readonly #onClosed: () => void;
  #closing: Promise<void> | null = null;
  #isDraining = false;
  #warmed: Promise<void> = Promise.resolve();

  /**
   * `services`: what threads may ask for besides what every host has. `custodian` gets all that the host holds, also when
   * this throws.
   */
  constructor(
    options: ServeOptions,
    services: Iterable<Service> = [],
    custodian: Custodian = new Custodian('host', null),
    jail: Jail | JailError | null = null,
  ) {
    this.custodian = custodian;
    ({ promise: this.closed, resolve: this.#onClosed } = Promise.withResolvers<void>());
    const limits = resolveLimits(options.limits);
    const listed = listServlets(options);
    const log = options.log ?? false;
    const logMaxBytesOf = (name: string): number =>
      (listed.find(({ held }) => held.name === name)?.held.limits ?? limits).logMb * MB;
    this.#log = log === false ? null : this.custodian.own(new HostLog(log, options.logDestination ?? 1, logMaxBytesOf));
    this.#adminOptions = options.admin === true ? {} : options.admin === false ? null : (options.admin ?? null);
    this.#canaries = listed.flatMap(({ held, canary }) =>
      canary === null ? [] : [{ servlet: held.name, path: canary }],
    );
    // A cell has another current directory.
    this.#stateDir = resolve(options.stateDir ?? defaultStateDir());
    checkPermissible(this.#stateDir);
    ownDirectory(this.#stateDir);
    const emptyDir = join(this.#stateDir, 'empty');
    const cacheDir = join(this.#stateDir, 'compile-cache');
    this.#cacheDir = cacheDir;
    mkdirSync(cacheDir, { recursive: true });
    mkdirSync(emptyDir, { recursive: true, mode: 0o555 });
    const store = new PatientStore(openStore(options.store ?? 'sqlite', this.#stateDir));
    const stores = this.custodian.own(new StoreService(store, (error) => this.#log?.warn(faultText('store', error))));
    this.#services = new Services([
      stores,
      new CheckpointService(store, () => stores.keepSwept()),
      new AccountService(this.ledger),
      this.custodian.own(new FetchService(this.ledger, options.fetchDispatcher ?? null)),
      new KeyService(keyRing(options.keyFile, this.#stateDir)),
      this.custodian.own(new FileBoxService(join(this.#stateDir, 'file-boxes'))),
      ...services,
    ]);
    const tempDir = this.custodian.own(new TempRoot(this.#stateDir)).path;
    // A jailed cell can't make these.
    for (const name of ['modules', 'compiled']) mkdirSync(join(cacheDir, name), { recursive: true });
    this.#warm = new WarmCells(
      { custodian: this.custodian, emptyDir, cacheDir, tempDir, jail: jail instanceof JailError ? null : jail },
      options.warmCells ?? 1,
    );
    this.#budget = new MemoryBudget((limits.memoryMb || (totalmem() / MB) * 0.75) * MB);
    const isDevelopment = options.isDevelopment ?? process.env['NODE_ENV'] !== 'production';
    const warn = (text: string): void => this.#log?.warn(text);
    const bodies = new BodyBudget(limits.bufferedBodiesMb * MB);
    const uploads = new Uploads(join(this.#stateDir, 'uploads'), limits.spoolMaxBytes, bodies, warn);
    this.#services.add(uploads);
    // Where supervisors can read it, jailed ones too.
    this.#versions = new VersionKeeper(join(cacheDir, 'versions'), {
      keepMs: (name) => listed.find(({ held }) => held.name === name)?.held.limits.oldVersionMs ?? 0,
      onFault: (error) => this.#log?.warn(faultText('version', error)),
    });
    this.#services.add(new VersionService(this.#versions));
    this.#servlets = new Servlets({
      versions: this.#versions,
      warm: this.#warm,
      budget: this.#budget,
      services: this.#services,
      uploads,
      isDevelopment,
      profileOf: (held, file) => this.#profileOf(held, file, jail),
      onCpu: (servlet, ms) => {
        this.ledger.account(servlet).threadCpuMs += ms;
      },
      onCharge: (...charged) => this.#charge(...charged),
      onFailure: (servlet, failure) => this.#log?.servletFailure(servlet, failure),
      onDeath: (obituary, failure) => {
        this.ledger.bury(obituary);
        this.#log?.death(obituary, failure);
      },
      onLog: (servlet, level, text) => this.#log?.servletOutput(servlet, level, text),
      onIdleSweep: () => this.custodian.enforceMemory(),
    });
    this.custodian.own({ label: 'watchdog', close: () => this.#servlets.watchdog.close() });
    for (const servlet of listed) this.#servlets.add(servlet);
    const onExchange = chain(standardDispatchers(options), () => {}, {
      custodian,
      limits,
      servlets: this.#servlets,
      jailed: options.profile === 'jail' ? jailOf(options) : null,
      fileCache: new FileCache(limits.fileCacheMb * MB),
      isDevelopment,
      passwordFiles: new Set(),
      warn,
      host: this,
    });
    const { servletLoadingResponder: loading, servletResponder: running, logFile, logFormat } = options;
    const requests = logFile === undefined ? null : custodian.own(new RequestLog(logFile, logFormat, warn));
    const certificate = certificateOption(options);
    this.#acceptor = new Acceptor(
      custodian,
      {
        limits,
        bodies,
        isOneRequestEach: options.connectionClose ?? false,
        onExchange,
        onRefusal: (refusal, connection, exchange) => {
          this.ledger.refuse(refusal.code);
          this.#log?.refusal(refusal, connection, exchange);
          if (exchange === null) requests?.unreadable(connection, refusal);
        },
        onHandshakeFailure: (clientIp, error) => {
          this.ledger.refuse('REQUEST_TLS');
          this.#log?.handshakeFailure(clientIp, error);
        },
        pageInstead: createPageInstead({ loading, running }, warn),
        onDone: this.#onDone(requests),
      },
      certificate === null ? null : custodian.own(new Certificate(certificate, warn)),
    );
  }

  /** What a servlet asks for, or the weaker profile that it may have. @throws JailError when it is to be in a jail that can't be had */
  #profileOf(
    { name, profile, weakerProfile }: AskedProfile,
    file: string | null,
    jail: Jail | JailError | null,
  ): Profile {
    if (profile !== 'jail') return profile;
    const reason =
      jail === null
        ? 'Cannot make a jail: nobody has tried whether it can be had; a chain of dispatchers needs the "profile" of serve() for that'
        : jail instanceof JailError
          ? jail.message
          : file === null
            ? null
            : unreadableIn(jail, file);
    if (reason === null) return profile;
    if (weakerProfile === null || weakerProfile === 'jail')
      throw new JailError(`${reason}; servlet "${name}" names no "weakerProfile" to have in its place`);
    this.#log?.warn(`servlet "${name}" has the profile ${weakerProfile}, not jail: ${reason}`);
    return weakerProfile;
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

  get adminUrl(): string | null {
    return this.#admin?.pageUrl ?? null;
  }

  get servlets(): readonly ServletStatus[] {
    return this.#servlets.pools.map((pool) => ({
      name: pool.servlet.name,
      url: `${this.url}${pool.servlet.path}`,
      file: pool.servlet.file,
      unit: pool.servlet.unit,
      cell: pool.servlet.cell,
      profile: pool.servlet.profile,
      limits: pool.limits,
      state: pool.state,
      error: pool.bench.lastError,
      threads: pool.threadCount,
      idleThreads: pool.idleThreadCount,
      queued: pool.queuedCount,
      continuations: pool.holding.continuations,
      continuationBytes: pool.holding.bytes,
    }));
  }

  /** Listens on all of them, or on none. */
  async listen(addresses: readonly ListenAddress[]): Promise<void> {
    const versioned = this.#servlets.pools.filter(({ servlet }) => servlet.limits.oldVersionMs > 0);
    if (versioned.length > 0) await this.#versions.open(versioned.map(({ servlet }) => servlet.name));
    for (const address of addresses) await this.#acceptor.listen(address);
    if (this.#adminOptions !== null) {
      const canaries = this.#canaries.map(({ servlet, path }): Canary => ({ servlet, url: this.url + path }));
      this.#admin = new Admin(this.#adminSite(), this.#adminOptions, canaries);
      await this.#admin.listen(this.#adminOptions);
    }
    this.#warmed = Promise.all([
      ...Array.from(this.#servlets.profiles, (profile) => this.#warm.prepare(profile)),
      this.#servlets.start(),
    ]).then(() => {
      this.#isWarm = true;
      this.#admin?.startCanaries();
    });
    this.#warmed.catch(() => {});
  }

  ready(): Promise<void> {
    return this.#warmed;
  }

  reload(servlet: string): void {
    const pool = this.#servlets.pools.find((candidate) => candidate.servlet.name === servlet);
    if (pool === undefined) throw new RangeError(`Cannot reload "${servlet}": there is no such servlet`);
    pool.reload();
  }

  adjust(servlet: string, limits: Partial<Limits>): Limits {
    const pool = this.#servlets.pools.find((candidate) => candidate.servlet.name === servlet);
    if (pool === undefined) throw new RangeError(`Cannot adjust "${servlet}": there is no such servlet`);
    for (const name of Object.keys(limits))
      if (LIMITS[name as LimitName]?.scope === 'host' || LIMITS[name as LimitName]?.scope === 'connection')
        throw new TypeError(`Cannot adjust limit "${name}" of a servlet: it is one of the host's`);
    pool.adjust(resolveLimits(limits, pool.servlet.limits));
    return pool.limits;
  }

  async killCell(pid: number): Promise<void> {
    const cell = this.#servlets.cells.find((candidate) => candidate.pid === pid);
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
    this.#closing = this.#shutDown(options.graceMs ?? 0).finally(() => this.#onClosed());
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
    this.#servlets.shut();
    await this.custodian.shutdownAll();
  }

  #adminSite(): AdminSite {
    return {
      host: this,
      budget: this.#budget,
      stateDir: this.#stateDir,
      cacheDir: this.#cacheDir,
      pools: () => this.#servlets.pools,
      eager: () => this.#servlets.eager,
      cells: () => [...this.#servlets.cells, ...this.#warm.waiting],
      connectionCount: () => this.#acceptor.connectionCount,
      isReady: () => this.#isWarm,
      isClosing: () => this.#closing !== null,
    };
  }

  /** Nobody is called for each exchange unless somebody wants to hear of it. */
  #onDone(requests: RequestLog | null): ((exchange: Exchange) => void) | null {
    const log = this.#log?.logsRequests === true ? this.#log : null;
    if (log === null && requests === null) return null;
    return (exchange) => {
      log?.hostAnswer(exchange);
      requests?.exchange(exchange);
    };
  }

  #charge(servlet: string, exchange: Exchange, usage: Usage, peakBytes: number): void {
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
    if (this.#log?.logsRequests === true) this.#log.request(record);
  }
}

function jailOf({ weakerProfile }: ServeOptions): Pick<ServletOptions, 'profile' | 'weakerProfile'> {
  return weakerProfile === undefined ? { profile: 'jail' } : { profile: 'jail', weakerProfile };
}

/**
 * How the ring is opened: at once if one is named, so that a mistake shows at the start; else when a servlet needs it.
 * @throws ConfigError
 */
function keyRing(keyFile: string | undefined, stateDir: string): () => KeyRing {
  const text = process.env[KEYS_VARIABLE];
  const file = keyFile === undefined ? join(stateDir, 'keys') : resolve(keyFile);
  // Most hosts need none; but who has written one is to learn at start what is wrong with it.
  if (text === undefined && keyFile === undefined && !existsSync(file)) return () => KeyRing.open(file);
  const ring = text === undefined ? KeyRing.open(file) : KeyRing.parse(text, KEYS_VARIABLE);
  return () => ring;
}
