import { setTimeout as sleep } from 'node:timers/promises';
import type { Obituary, Profile, ServletOptions } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { HostProcess } from '../support/host-process.ts';
import { NeighbourClock, type Reading } from '../support/neighbour-clock.ts';
import { childProcesses, descriptorsOf, processesNamed, residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { WireClient } from '../support/wire-client.ts';
import { type Attack, ATTACKS } from './attack-table.ts';

/** What the clocks run before and after the attack itself. */
const LEAD_MS = 150;
const TAIL_MS = 350;
const READINGS_MIN_COUNT = 220;
const DEAF_MS = 1200;
const BASELINE_MS = 1000;

/** What an attack came to. */
export interface Outcome {
  /** Of the answer; `cut` when the connection ended without a whole one. */
  status: number | 'cut';
  page: string;
  /** ms until the answer. */
  answeredMs: number;
  obituaries: Obituary[];
  neighbour: Reading;
  /** A healthy route of the same servlet. */
  sibling: Reading | null;
  /** By how much the acceptor's memory was larger at its peak, and is afterwards. */
  peakGrowthBytes: number;
  growthBytes: number;
  /** Descriptors and processes that are still there when its cell has been closed. */
  leftDescriptors: number;
  leftProcesses: string[];
}

export interface Placed {
  attack: Attack;
  profile: Profile;
  servlet: string;
}

/** Every attack under each of its profiles. */
export const PLACED: readonly Placed[] = ATTACKS.flatMap((attack, index) =>
  (attack.profiles ?? ['guest']).map((profile) => ({ attack, profile, servlet: `attack${index}${profile}` })),
);

/** One host in a process of its own, under some Node, which is attacked again and again. */
export class Target implements AsyncDisposable {
  readonly process: HostProcess;
  /** The neighbour's clock when nobody attacks. */
  baseline: Reading = { count: 0, p50: 0, p99: 0, max: 0, failures: [] };
  readonly #directory: ServletDirectory;
  #calm = { descriptors: 0, children: 0, bytes: 0 };

  private constructor(process: HostProcess, directory: ServletDirectory) {
    this.process = process;
    this.#directory = directory;
  }

  static async start(node: string): Promise<Target> {
    const directory = new ServletDirectory({ clock: `export default () => String(Date.now());` });
    const servlets: ServletOptions[] = [{ file: directory.file('clock'), isEager: true }];
    for (const { attack, profile, servlet } of PLACED)
      servlets.push({
        file: directory.write(servlet, moduleOf(attack)),
        profile,
        // Its cell has no thread that would tell whose it is.
        limits: { ...attack.limits, ...(attack.isAllBad === true ? { cellIdleTimeoutMs: 500 } : {}) },
      });
    const process = await HostProcess.start(node, {
      servlets,
      limits: { heapMb: 50, cpuMs: 600, wallMs: 8000, threadsMaxCount: 4, sendTimeoutMs: 1500 },
    });
    const target = new Target(process, directory);
    // Both profiles' warm cells are there, and the clock's thread has been through its first requests.
    await target.takeBaseline();
    await target.takeBaseline();
    await process.ask({ type: 'collect' });
    target.#calm = {
      descriptors: descriptorsOf(process.pid).length,
      children: childProcesses(process.pid).length,
      bytes: residentBytes(process.pid).now,
    };
    return target;
  }

  async takeBaseline(): Promise<void> {
    const clock = new NeighbourClock(this.process.port, '/clock');
    await sleep(BASELINE_MS);
    this.baseline = await clock.stop();
  }

  async attack({ attack, servlet }: Placed): Promise<Outcome> {
    const { port, pid } = this.process;
    if (attack.isAllBad !== true) await visit(port, `/${servlet}?ok`);
    const before = (await this.process.obituaries()).length;
    await this.process.ask({ type: 'forget-peak' });
    const neighbourClock = new NeighbourClock(port, '/clock');
    const siblingClock = attack.isAllBad === true ? null : new NeighbourClock(port, `/${servlet}?ok`);
    await sleep(LEAD_MS);
    const begun = performance.now();
    const { status, page } = await visit(port, `/${servlet}`, attack.hasDeafVisitor);
    const answeredMs = performance.now() - begun;
    await sleep(attack.afterMs ?? 0);
    await sleep(TAIL_MS);
    // Of fewer readings the 99th percentile would be the slowest one.
    const clocks = siblingClock === null ? [neighbourClock] : [neighbourClock, siblingClock];
    await eventually(
      () => clocks.map((clock) => clock.count),
      (counts) => counts.every((count) => count >= READINGS_MIN_COUNT),
      { ms: 5000, what: 'a count of readings' },
    );
    const [neighbour, sibling] = await Promise.all([neighbourClock.stop(), siblingClock?.stop() ?? null]);
    const obituaries = await eventually(
      async () => (await this.process.obituaries()).slice(before),
      (found) => found.length > 0 || attack.causes.length === 0 || attack.statuses.includes(200),
      { ms: 2000, what: 'an obituary' },
    );
    const peakGrowthBytes = residentBytes(pid).peak - this.#calm.bytes;
    const left = await this.#settle();
    return { status, page, answeredMs, obituaries, neighbour, sibling, peakGrowthBytes, ...left };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  /** Closes the attacker's cell, and waits until the host is as calm as before. */
  async #settle(): Promise<Pick<Outcome, 'growthBytes' | 'leftDescriptors' | 'leftProcesses'>> {
    const { pid } = this.process;
    await this.process.ask({ type: 'retire' });
    const look = (): Pick<Outcome, 'leftDescriptors' | 'leftProcesses'> => {
      const children = childProcesses(pid);
      return {
        leftDescriptors: descriptorsOf(pid).length - this.#calm.descriptors,
        leftProcesses: [
          ...(children.length > this.#calm.children ? children.map(({ command }) => command) : []),
          ...processesNamed('sleep 300.0625').map(({ command }) => command),
        ],
      };
    };
    const isCalm = (left: ReturnType<typeof look>): boolean =>
      left.leftDescriptors <= 0 && left.leftProcesses.length === 0;
    await eventually(look, isCalm, { ms: 3000 }).catch(() => {});
    await this.process.ask({ type: 'collect' });
    return { ...look(), growthBytes: residentBytes(pid).now - this.#calm.bytes };
  }
}

function moduleOf({ code, prelude = '' }: Attack): string {
  if (code.startsWith('export')) return code;
  return `${prelude}
    async function attack(request) { ${code} }
    export default (request) => request.url.endsWith('?ok') ? 'ok' : attack(request);`;
}

async function visit(port: number, path: string, isDeaf = false): Promise<{ status: number | 'cut'; page: string }> {
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
