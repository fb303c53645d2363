import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { HostProcess } from '../support/host-process.ts';
import { NeighbourClock } from '../support/neighbour-clock.ts';
import { childProcesses, descriptorsOf, residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

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

interface Held {
  /** Resident memory of the host and of each cell, by process id. */
  mb: Record<number, number>;
  descriptors: number;
  processes: number;
  tempDirs: number;
}

/**
 * What the host and its cells hold, less what is chance: a channel is a socket on both sides for as long as no thread
 * has used it up, and each living thread has a directory.
 */
async function held(host: HostProcess, stateDir: string): Promise<Held> {
  // Pages that a heap keeps for more of the same are held by nothing.
  await host.ask({ type: 'collect' });
  const cells = cellsOf(host);
  return {
    mb: Object.fromEntries([host.pid, ...cells].map((pid) => [pid, residentBytes(pid).now / MB])),
    descriptors: cells.reduce((sum, pid) => sum + heldBy(pid), descriptorsOf(host.pid).length),
    processes: 1 + cells.length,
    tempDirs:
      readdirSync(join(stateDir, 'temp'), { recursive: true }).length -
      (await host.servlets()).reduce((sum, { threads }) => sum + threads, 0),
  };
}

/** By how much the processes grew that were there all the time: the host and the neighbour's cell. */
function growthMb(before: Held, after: Held): number {
  return Object.entries(after.mb).reduce((sum, [pid, mb]) => sum + mb - (before.mb[Number(pid)] ?? mb), 0);
}

const cellsOf = (host: HostProcess): number[] =>
  childProcesses(host.pid).flatMap(({ pid, command }) => (command.includes('cell/main') ? [pid] : []));

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
    using directory = new ServletDirectory({ greedy: GREEDY, clock: `export default () => 'tick'` });
    await using host = await HostProcess.start(process.execPath, {
      servlets: [
        { file: directory.file('greedy'), cell: 'servlet' },
        { file: directory.file('clock'), cell: 'servlet', isEager: true },
      ],
      isDevelopment: true,
      stateDir,
      limits: { heapMb: 40, cpuMs: 150 },
    });
    const url = `http://127.0.0.1:${host.port}/greedy`;
    const kill = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        const before = await host.deaths('greedy');
        while ((await host.deaths('greedy')) === before) {
          const response = await fetch(`${url}?do=${ROUTES[at % ROUTES.length]}`);
          await response.arrayBuffer();
          expect([500, 503, 504]).toContain(response.status);
        }
      }
    };
    const settled = async (): Promise<void> => {
      await eventually(
        async () => (await fetch(url)).text(),
        (text) => text === 'fine',
        { ms: 20_000, what: 'the servlet after its kills' },
      );
      // The spare cell has warmed itself up by then, before the kills and after them.
      await sleep(4000);
    };
    const quiet = new NeighbourClock(host.port, '/clock');
    await eventually(
      () => quiet.count,
      (count) => count > 400,
      { ms: 30_000 },
    );
    const alone = await quiet.stop();

    await kill(WARM_UP_KILLS);
    await settled();
    const before = await held(host, stateDir);
    const clock = new NeighbourClock(host.port, '/clock');
    await kill(KILLS);
    const beside = await clock.stop();
    await settled();
    const after = await eventually(
      () => held(host, stateDir),
      (now) =>
        growthMb(before, now) < 40 &&
        now.descriptors <= before.descriptors + 8 &&
        now.processes <= before.processes &&
        now.tempDirs <= before.tempDirs,
      { ms: 20_000, what: `what is held after ${KILLS} kills, where ${JSON.stringify(before)} was held before` },
    );
    console.log(`kills: ${JSON.stringify({ before, after, growthMb: growthMb(before, after), alone, beside })}`);
    expect(beside.failures).toEqual([]);
    // Two cores: the one that kills, starts and collects leaves the neighbour the other.
    expect(beside.p99).toBeLessThan(Math.max(45, alone.p99 * 3));
    expect((await host.ask({ type: 'close' })).held).toEqual([]);
  }
  expect(readdirSync(join(stateDir, 'temp'))).toEqual([]);
  rmSync(stateDir, { recursive: true });
});
