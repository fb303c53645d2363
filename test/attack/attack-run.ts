import { readdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits, Obituary, ServletOptions } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { HostProcess } from '../support/host-process.ts';
import { NeighbourClock, type Reading } from '../support/neighbour-clock.ts';
import { childProcesses, descriptorsOf, processesNamed, residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { WireClient } from '../support/wire-client.ts';
import type { Attack } from './attack.ts';

/** What the clocks run before and after the attack itself. */
const LEAD_MS = 50;
const TAIL_MS = 100;
/** Of fewer readings the 99th percentile would be the slowest one. */
const READINGS_MIN_COUNT = 110;
const READINGS_MAX_MS = 15_000;
/** Longer than the host waits for it. */
const DEAF_MS = 3000;
const BASELINE_MS = 700;
/** Whatever is still there then has been left behind, however busy the machine is. */
const CALM_MAX_MS = 10_000;
/** Part of the command line of every process that an attack starts. */
export const STRAY = '300.0625';

/** What an attack came to. */
export interface Outcome extends Left {
  /** Of the answer; `cut` when the connection ended without a whole one. */
  status: number | 'cut';
  page: string;
  again: { status: number | 'cut'; page: string } | null;
  obituaries: Obituary[];
  neighbour: Reading | null;
  /** A healthy route of the same servlet. */
  sibling: Reading | null;
  /** By how much the acceptor's memory was larger at its peak than before this attack; what all of them leave is in {@link Left}. */
  peakGrowthBytes: number;
}

/** What is still there when the attacker's cell has been closed. */
export interface Left {
  /** By how much the acceptor's memory is larger. */
  growthBytes: number;
  leftDescriptors: number;
  leftProcesses: string[];
  leftDirectories: string[];
}

/** An acceptor that has grown by more is looked at a second time, so much later. */
const SETTLES_BYTES = 4 << 20;
const SETTLES_MS = 1500;

const NOTHING_LEFT: Left = { growthBytes: 0, leftDescriptors: 0, leftProcesses: [], leftDirectories: [] };

/** One host in a process of its own, under some Node, which is attacked again and again. */
export class Target implements AsyncDisposable {
  readonly process: HostProcess;
  /** The neighbour's clock when nobody attacks. */
  baseline: Reading = { count: 0, p50: 0, p99: 0, max: 0, failures: [] };
  readonly #directory: ServletDirectory;
  /** Those before: what they may die of, they may die of later. */
  readonly #made = new Map<string, Attack>();
  #grownBytes = 0;
  #calm = { descriptors: 0, children: 0, bytes: 0, directories: 0 };

  private constructor(process: HostProcess, directory: ServletDirectory) {
    this.process = process;
    this.#directory = directory;
  }

  static async start(node: string, attacks: readonly Attack[], limits: Partial<Limits>): Promise<Target> {
    const directory = new ServletDirectory({ clock: `export default () => String(Date.now());` });
    const servlets: ServletOptions[] = [{ file: directory.file('clock'), isEager: true }];
    for (const attack of attacks)
      servlets.push({
        file: directory.write(`${attack.number}/${attack.number}.mjs`, moduleOf(attack)),
        profile: attack.profile ?? 'guest',
        // Probes share a process: to start one for each would take longer than all of them.
        ...(attack.isProbe === true ? { cell: 'probes', spareThreads: 0 } : {}),
        // Its cell has no thread that would tell whose it is.
        limits: { ...attack.limits, ...(attack.isAllBad === true ? { cellIdleTimeoutMs: 500 } : {}) },
      });
    const process = await HostProcess.start(node, {
      servlets,
      limits: { heapMb: 50, threadsMaxCount: 4, sendTimeoutMs: 1500, ...limits },
    });
    const target = new Target(process, directory);
    // The clock's thread has been through its first requests.
    await target.takeBaseline();
    await target.takeBaseline();
    await process.ask({ type: 'collect' });
    target.#calm = {
      descriptors: descriptorsOf(process.pid).length,
      children: childProcesses(process.pid).length,
      bytes: residentBytes(process.pid).now,
      directories: target.#tempDirectories().length,
    };
    return target;
  }

  async takeBaseline(): Promise<void> {
    const clock = new NeighbourClock(this.process.port, '/clock');
    await sleep(BASELINE_MS);
    this.baseline = await clock.stop();
  }

  /** `hasReserve`: it begins when the servlet's second thread is there. */
  async attack(attack: Attack, { hasReserve }: { hasReserve: boolean }): Promise<Outcome> {
    const { port, pid } = this.process;
    const path = `/${attack.number}`;
    if (attack.isAllBad !== true && attack.isProbe !== true) {
      await visit(port, `${path}?ok`);
      if (hasReserve) await this.#reserveOf(attack.number);
    }
    const before = (await this.process.obituaries()).length;
    const bytesBefore = residentBytes(pid).now;
    this.#made.delete(attack.number);
    if (attack.isProbe !== true) await this.process.ask({ type: 'forget-peak' });
    const neighbourClock = attack.isProbe === true ? null : new NeighbourClock(port, '/clock');
    const hasSibling = attack.isAllBad !== true && attack.isProbe !== true;
    const siblingClock = hasSibling ? new NeighbourClock(port, `${path}?ok`) : null;
    const clocks = [neighbourClock, siblingClock].filter((clock) => clock !== null);
    let answer: { status: number | 'cut'; page: string };
    try {
      if (neighbourClock !== null) await sleep(LEAD_MS);
      answer = await visit(port, path, attack.hasDeafVisitor);
      if (attack.afterMs !== undefined) await sleep(attack.afterMs);
      if (clocks.length > 0) await sleep(TAIL_MS);
      await eventually(
        () => clocks.map((clock) => clock.count),
        (counts) => counts.every((count) => count >= READINGS_MIN_COUNT),
        { ms: READINGS_MAX_MS, what: 'a count of readings' },
      );
    } finally {
      // One that went on would start what it asks for again and again.
      await Promise.all(clocks.map((clock) => clock.stop()));
    }
    const { status, page } = answer;
    const [neighbour, sibling] = [neighbourClock?.reading ?? null, siblingClock?.reading ?? null];
    const again = attack.again === undefined ? null : await visit(port, `${path}?again`);
    const obituaries = await eventually(
      async () =>
        (await this.process.obituaries())
          .slice(before)
          .filter(({ servlet, cause }) => this.#made.get(servlet)?.causes.includes(cause) !== true),
      (found) =>
        found.length > 0 || attack.causes.length === 0 || attack.statuses.includes(200) || attack.mayLive === true,
      { ms: 2000, what: 'an obituary' },
    );
    this.#made.set(attack.number, attack);
    const peakGrowthBytes = attack.isProbe === true ? 0 : residentBytes(pid).peak - bytesBefore;
    // What all probes have left is looked at once.
    const left = attack.isProbe === true ? NOTHING_LEFT : await this.settle({ hasStrays: attack.isOpen === true });
    // What nobody ends must not be taken for the next attack's.
    if (attack.isOpen === true) for (const stray of processesNamed(STRAY)) process.kill(stray.pid, 'SIGKILL');
    return { status, page, again, obituaries, neighbour, sibling, peakGrowthBytes, ...left };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  /**
   * Waits for the thread that a servlet has in reserve. Until it is there, some 200 ms after the first answer, whoever comes while an
   * only thread is stuck waits for it, whatever the thread is stuck in.
   */
  async #reserveOf(name: string): Promise<void> {
    await eventually(
      async () => (await this.process.servlets()).find((servlet) => servlet.name === name),
      (found) => found === undefined || (found.threads > 1 && found.idleThreads === found.threads),
      { what: `the reserve of ${name}` },
    );
  }

  /** Those of the host's cells. */
  #tempDirectories(): string[] {
    const all = join(tmpdir(), `.custodian-${userInfo().uid}`, 'temp');
    const own = readdirSync(all).filter((name) => name.startsWith(`host-${this.process.pid}-`));
    return own.flatMap((name) => readdirSync(join(all, name)).map((cell) => join(all, name, cell)));
  }

  /**
   * Waits until the host is as calm as before, and tells what is left if it is not. `hasStrays`: there are processes that nobody ends, for
   * which it would wait in vain.
   */
  async settle({ hasStrays = false }: { hasStrays?: boolean } = {}): Promise<Left> {
    const { pid } = this.process;
    await this.process.ask({ type: 'retire' });
    const look = (): Omit<Left, 'growthBytes'> & { isSpareBack: boolean } => {
      const children = childProcesses(pid);
      const directories = this.#tempDirectories();
      return {
        // The acceptor has both ends of a cell's channels while it starts it, and it starts a spare one when the one before is in use.
        isSpareBack: children.length >= this.#calm.children,
        leftDescriptors: descriptorsOf(pid).length - this.#calm.descriptors,
        leftProcesses: [
          ...(children.length > this.#calm.children ? children.map(({ command }) => command) : []),
          ...processesNamed(STRAY).map(({ command }) => command),
        ],
        leftDirectories: directories.length > this.#calm.directories ? directories : [],
      };
    };
    const isCalm = (left: ReturnType<typeof look>): boolean =>
      left.isSpareBack &&
      left.leftDescriptors <= 0 &&
      (hasStrays || left.leftProcesses.length === 0) &&
      left.leftDirectories.length === 0;
    await eventually(look, isCalm, { ms: CALM_MAX_MS }).catch(() => {});
    const growth = async (): Promise<number> => {
      await this.process.ask({ type: 'collect' });
      return residentBytes(pid).now - this.#calm.bytes;
    };
    let growthBytes = await growth();
    // What a killed cell had sent goes with its sockets and their last clocks.
    if (growthBytes > this.#grownBytes + SETTLES_BYTES) {
      await sleep(SETTLES_MS);
      growthBytes = await growth();
    }
    this.#grownBytes = growthBytes;
    return { ...look(), growthBytes };
  }
}

/** What every attack may use: a place to keep things, and a function that says how an attempt ended. */
const SUPPORT = `
  const hoard = [];
  async function attempt(what) {
    try {
      const value = await what();
      return 'done: ' + (typeof value === 'string' ? value : JSON.stringify(value) ?? String(value));
    } catch (error) {
      return 'denied: ' + (error?.code ?? error?.name) + ': ' + error?.message;
    }
  }
`;

export function moduleOf({ code, prelude = '', again }: Attack): string {
  if (code.startsWith('export')) return code;
  const route = again === undefined ? '' : `if (request.url.endsWith('?again')) return afterwards(request);`;
  return `${prelude}${SUPPORT}
    async function attack(request) { ${code} }
    export default (request) => { if (request.url.endsWith('?ok')) return 'ok'; ${route} return attack(request); };`;
}

export async function visit(
  port: number,
  path: string,
  isDeaf = false,
): Promise<{ status: number | 'cut'; page: string }> {
  const client = await WireClient.connect(port);
  try {
    const answered = client.get(path);
    if (isDeaf) {
      client.socket.once('data', () => client.socket.pause());
      setTimeout(() => client.socket.resume(), DEAF_MS);
    }
    const { status, body } = await answered;
    return { status, page: body.toString() };
  } catch {
    return { status: 'cut', page: '' };
  } finally {
    client.destroy();
  }
}
