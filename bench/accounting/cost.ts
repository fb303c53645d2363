// Two costs that are not the same. To KNOW what a thread holds: acceptor and supervisor look at it, and it answers; this is accounting, which Wick and Flatt measure without a limit that is enforced, and which the estimate is about. To HOLD it to a cap: its garbage has to be collected before it fills that, where V8 alone would let 64 MB and more of it lie about; a host that does not do it has no cap, so that this has no limit, and stands beside.
import { fileURLToPath } from 'node:url';
import type { Collections } from '../servlets/churn.ts';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Kind, Scope } from './kinds.ts';
import { compare, type Comparison, type Figure, PAUSE_MS, type Query, urlOf, usedInTurn } from './turns.ts';

const CHURN = fileURLToPath(new URL('../servlets/churn.ts', import.meta.url));
const COST_MAX_PERCENT = 3;
/** CPU time of a request that is not watched. Long enough that most of it would be: the first 20 ms are not. */
const REQUEST_MS = 300;
/** V8 compiles what runs once a look after some hundred of them, and a host is asked what it can do for longer than that. */
const WARM_TURNS = 24;
/** Watched turns of each comparison in a round of the bench. */
const KNOWN_TURNS = 24;
/** What is taken of the thread is the least certain. */
const HURRIED_TURNS = 48;
const HELD_TURNS = 4;
/** Who is not held to its cap collects its own garbage whenever that is such a share of it, so that it is looked at as one below its cap is. */
const OWN_GARBAGE_SHARE = 0.15;
const PIECES_PER_MB = 2;
/** A thread that was asked to collect looks by itself for a second whether it should again. */
const CALM_MS = 1100;
const COUNTED_REQUESTS = 4;

/**
 * What is taken of the thread itself is measured where its supervisor has a clock that goes so much faster. It looks less often than that: it waits for answers. Most of it
 * is what a wake on the same core takes from the thread's caches, some 40 us; to answer a question takes some 50 beside its two wakes. So wakes are what it goes by.
 */
const TIMES = 40;

interface Cost {
  kind: Kind;
  capMb: number;
  known: Comparison;
  /** What is taken of the thread, and by how much more often those who watch were woken to find that out. */
  thread: Figure;
  moreWakes: number;
  together: Figure;
  held: Comparison;
  /** On average in a request, watched and not. */
  knownCollections: Collections;
  unknownCollections: Collections;
  /** On average in a request, with a cap and without. */
  heldCollections: Collections;
  freeCollections: Collections;
}

/**
 * Throughput that accounting takes: how much more CPU time the same work in the same thread of the same cell takes when it
 * is watched. CPU time, since throughput of what keeps a core busy is work for CPU time, and neighbours on the machine disturb it least; of
 * all threads of host and cell, which share one core, so that whatever is done meanwhile is paid for.
 *
 * To know: in a cell that asks nobody to collect, of a servlet that collects its garbage itself, watched or not. What looks take of its thread is less than
 * what its requests differ by, and is measured where a supervisor's clock goes so much faster, and where V8 collects in the thread alone: how it shares that with its helpers is most of what requests differ by. To hold: what one that does not
 * costs with its cap, against the same without one. Looks go by the clock: on a busy machine, where the same work takes longer, there are more of them.
 */
export async function cost(rounds: number, { kinds, capsMb }: Scope): Promise<Table> {
  const costs: Cost[] = [];
  for (const capMb of capsMb) for (const kind of kinds) costs.push(await costOf(kind, capMb, rounds));
  return {
    title: `What accounting costs: CPU time that requests, which compute for ${REQUEST_MS} ms and replace what they hold, and ${PAUSE_MS} ms after each take more when they are watched, on one core with all that watches them, in percent of the whole; warm; mean of the half of the turns that took least, ± what it may be off by. To know: where nobody is asked to collect; what is taken of the thread, which is lost in noise if it is measured directly, is measured where acceptor and supervisor wake up several times as often and V8 collects on one thread, and divided by that, as most of it is what wakes take from the thread's caches. To hold: with a cap against none, knowing included, of all turns, as V8 collects in some of them only. Controls compare what is not watched with what is not`,
    columns: [
      '',
      'cap MB',
      'host and supervisor %',
      'thread, directly %',
      'thread %',
      'wakes',
      'to know %',
      `at most ${COST_MAX_PERCENT} %`,
      'of all turns %',
      'control %',
      'whole + young collections',
      'not watched',
      'to hold %',
      'control %',
      'whole + young collections',
      'without cap',
      'clock / CPU time',
    ],
    rows: costs.map((cost) => [
      cost.kind,
      cost.capMb,
      withError(cost.known.watchers),
      withError(cost.known.servlet),
      withError(cost.thread),
      `${cost.known.wakes.toFixed(0)} × ${cost.moreWakes.toFixed(1)}`,
      withError(cost.together),
      verdictOn(cost),
      withError(cost.known.ofAll),
      withError(cost.known.nothing),
      shown(cost.knownCollections),
      shown(cost.unknownCollections),
      withError(cost.held.ofAll),
      withError(cost.held.nothing),
      shown(cost.heldCollections),
      shown(cost.freeCollections),
      cost.known.waiting,
    ]),
  };
}

