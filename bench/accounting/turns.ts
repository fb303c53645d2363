import { get } from '../support/client.ts';
import { threadTimes } from '../support/proc.ts';
import { errorOf, leastHalf, meanOf, pause } from '../support/rounds.ts';
import type { Server } from '../support/server.ts';
import type { Kind } from './kinds.ts';

/** Until what a request has left to be done is done, which is part of its cost. */
export const PAUSE_MS = 80;

/** CPU time in ns. */
interface Used {
  /** From the request to its answer, by the clock. */
  clock: number;
  /** By the main threads of the host and of the cell: acceptor and supervisor. */
  watchers: number;
  /** By the servlet's thread, and by V8's helpers of the cell, most of which collect its garbage. */
  servlet: number;
  /** How often acceptor or supervisor was given the processor. */
  wakes: number;
}

/** A cost, and what it may be off by. */
export interface Figure {
  percent: number;
  error: number;
}

/** What watched turns take more than those that are not, in percent of all that a watched one takes; of the half of each that took least. */
export interface Comparison {
  watchers: Figure;
  /** In percent of what its thread and its helpers take. */
  servlet: Figure;
  /** How much more often a watched request wakes acceptor or supervisor. */
  wakes: number;
  /** Of all turns. */
  ofAll: Figure;
  /** That of two kinds of turns neither of which is watched: what the measure itself makes of nothing. */
  nothing: Figure;
  /** How much longer watched requests took by the clock than they used CPU time. */
  waiting: number;
}

interface Turn {
  isWatched: boolean;
  requests: number;
  /** Until what the turn before has left is over. */
  calmMs?: number;
}

/** What bench/servlets/churn.ts is asked to do. */
export interface Query {
  of: Kind;
  rounds: number;
  every?: number;
}

export function urlOf({ url }: Server, { of, rounds, every = 0 }: Query): string {
  return `${url}/churn?of=${of}&rounds=${rounds}&every=${every}`;
}

const CALM_MS = 50;

/**
 * Turns that are watched, two by two between such that are not, so that whatever drifts is the same for both. `count`: of both. `calmMs`: until
 * what a watched turn has left is over.
 */
export async function compare(
  server: Server,
  query: Query,
  { count, requests, calmMs = CALM_MS }: { count: number; requests: number; calmMs?: number },
): Promise<Comparison> {
  const watched: Used[] = [];
  const before: Used[] = [];
  const after: Used[] = [];
  const take = async (turns: Used[], isWatched: boolean, afterMs: number): Promise<void> => {
    turns.push(await usedInTurn(server, query, { isWatched, requests, calmMs: afterMs }));
  };
  for (let turn = 0; turn < count; turn += 2) {
    await take(before, false, CALM_MS);
    await take(watched, true, CALM_MS);
    await take(watched, true, calmMs);
    await take(after, false, calmMs);
  }
  const free = [...before, ...after];
  return {
    watchers: figureOf([watched, free], leastUsed, (used) => used.watchers),
    servlet: figureOf([watched, free], leastUsed, servletOf, servletOf),
    wakes: (meanOf(watched.map(wakesOf)) - meanOf(free.map(wakesOf))) / requests,
    ofAll: figureOf([watched, free], (turns) => turns, sum),
    nothing: figureOf([after, before], leastUsed, sum),
    waiting: meanOf(leastUsed(watched).map((used) => used.clock / sum(used))),
  };
}

/** By how much more the first of two kinds of turns uses, in percent of `whole`. */
function figureOf(
  kinds: readonly (readonly Used[])[],
  counted: (turns: readonly Used[]) => readonly Used[],
  of: (used: Used) => number,
  whole: (used: Used) => number = sum,
): Figure {
  const percent = (sets: readonly (readonly Used[])[]): number => {
    const [some, others] = sets.map(counted) as [readonly Used[], readonly Used[]];
    return ((meanOf(some.map(of)) - meanOf(others.map(of))) / meanOf(some.map(whole))) * 100;
  };
  return { percent: percent(kinds), error: errorOf(kinds, percent) };
}

const leastUsed = (turns: readonly Used[]): Used[] => leastHalf(turns, sum);

export async function usedInTurn(
  server: Server,
  query: Query,
  { isWatched, requests, calmMs = CALM_MS }: Turn,
): Promise<Used> {
  await server.ask(isWatched ? 'on' : 'off');
  // What the requests before have left is no part of it.
  await get(urlOf(server, { ...query, rounds: 0, every: 1 }));
  await pause(calmMs);
  const before = usedBy(server);
  let clock = 0;
  for (let request = 0; request < requests; request++) {
    const { status, body, ms } = await get(urlOf(server, query));
    if (status !== 200) throw new Error(`Cannot measure: /churn answered ${status}: ${body}`);
    clock += ms * 1e6;
    await pause(PAUSE_MS);
  }
  const after = usedBy(server);
  return {
    clock,
    watchers: after.watchers - before.watchers,
    servlet: after.servlet - before.servlet,
    wakes: after.wakes - before.wakes,
  };
}

function usedBy({ pid: host }: Server): Omit<Used, 'clock'> {
  const used = { watchers: 0, servlet: 0, wakes: 0 };
  for (const { pid, isMain, ns, turns } of threadTimes(host)) {
    used[isMain || pid === host ? 'watchers' : 'servlet'] += ns;
    if (isMain) used.wakes += turns;
  }
  return used;
}

const sum = ({ watchers, servlet }: Used): number => watchers + servlet;
const servletOf = ({ servlet }: Used): number => servlet;
const wakesOf = ({ wakes }: Used): number => wakes;
