import { readdirSync, readlinkSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { NeighbourClock } from '../support/neighbour-clock.ts';
import { childProcesses, descriptorsOf, residentBytes } from '../support/process-tree.ts';
import { StartedHost } from '../support/started-host.ts';

/** Or as many as `KILLS` says. */
const KILLS = Number(process.env['KILLS'] ?? 1000);
const WARM_UP_KILLS = Math.ceil(KILLS / 10);
const MB = 1 << 20;
const ROUTES = ['heap', 'buffers', 'spin', 'exit'] as const;
const GREEDY = `
  const hoard = [];
  const ways = {
    heap() { for (;;) hoard.push(new Array(10_000).fill(hoard.length)); },
    buffers() { for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); },
    spin() { for (;;); },
    exit() { process.exit(1); },
  };
  export default (request) => ways[request.query.get('do') ?? 'none']?.() ?? 'fine';`;

/**
 * What the host and its cells hold, less what is chance: a channel is a socket on both sides for as long as no thread
 * has used it up, and each living thread has a directory.
 */
function held(
  { host }: StartedHost,
  stateDir: string,
): Record<'rssMb' | 'descriptors' | 'processes' | 'tempDirs', number> {
  const cells = childProcesses(process.pid).filter(({ command }) => command.includes('cell/main'));
  const all = [process.pid, ...cells.map(({ pid }) => pid)];
  return {
    rssMb: all.reduce((sum, pid) => sum + residentBytes(pid).now, 0) / MB,
    descriptors: cells.reduce((sum, { pid }) => sum + heldBy(pid), descriptorsOf(process.pid).length),
    processes: all.length,
    tempDirs:
      readdirSync(join(stateDir, 'temp'), { recursive: true }).length -
      host.servlets.reduce((sum, { threads }) => sum + threads, 0),
  };
}

/** Descriptors of a cell that are no sockets, less those that are: of each there is one more in the host. */
function heldBy(pid: number): number {
  const isSocket = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      // It was closed meanwhile.
      return false;
    }
  };
  return descriptorsOf(pid).reduce((sum, fd) => sum + (isSocket(fd) ? -1 : 1), 0);
}

test(`${KILLS} kills in a row leave nothing behind, and the neighbour is served all the time`, async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'custodian-kills-'));
  {
    await using started = await StartedHost.withReserves(
      { greedy: GREEDY, clock: `export default () => 'tick'` },
      { stateDir, limits: { heapMb: 40, cpuMs: 150 } },
      { greedy: { cell: 'servlet' }, clock: { cell: 'servlet', isEager: true } },
    );
    await started.warm('/greedy', '/clock');
    await started.host.ready();
    const deathCount = (): number =>
      Object.values(started.host.ledger.accounts.get('greedy')?.deaths ?? {}).reduce((sum, count) => sum + count, 0);
    const kill = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        const before = deathCount();
        while (deathCount() === before) {
          const response = await fetch(`${started.url}/greedy?do=${ROUTES[at % ROUTES.length]}`);
          await response.arrayBuffer();
          expect([500, 503, 504]).toContain(response.status);
        }
      }
    };
    const settled = (): Promise<string> =>
      eventually(
        async () => (await fetch(`${started.url}/greedy`)).text(),
        (text) => text === 'fine',
        { ms: 20_000, what: 'the servlet after its kills' },
      );
    const quiet = new NeighbourClock(started.host.port, '/clock');
    await eventually(
      () => quiet.count,
      (count) => count > 400,
      { ms: 30_000 },
    );
    const alone = await quiet.stop();

    await kill(WARM_UP_KILLS);
    await settled();
    const before = held(started, stateDir);
    const clock = new NeighbourClock(started.host.port, '/clock');
    await kill(KILLS);
    const beside = await clock.stop();
    await settled();
    const after = await eventually(
      () => held(started, stateDir),
      (now) =>
        now.rssMb < before.rssMb + 60 &&
        now.descriptors <= before.descriptors + 8 &&
        now.processes <= before.processes &&
        now.tempDirs <= before.tempDirs,
      { ms: 20_000, what: `what is held after ${KILLS} kills, where ${JSON.stringify(before)} was held before` },
    );
    console.log(`kills: ${JSON.stringify({ before, after, alone, beside })}`);
    expect(beside.failures).toEqual([]);
    // Two cores: the one that kills, starts and collects leaves the neighbour the other.
    expect(beside.p99).toBeLessThan(Math.max(45, alone.p99 * 3));
  }
  expect(readdirSync(join(stateDir, 'temp'))).toEqual([]);
  rmSync(stateDir, { recursive: true });
});
