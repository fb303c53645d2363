// Two costs that are not the same. To KNOW what a thread holds: acceptor and supervisor look at it, and it answers; this is accounting, which Wick and Flatt measure without a limit that is enforced, and which the estimate is about. To HOLD it to a cap: its garbage has to be collected before it fills that, where V8 alone would let 64 MB and more of it lie about; a host that does not do it has no cap, so that this has no limit, and stands beside.
import { fileURLToPath } from 'node:url';
import type { Collections } from '../servlets/churn.ts';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { errorOf, type Spread } from '../support/rounds.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Kind, Scope } from './kinds.ts';
import { compare, type Comparison, PAUSE_MS, type Query, urlOf, usedInTurn } from './turns.ts';

const CHURN = fileURLToPath(new URL('../servlets/churn.ts', import.meta.url));
const COST_MAX_PERCENT = 3;
/** CPU time of a request that is not watched. Long enough that most of it would be: the first 20 ms are not. */
const REQUEST_MS = 300;
/** V8 compiles what runs once a look after some hundred of them, and a host is asked what it can do for longer than that. */
const WARM_TURNS = 24;
const WARM_AGAIN_TURNS = 6;
/** Watched turns of each comparison in a round of the bench. */
const KNOWN_TURNS = 12;
const HELD_TURNS = 3;
/** Who does not come near its cap collects its own garbage whenever that is such a share of it, as whoever is held to it would have to. */
const OWN_GARBAGE_SHARE = 0.15;
const PIECES_PER_MB = 2;
/** A thread that was asked to collect looks by itself for a second whether it should again. */
const CALM_MS = 1100;
const COUNTED_REQUESTS = 4;

interface Cost {
  kind: Kind;
  capMb: number;
  known: Comparison;
  held: Comparison;
  /** On average in a request, with a cap and without. */
  heldCollections: Collections;
  freeCollections: Collections;
}

/**
 * Throughput that accounting takes: how much more CPU time the same work in the same thread of the same cell takes when it
 * is watched. CPU time, since throughput of what keeps a core busy is work for CPU time, and neighbours on the machine disturb it least; of
 * all threads of host and cell, which share one core, so that whatever is done meanwhile is paid for.
 *
 * To know: of a servlet that collects its garbage itself, watched or not, before that is near its cap, so that it is looked at as often as one
 * that is held to it, and not made to collect. To hold: what more the same costs one that does not, against one without a cap. Looks go by the clock: on a busy
 * machine, where the same work takes longer, there are more of them.
 */
export async function cost(rounds: number, { kinds, capsMb }: Scope): Promise<Table> {
  const costs: Cost[] = [];
  for (const capMb of capsMb) for (const kind of kinds) costs.push(await costOf(kind, capMb, rounds));
  return {
    title: `What accounting costs: CPU time that requests, which compute for ${REQUEST_MS} ms and replace what they hold, and ${PAUSE_MS} ms after each take more when they are watched, on one core with all that watches them, in percent of the whole; warm; mean of the middle half, ± what it may be off by (quarters). To know: beside a servlet whose garbage does not come near its cap. To hold: beside one whose garbage does, against no cap at all. Controls compare what is not watched with what is not`,
    columns: [
      '',
      'cap MB',
      'host and supervisor %',
      'thread %',
      'to know %',
      `at most ${COST_MAX_PERCENT} %`,
      'control %',
      'to hold besides %',
      'control %',
      'whole + young collections of a request',
      'without cap',
      'clock / CPU time',
    ],
    rows: costs.map(({ kind, capMb, known, held, heldCollections, freeCollections }) => [
      kind,
      capMb,
      withError(known.watchers),
      withError(known.servlet),
      withError(known.together),
      verdictOn(known.together),
      withError(known.nothing),
      withError(beside(held.together, known.together)),
      withError(held.nothing),
      shown(heldCollections),
      shown(freeCollections),
      known.waiting,
    ]),
  };
}

/** A cost and what it may be off by. */
interface Figure {
  percent: number;
  error: number;
}

const figureOf = ({ median, samples }: Spread): Figure => ({ percent: median, error: errorOf(samples) });

/** Of what two costs come to, the one that is not `known`. */
function beside(both: Spread, known: Spread): Figure {
  const [of, less] = [figureOf(both), figureOf(known)];
  return { percent: of.percent - less.percent, error: Math.hypot(of.error, less.error) };
}

function withError(figure: Spread | Figure): string {
  const { percent, error } = 'samples' in figure ? figureOf(figure) : figure;
  return `${percent.toFixed(2)} ± ${error.toFixed(2)}`;
}

const shown = ({ whole, young }: Collections): string => `${whole.toFixed(1)} + ${young.toFixed(1)}`;

/** What strays by more than it is away from the limit is neither. */
function verdictOn(spread: Spread): string {
  const { percent, error } = figureOf(spread);
  if (Math.abs(percent - COST_MAX_PERCENT) < 2 * error) return 'lost in noise';
  return percent <= COST_MAX_PERCENT ? 'within' : 'OVER';
}

async function costOf(kind: Kind, capMb: number, rounds: number): Promise<Cost> {
  const limits = { heapMb: capMb, cpuMs: 60_000, wallMs: 60_000 };
  // Trusted, so that it can collect its garbage.
  const servlets = [{ file: CHURN, limits, spareThreads: 0, profile: 'trusted' }];
  // No spare cell, which would look at itself now and then.
  const server = await startServer('watched.ts', { servlets, warmCells: 0 }, 0);
  try {
    const every = Math.max(1, Math.round(capMb * OWN_GARBAGE_SHARE * PIECES_PER_MB));
    const own = await warmed(server, { of: kind, every }, 50, WARM_TURNS);
    const known = await compare(server, own, { count: KNOWN_TURNS * rounds, requests: 1 });
    const free = await warmed(server, { of: kind }, own.rounds, WARM_AGAIN_TURNS);
    // V8 collects when it likes, so that in a short turn once more or less is much.
    const held = await compare(server, free, { count: HELD_TURNS * rounds, requests: 2, calmMs: CALM_MS });
    const heldCollections = await collections(server, free, 'on');
    return { kind, capMb, known, held, heldCollections, freeCollections: await collections(server, free, 'off') };
  } finally {
    await server.stop();
  }
}

/** With so many pieces in a request that it takes its time. */
async function warmed(server: Server, query: Omit<Query, 'rounds'>, from: number, turns: number): Promise<Query> {
  let rounds = from;
  for (let turn = 0; turn < turns; turn++) {
    const used = await usedInTurn(server, { ...query, rounds }, { isWatched: turn % 2 === 0, requests: 1 });
    rounds = Math.max(10, Math.round((rounds * REQUEST_MS * 1e6) / (used.watchers + used.servlet)));
  }
  return { ...query, rounds };
}

async function collections(server: Server, query: Query, question: 'on' | 'off'): Promise<Collections> {
  await server.ask(question);
  const sum = { whole: 0, young: 0 };
  for (let request = 0; request < COUNTED_REQUESTS; request++) {
    const { body } = await get(`${urlOf(server, query)}&count=`);
    const { whole, young } = JSON.parse(body) as Collections;
    sum.whole += whole / COUNTED_REQUESTS;
    sum.young += young / COUNTED_REQUESTS;
  }
  return sum;
}
