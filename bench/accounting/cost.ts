import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import { treeCpuNs } from '../support/proc.ts';
import type { Table } from '../support/report.ts';
import { pause, quantile, type Spread, spreadOf } from '../support/rounds.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Kind, Scope } from './kinds.ts';

const CHURN = fileURLToPath(new URL('../servlets/churn.ts', import.meta.url));
const COST_MAX_PERCENT = 3;
/** Long enough that most of it is watched: the first 20 ms are not, and are swept more often. */
const TURN_MS = 300;
const TURNS = 4;
const WARM_TURNS = 4;
/** Until what the request before has left to be done is done. */
const PAUSE_MS = 80;

interface Cost {
  kind: Kind;
  capMb: number;
  lessPercent: Spread;
  /** The same of two turns that were both not watched: what the measure itself is worth. */
  nothingPercent: Spread;
}

/**
 * Throughput that accounting takes: the same work in the same thread of the same cell, watched and not watched by
 * turns. Throughput is work for CPU time, of all threads of the host and its cell, which neighbours on the machine
 * disturb least; all of it is on one core, so that what the supervisor and the acceptor do meanwhile is paid for too.
 */
export async function cost(rounds: number, { kinds, capsMb }: Scope): Promise<Table> {
  const costs: Cost[] = [];
  for (const capMb of capsMb) for (const kind of kinds) costs.push(await costOf(kind, capMb, rounds));
  return {
    title:
      'What accounting costs: a request that computes and replaces what it holds, on one core with all that watches it; median of ratios of four turns (quarters)',
    columns: ['', 'cap MB', 'less %', `at most ${COST_MAX_PERCENT} %`, 'less %, both unwatched'],
    rows: costs.map(({ kind, capMb, lessPercent, nothingPercent }) => [
      kind,
      capMb,
      lessPercent,
      lessPercent.median <= COST_MAX_PERCENT ? 'within' : 'OVER',
      nothingPercent,
    ]),
  };
}

async function costOf(kind: Kind, capMb: number, rounds: number): Promise<Cost> {
  const limits = { heapMb: capMb, cpuMs: 60_000, wallMs: 60_000 };
  const server = await startServer('watched.ts', { servlets: [{ file: CHURN, limits, spareThreads: 0 }] }, 0);
  try {
    let pieces = 50;
    for (let turn = 0; turn < WARM_TURNS; turn++) {
      const { ms } = await worked(server, kind, pieces, turn % 2 === 0);
      pieces = Math.max(10, Math.round((pieces * TURN_MS) / ms));
    }
    const less: number[] = [];
    const nothing: number[] = [];
    for (let turn = 0; turn < rounds * TURNS; turn++) {
      // What drifts is the same for both: on off off on, and the other way round.
      const isOn = turn % 2 === 0;
      const cpu: Record<string, number[]> = { true: [], false: [] };
      for (const isWatched of [isOn, !isOn, !isOn, isOn])
        cpu[String(isWatched)]?.push((await worked(server, kind, pieces, isWatched)).cpuNs);
      const [on = [], off = []] = [cpu['true'], cpu['false']];
      less.push((1 - sum(off) / sum(on)) * 100);
      nothing.push((1 - (off[0] as number) / (off[1] as number)) * 100);
    }
    return { kind, capMb, lessPercent: quarters(less), nothingPercent: quarters(nothing) };
  } finally {
    await server.stop();
  }
}

async function worked(
  server: Server,
  kind: Kind,
  pieces: number,
  isWatched: boolean,
): Promise<{ cpuNs: number; ms: number }> {
  await server.ask(isWatched ? 'on' : 'off');
  await pause(PAUSE_MS);
  const before = treeCpuNs(server.pid);
  const { status, body, ms } = await get(`${server.url}/churn?of=${kind}&rounds=${pieces}`);
  if (status !== 200) throw new Error(`Cannot measure: /churn answered ${status}: ${body}`);
  return { cpuNs: treeCpuNs(server.pid) - before, ms };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((whole, number) => whole + number, 0);

/** With quarters in the place of extremes: one turn that a neighbour fell into says nothing of the others. */
function quarters(samples: readonly number[]): Spread {
  return { ...spreadOf(samples), min: quantile(samples, 0.25), max: quantile(samples, 0.75) };
}
