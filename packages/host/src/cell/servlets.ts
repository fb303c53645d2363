import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Failure, Usage } from '@custodian/protocol';
import { ConfigError } from '../config-error.ts';
import { Mounts } from '../dispatcher/mounts.ts';
import type { Exchange } from '../http/exchange.ts';
import { slashedPath } from '../http/request-path.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import type { Profile } from '../options.ts';
import type { Services } from '../service/service.ts';
import { isServletFile, type ListedServlet } from '../servlet-list.ts';
import type { Uploads } from '../upload/uploads.ts';
import type { VersionKeeper } from '../version/version-keeper.ts';
import type { Cell } from './cell.ts';
import { CellGroup } from './cell-group.ts';
import type { HeldServlet } from './held-servlet.ts';
import type { Obituary } from './obituary.ts';
import { ServletPool } from './pool.ts';
import type { WarmCells } from './warm-cells.ts';
import { Watchdog } from './watchdog.ts';

/** Which profile a servlet is to have, and may have in its place. */
export type AskedProfile = Pick<HeldServlet, 'name' | 'profile' | 'weakerProfile'>;

/** What the servlets need from their host. */
export interface ServletsSite {
  warm: WarmCells;
  budget: MemoryBudget;
  /** What threads may ask for. */
  services: Services;
  /** Where multipart forms are read. */
  uploads: Uploads;
  /** The code of before edits. */
  versions: VersionKeeper;
  isDevelopment: boolean;
  /** The profile that it has. `file`: null where that is not known yet. @throws JailError when it can't be had */
  profileOf(held: AskedProfile, file: string | null): Profile;
  onCpu(servlet: string, ms: number): void;
  onCharge(servlet: string, exchange: Exchange, usage: Usage, peakBytes: number): void;
  onFailure(servlet: string, failure: Failure): void;
  onDeath(obituary: Obituary, failure: Failure | null): void;
  onLog(servlet: string, level: number, text: string): void;
  /** Now and then, while nothing runs. */
  onIdleSweep(): void;
}

/** A directory of servlets, and what their names begin with. */
interface NamedDirectory {
  prefix: string;
  directory: string;
}

/** Where the servlet of that name would be in a directory; null: none of that is called so. */
function fileNamed(name: string, { prefix, directory }: NamedDirectory): string | null {
  if (prefix === '') return join(directory, name);
  return name.startsWith(`${prefix}/`) ? join(directory, name.slice(prefix.length + 1)) : null;
}

/**
 * Could servlets of both have one name? Where neither can do without its name, one that begins with the other is enough: files come
 * and go. Else there would be no directory without a name, so that it is looked whether what it has now is called so.
 */
function couldMeet(outer: NamedDirectory, inner: NamedDirectory): boolean {
  if (outer.prefix === inner.prefix) return true;
  const within = fileNamed(inner.prefix, outer);
  return within !== null && (outer.prefix !== '' || existsSync(within));
}

/** All servlets of a host: where they answer, their threads, and who shares a process. */
export class Servlets {
  readonly watchdog: Watchdog;
  readonly #site: ServletsSite;
  readonly #mounts = new Mounts<ServletPool>();
  readonly #groups = new Map<ServletPool, CellGroup>();
  readonly #named = new Map<string, CellGroup>();
  readonly #eager: ServletPool[] = [];
  readonly #patterns: { regexp: RegExp; pool: ServletPool }[] = [];
  /** Of servlets that are loaded when they are asked for, by what their names begin with. */
  readonly #directories: NamedDirectory[] = [];
  readonly #profiles = new Set<Profile>();
  readonly #onRefresh: (() => void)[] = [];
  #isShut = false;

