import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { alternate, spreadOf } from '../support/rounds.ts';
import { startServer } from '../support/server.ts';

const SPIN = fileURLToPath(new URL('../servlets/spin.ts', import.meta.url));
const BARE = fileURLToPath(new URL('../servers/bare-thread.ts', import.meta.url));
/** As a cell's: how V8 collects is not what is measured. See packages/host/src/cell/cell.ts. */
const CELL_FLAGS = ['--initial-old-space-size=16', '--heap-growing-percent=50', '--expose-gc'];
const SPIN_MS = 2000;
const COST_MAX_PERCENT = 3;
const VARIANTS = ['bare', 'in a cell'] as const;

/**
 * Throughput that accounting takes: of work that allocates, in a supervised thread against a bare one. All of it is pinned to one
 * core, so that what the supervisor and the acceptor do meanwhile is paid for too.
 */
export async function cost(rounds: number): Promise<Table> {
  const samples = await alternate(VARIANTS, rounds, async (variant) => (variant === 'bare' ? bare() : await inCell()));
  const lost = spreadOf(
    samples['in a cell'].map((perMs, round) => (1 - perMs / (samples.bare[round] as number)) * 100),
  );
  return {
    title: 'What accounting costs: a thread that computes and allocates, on one core with all that watches it',
    columns: ['', 'rounds/ms', 'less %', `at most ${COST_MAX_PERCENT} %`],
    rows: [
      ['bare thread', spreadOf(samples.bare), null, null],
      ['in a cell', spreadOf(samples['in a cell']), lost, lost.median <= COST_MAX_PERCENT ? 'within' : 'OVER'],
    ],
  };
}

function bare(): number {
  const { stdout, stderr } = spawnSync(
    'taskset',
    ['-c', '0', process.execPath, '--no-warnings', ...CELL_FLAGS, BARE, String(SPIN_MS)],
    { encoding: 'utf8' },
  );
  if (!(Number(stdout) > 0)) throw new Error(`Cannot measure: ${stdout}${stderr}`);
  return Number(stdout);
}

async function inCell(): Promise<number> {
  const server = await startServer(
    'custodian.ts',
    { servlets: [{ file: SPIN, limits: { heapMb: 200, cpuMs: 30_000 }, spareThreads: 0 }] },
    0,
  );
  try {
    await get(`${server.url}/spin?ms=300`);
    const { status, body } = await get(`${server.url}/spin?ms=${SPIN_MS}`);
    if (status !== 200) throw new Error(`Cannot measure: /spin answered ${status}: ${body}`);
    return Number(body);
  } finally {
    await server.stop();
  }
}
