import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import { threadTimes } from '../support/proc.ts';
import type { Table } from '../support/report.ts';
import { middleOf, pause, type Spread } from '../support/rounds.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Kind, Scope } from './kinds.ts';

const CHURN = fileURLToPath(new URL('../servlets/churn.ts', import.meta.url));
const COST_MAX_PERCENT = 3;
/** CPU time of a turn that is not watched. Long enough that most of it would be: the first 20 ms are not. */
const TURN_MS = 300;
/** V8 compiles what runs once a look after some hundred of them, and a host is asked what it can do for longer than that. */
const WARM_TURNS = 24;
const BLOCKS = 8;
/** Until what the request before has left to be done is done. */
const PAUSE_MS = 80;

/** What a turn is: two are not watched, so that the measure itself can be measured. */
type Turn = 'watched' | 'not' | 'nor';
const ORDERS: readonly (readonly Turn[])[] = [
  ['watched', 'not', 'nor'],
  ['nor', 'not', 'watched'],
  ['not', 'watched', 'nor'],
  ['nor', 'watched', 'not'],
  ['not', 'nor', 'watched'],
  ['watched', 'nor', 'not'],
];

/** CPU time in ns. */
interface Used {
  /** By the main threads of the host and of the cell: acceptor and supervisor. */
  watchers: number;
  /** By the servlet's thread, and by V8's helpers of the cell, most of which collect its garbage. */
  servlet: number;
}

/** In percent of all that a watched turn takes. */
interface Cost {
  kind: Kind;
  capMb: number;
  watchers: Spread;
  servlet: Spread;
  nothing: Spread;
}

/**
 * Throughput that accounting takes: how much more CPU time the same work in the same thread of the same cell takes when it
 * is watched. CPU time, since throughput of what keeps a core busy is work for CPU time, and neighbours on the machine disturb
 * it least; of all threads of host and cell, which share one core, so that whatever is done meanwhile is paid for. Who watches
 * and who is watched are told apart: the first is small and steady, the second strays by when V8 collects garbage.
 */
export async function cost(rounds: number, { kinds, capsMb }: Scope): Promise<Table> {
  const costs: Cost[] = [];
  for (const capMb of capsMb) for (const kind of kinds) costs.push(await costOf(kind, capMb, rounds));
  return {
    title: `What accounting costs: CPU time that a request takes more when it is watched, which computes for ${TURN_MS} ms and replaces what it holds, on one core with all that watches it, in percent of the whole; warm; mean of the middle half of ${rounds * BLOCKS} blocks (quarters)`,
    columns: [
      '',
      'cap MB',
      'host and supervisor %',
      'servlet and its collector %',
      'together %',
      `at most ${COST_MAX_PERCENT} %`,
      'both unwatched %',
    ],
    rows: costs.map(({ kind, capMb, watchers, servlet, nothing }) => {
      const together = watchers.median + servlet.median;
      const verdict = together <= COST_MAX_PERCENT ? 'within' : 'OVER';
      return [kind, capMb, watchers, servlet, together, verdict, nothing];
    }),
  };
}

async function costOf(kind: Kind, capMb: number, rounds: number): Promise<Cost> {
  const limits = { heapMb: capMb, cpuMs: 60_000, wallMs: 60_000 };
  const servlets = [{ file: CHURN, limits, spareThreads: 0 }];
  // No spare cell, which would look at itself now and then.
  const server = await startServer('watched.ts', { servlets, warmCells: 0 }, 0);
  try {
    let pieces = 50;
    for (let warm = 0; warm < WARM_TURNS; warm++) {
      const used = sum(await worked(server, kind, pieces, warm % 2 === 0));
      pieces = Math.max(10, Math.round((pieces * TURN_MS * 1e6) / used));
    }
    const watchers: number[] = [];
    const servlet: number[] = [];
    const nothing: number[] = [];
    for (let block = 0; block < rounds * BLOCKS; block++) {
      const turns = {} as Record<Turn, Used>;
      // Whatever drifts, or is left by the turn before, is the same for all in the end.
      for (const turn of ORDERS[block % ORDERS.length] as readonly Turn[])
        turns[turn] = await worked(server, kind, pieces, turn === 'watched');
      const { watched, not, nor } = turns;
      const whole = sum(watched) / 100;
      watchers.push((watched.watchers - (not.watchers + nor.watchers) / 2) / whole);
      servlet.push((watched.servlet - (not.servlet + nor.servlet) / 2) / whole);
      nothing.push((sum(not) - sum(nor)) / whole);
    }
    return {
      kind,
      capMb,
      watchers: middleOf(watchers),
      servlet: middleOf(servlet),
      nothing: middleOf(nothing),
    };
  } finally {
    await server.stop();
  }
}

async function worked(server: Server, kind: Kind, pieces: number, isWatched: boolean): Promise<Used> {
  await server.ask(isWatched ? 'on' : 'off');
  await pause(PAUSE_MS);
  const before = usedBy(server);
  const { status, body } = await get(`${server.url}/churn?of=${kind}&rounds=${pieces}`);
  if (status !== 200) throw new Error(`Cannot measure: /churn answered ${status}: ${body}`);
  const { watchers, servlet } = usedBy(server);
  return { watchers: watchers - before.watchers, servlet: servlet - before.servlet };
}

function usedBy({ pid: host }: Server): Used {
  const used: Used = { watchers: 0, servlet: 0 };
  for (const { pid, isMain, ns } of threadTimes(host)) used[isMain || pid === host ? 'watchers' : 'servlet'] += ns;
  return used;
}

const sum = ({ watchers, servlet }: Used): number => watchers + servlet;