  constructor(site: ServletsSite) {
    this.#site = site;
    this.watchdog = new Watchdog(() => this.#sweep());
  }

  get pools(): readonly ServletPool[] {
    return [...this.#groups.keys()];
  }

  /** Those that are loaded when the host starts. */
  get eager(): readonly ServletPool[] {
    return this.#eager;
  }

  /** Every cell that one of them has a thread in. */
  get cells(): Cell[] {
    return [...new Set(this.pools.flatMap((pool) => pool.cells))];
  }

  /** Those of which a spare cell is to be kept. */
  get profiles(): ReadonlySet<Profile> {
    return this.#profiles;
  }

  /** Servlets that are held like this may come later. @throws JailError */
  expect(held: AskedProfile & Pick<HeldServlet, 'limits'>): void {
    const profile = this.#site.profileOf(held, null);
    this.#profiles.add(profile);
    if (held.limits.rssMb === 0) this.#site.warm.expectUse(profile);
  }

  /** Servlets may come from that directory whose names begin so. @throws ConfigError when others could have the same names */
  expectDirectory(prefix: string, directory: string): void {
    const added = { prefix, directory };
    for (const other of this.#directories)
      if (couldMeet(added, other) || couldMeet(other, added))
        throw new ConfigError(
          `Cannot serve the servlets of "${directory}" beside those of "${other.directory}": they could have the same names; give one of them another "name"`,
        );
    for (const { servlet } of this.pools) {
      const file = fileNamed(servlet.name, added);
      if (file !== null && isServletFile(basename(file)) && existsSync(file))
        throw new ConfigError(
          `Cannot serve the servlets of "${directory}" beside "${servlet.file}": that has the name of "${file}"; give it another "mount", or the directory another "name"`,
        );
    }
    this.#directories.push(added);
  }

  /** The servlet that answers at a request's path: by its mount, else the first one whose regexp finds something there. */
  find(exchange: Exchange): ServletPool | null {
    const mounted = this.#mounts.find(exchange.url);
    if (mounted !== null || this.#patterns.length === 0) return mounted;
    const path = exchange.path ?? slashedPath(exchange.url);
    if (path === null) return null;
    return this.#patterns.find(({ regexp }) => regexp.test(path))?.pool ?? null;
  }

  /** Who is asked when that one has left a request to others: the next one by its regexp. */
  findNext(exchange: Exchange, pool: ServletPool): ServletPool | null {
    const path = this.#patterns.length === 0 ? null : (exchange.path ?? slashedPath(exchange.url));
    if (path === null) return null;
    const asked = this.#patterns.findIndex((pattern) => pattern.pool === pool);
    return this.#patterns.slice(asked + 1).find((next) => next.regexp.test(path) && next.pool !== pool)?.pool ?? null;
  }

  /**
   * A servlet more, at its mounts. @throws JailError; ConfigError when another one is there, or has its name, by which it has its keys,
   * file boxes, saved pages and account. Then nothing of it is left.
   */
  add(servlet: ListedServlet): ServletPool {
    const { held } = servlet;
    const site = this.#site;
    const namesake = this.pools.find((pool) => pool.servlet.name === held.name);
    if (namesake !== undefined)
      throw new ConfigError(
        `Cannot serve "${held.file}" as "${held.name}": "${namesake.servlet.file}" has that name; give one of them another "mount"`,
      );
    for (const mount of servlet.mounts) this.#mounts.checkFree(mount);
    held.profile = site.profileOf(held, held.file);
    const group = this.#groupOf(servlet);
    group.add(held);
    const pool = new ServletPool(held, group, {
      watchdog: this.watchdog,
      budget: site.budget,
      services: site.services,
      uploads: site.uploads,
      versions: site.versions,
      isDevelopment: site.isDevelopment,
      onCpu: (ms) => site.onCpu(held.name, ms),
      onCharge: (exchange, usage, peakBytes) => site.onCharge(held.name, exchange, usage, peakBytes),
      onFailure: (failure) => site.onFailure(held.name, failure),
      onDeath: (obituary, failure) => site.onDeath(obituary, failure),
      onLog: (level, text) => site.onLog(held.name, level, text),
    });
    this.#groups.set(pool, group);
    this.expect(held);
    if (servlet.isEager) this.#eager.push(pool);
    for (const mount of servlet.mounts) this.#mounts.add(mount, pool);
    if (servlet.regexp !== null) this.#patterns.push({ regexp: servlet.regexp, pool });
    if (this.#isShut) pool.shut();
    return pool;
  }

  /** Loads those that are not to wait for their first request. */
  async start(): Promise<void> {
    await Promise.all(this.#eager.map((pool) => pool.start()));
  }

  /** What begins from now on loads its servlet's file anew. */
  refresh(): void {
    for (const listener of this.#onRefresh) listener();
    for (const pool of this.pools) pool.reload();
  }

  onRefresh(listener: () => void): void {
    this.#onRefresh.push(listener);
  }

  /** Has every thread collect when it comes back to its event loop. */
  collectGarbage(): void {
    for (const pool of this.pools) for (const lease of pool.leases) lease.collect();
  }

  /** No further threads. */
  shut(): void {
    this.#isShut = true;
    for (const pool of this.pools) pool.shut();
  }

  #groupOf({ held }: ListedServlet): CellGroup {
    const isNamed = held.cell.startsWith('group ');
    // A group has one set of process flags: guests and trusted servlets never share a process.
    const name = isNamed ? `${held.profile} ${held.cell}` : held.name;
    const group =
      (isNamed ? this.#named.get(name) : undefined) ??
      new CellGroup(name, held.profile, held.cell === 'instance', this.#site.warm);
    if (isNamed) this.#named.set(name, group);
    return group;
  }

  #sweep(): void {
    const now = performance.now();
    const busy = new Set<CellGroup>();
    for (const [pool, group] of this.#groups) if (!pool.sweep(now)) busy.add(group);
    for (const group of new Set(this.#groups.values())) if (!busy.has(group)) group.retire();
    this.#site.onIdleSweep();
  }
}
