import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import { threadTimes } from '../support/proc.ts';
import type { Table } from '../support/report.ts';
import { errorOf, middleOf, pause, type Spread } from '../support/rounds.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Kind, Scope } from './kinds.ts';

const CHURN = fileURLToPath(new URL('../servlets/churn.ts', import.meta.url));
const COST_MAX_PERCENT = 3;
/** CPU time of a request that is not watched. Long enough that most of it would be: the first 20 ms are not. */
const REQUEST_MS = 300;
/** One after another in a turn: V8 collects when it likes, so that in a short turn once more or less is much. */
const REQUESTS = 2;
/** V8 compiles what runs once a look after some hundred of them, and a host is asked what it can do for longer than that. */
const WARM_TURNS = 24;
/** A block each in every order. */
const BLOCKS = 6;
/** Until what a request has left to be done is done, which is part of its cost. */
const PAUSE_MS = 80;
/** A thread that was asked to collect looks by itself for a second whether it should again. */
const CALM_MS = 1100;

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
  /** From the request to its answer, by the clock. */
  clock: number;
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
  together: Spread;
  /** That of a turn which is not watched, against another: what the measure itself makes of nothing. */
  nothing: Spread;
  /** How much longer watched requests took by the clock than they used CPU time. */
  waiting: Spread;
}

/**
 * Throughput that accounting takes: how much more CPU time the same work in the same thread of the same cell takes when it
 * is watched and held to a cap; else V8 collects when it likes. CPU time, since throughput of what keeps a core busy is work
 * for CPU time, and neighbours on the machine disturb it least; of all threads of host and cell, which share one core, so that whatever is done meanwhile is paid for. Who watches
 * and who is watched are told apart: the first is small and steady, the second strays by when V8 collects garbage. Looks go by the
 * clock: on a busy machine, where the same work takes longer, there are more of them.
 */
export async function cost(rounds: number, { kinds, capsMb }: Scope): Promise<Table> {
  const costs: Cost[] = [];
  for (const capMb of capsMb) for (const kind of kinds) costs.push(await costOf(kind, capMb, rounds));
  return {
    title: `What accounting costs: CPU time that ${REQUESTS} requests and ${PAUSE_MS} ms after each take more when they are watched, which compute for ${REQUEST_MS} ms and replace what they hold, on one core with all that watches them, in percent of the whole; warm; mean of the middle half of ${rounds * BLOCKS} blocks (quarters), ± what it may be off by. The control compares what is not watched with what is not watched`,
    columns: [
      '',
      'cap MB',
      'host and supervisor %',
      'servlet and its collector %',
      'together %',
      `at most ${COST_MAX_PERCENT} %`,
      'control %',
      'clock / CPU time',
    ],
    rows: costs.map(({ kind, capMb, watchers, servlet, together, nothing, waiting }) => [
      kind,
      capMb,
      watchers,
      servlet,
      withError(together),
      verdictOn(together),
      withError(nothing),
      waiting,
    ]),
  };
}

const withError = ({ median, samples }: Spread): string => `${median.toFixed(2)} ± ${errorOf(samples).toFixed(2)}`;

/** What strays by more than it is away from the limit is neither. */
function verdictOn({ median, samples }: Spread): string {
  if (Math.abs(median - COST_MAX_PERCENT) < 2 * errorOf(samples)) return 'lost in noise';
  return median <= COST_MAX_PERCENT ? 'within' : 'OVER';
}

async function costOf(kind: Kind, capMb: number, rounds: number): Promise<Cost> {
  const limits = { heapMb: capMb, cpuMs: 60_000, wallMs: 60_000 };
  const servlets = [{ file: CHURN, limits, spareThreads: 0 }];
  // No spare cell, which would look at itself now and then.
  const server = await startServer('watched.ts', { servlets, warmCells: 0 }, 0);
  try {
    let pieces = 50;
    for (let warm = 0; warm < WARM_TURNS; warm++) {
      const used = sum(await worked(server, kind, pieces, warm % 2 === 0, PAUSE_MS));
      pieces = Math.max(10, Math.round((pieces * REQUESTS * REQUEST_MS * 1e6) / used));
    }
    const watchers: number[] = [];
    const servlet: number[] = [];
    const together: number[] = [];
    const nothing: number[] = [];
    const waiting: number[] = [];
    for (let block = 0; block < rounds * BLOCKS; block++) {
      const turns = {} as Record<Turn, Used>;
      // Whatever drifts, or is left by the turn before, is the same for all in the end.
      for (const turn of ORDERS[block % ORDERS.length] as readonly Turn[])
        turns[turn] = await worked(server, kind, pieces, turn === 'watched', CALM_MS);
      const { watched, not, nor } = turns;
      const whole = sum(watched) / 100;
      watchers.push((watched.watchers - (not.watchers + nor.watchers) / 2) / whole);
      servlet.push((watched.servlet - (not.servlet + nor.servlet) / 2) / whole);
      together.push((sum(watched) - (sum(not) + sum(nor)) / 2) / whole);
      nothing.push((sum(not) - sum(nor)) / whole);
      waiting.push(watched.clock / sum(watched));
    }
    return {
      kind,
      capMb,
      watchers: middleOf(watchers),
      servlet: middleOf(servlet),
      together: middleOf(together),
      nothing: middleOf(nothing),
      waiting: middleOf(waiting),
    };
  } finally {
    await server.stop();
  }
}

async function worked(server: Server, kind: Kind, pieces: number, isWatched: boolean, calmMs: number): Promise<Used> {
  await server.ask(isWatched ? 'on' : 'off');
  await pause(calmMs);
  const before = usedBy(server);
  let clock = 0;
  for (let request = 0; request < REQUESTS; request++) {
    const { status, body, ms } = await get(`${server.url}/churn?of=${kind}&rounds=${pieces}`);
    if (status !== 200) throw new Error(`Cannot measure: /churn answered ${status}: ${body}`);
    clock += ms * 1e6;
    await pause(PAUSE_MS);
  }
  const { watchers, servlet } = usedBy(server);
  return { clock, watchers: watchers - before.watchers, servlet: servlet - before.servlet };
}

function usedBy({ pid: host }: Server): Omit<Used, 'clock'> {
  const used = { watchers: 0, servlet: 0 };
  for (const { pid, isMain, ns } of threadTimes(host)) used[isMain || pid === host ? 'watchers' : 'servlet'] += ns;
  return used;
}

const sum = ({ watchers, servlet }: Used): number => watchers + servlet;