const withError = ({ percent, error }: Figure): string => `${percent.toFixed(2)} ± ${error.toFixed(2)}`;

const shown = ({ whole, young }: Collections): string => `${whole.toFixed(1)} + ${young.toFixed(1)}`;

/** What may be off by half of its distance from the limit is neither. A cost of some turns only shows in the mean of all. */
function verdictOn({ together: { percent, error }, known: { ofAll } }: Cost): string {
  if (ofAll.percent - 2 * ofAll.error > COST_MAX_PERCENT) return 'OVER';
  if (Math.abs(percent - COST_MAX_PERCENT) < 2 * error) return 'lost in noise';
  return percent <= COST_MAX_PERCENT ? 'within' : 'OVER';
}

async function costOf(kind: Kind, capMb: number, rounds: number): Promise<Cost> {
  const every = Math.max(1, Math.round(capMb * OWN_GARBAGE_SHARE * PIECES_PER_MB));
  const known = await measured(
    { capMb, isHeld: false, query: { of: kind, every } },
    { count: KNOWN_TURNS * rounds, requests: 1 },
  );
  const { comparison: hurried } = await measured(
    { capMb, isHeld: false, query: { of: kind, every }, times: TIMES },
    { count: HURRIED_TURNS * rounds, requests: 1 },
  );
  const { watchers } = known.comparison;
  const moreWakes = hurried.wakes / known.comparison.wakes;
  const { percent, error } = hurried.servlet;
  const thread = { percent: percent / moreWakes, error: error / moreWakes };
  // V8 collects when it likes, so that in a short turn once more or less is much.
  const held = await measured(
    { capMb, isHeld: true, query: { of: kind } },
    { count: HELD_TURNS * rounds, requests: 2, calmMs: CALM_MS },
  );
  return {
    kind,
    capMb,
    known: known.comparison,
    thread,
    moreWakes,
    together: { percent: watchers.percent + thread.percent, error: Math.hypot(watchers.error, thread.error) },
    knownCollections: known.watched,
    unknownCollections: known.free,
    held: held.comparison,
    heldCollections: held.watched,
    freeCollections: held.free,
  };
}

interface Measured {
  comparison: Comparison;
  watched: Collections;
  free: Collections;
}

interface Asked {
  capMb: number;
  isHeld: boolean;
  query: Omit<Query, 'rounds'>;
  times?: number;
}

async function measured(
  { capMb, isHeld, query, times = 1 }: Asked,
  turns: Parameters<typeof compare>[2],
): Promise<Measured> {
  const limits = { heapMb: capMb, cpuMs: 60_000, wallMs: 60_000 };
  // Trusted, so that it can collect its garbage.
  const servlets = [{ file: CHURN, limits, spareThreads: 0, profile: 'trusted' }];
  // No spare cell, which would look at itself now and then.
  const server = await startServer('watched.ts', { servlets, warmCells: 0, isHeld, times }, 0);
  try {
    const warm = await warmed(server, query);
    const comparison = await compare(server, warm, turns);
    const watched = await collections(server, warm, 'on');
    return { comparison, watched, free: await collections(server, warm, 'off') };
  } finally {
    await server.stop();
  }
}

/** With so many pieces in a request that it takes its time. */
async function warmed(server: Server, query: Omit<Query, 'rounds'>): Promise<Query> {
  let rounds = 50;
  for (let turn = 0; turn < WARM_TURNS; turn++) {
    // Those that are not watched say how many.
    const isWatched = turn % 2 === 0;
    const used = await usedInTurn(server, { ...query, rounds }, { isWatched, requests: 1 });
    if (!isWatched) rounds = Math.max(10, Math.round((rounds * REQUEST_MS * 1e6) / (used.watchers + used.servlet)));
  }
  return { ...query, rounds };
}

async function collections(server: Server, query: Query, question: 'on' | 'off'): Promise<Collections> {
  await server.ask(question);
  const sum = { whole: 0, young: 0 };
  for (let request = 0; request < COUNTED_REQUESTS; request++) {
    const { status, body } = await get(`${urlOf(server, query)}&count=`);
    if (status !== 200) throw new Error(`Cannot count collections: /churn answered ${status}: ${body}`);
    const { whole, young } = JSON.parse(body) as Collections;
    sum.whole += whole / COUNTED_REQUESTS;
    sum.young += young / COUNTED_REQUESTS;
  }
  return sum;
}
