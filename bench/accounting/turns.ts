import { get } from '../support/client.ts';
import { threadTimes } from '../support/proc.ts';
import { middleOf, pause, type Spread } from '../support/rounds.ts';
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
}

/** In percent of all that a watched turn takes. */
export interface Comparison {
  watchers: Spread;
  servlet: Spread;
  together: Spread;
  /** That of a turn which is not watched, against those around it: what the measure itself makes of nothing. */
  nothing: Spread;
  /** How much longer watched requests took by the clock than they used CPU time. */
  waiting: Spread;
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
 * Every other turn is not watched; of those between, every other one is. Each of these is compared with the mean of the two around it, so that
 * whatever drifts is the same for both, and the control is measured as the cost is. `calmMs`: until what a watched turn has left is over.
 */
export async function compare(
  server: Server,
  query: Query,
  { count, requests, calmMs = CALM_MS }: { count: number; requests: number; calmMs?: number },
): Promise<Comparison> {
  const watchers: number[] = [];
  const servlet: number[] = [];
  const together: number[] = [];
  const nothing: number[] = [];
  const waiting: number[] = [];
  let wasWatched = false;
  const turn = (isWatched: boolean): Promise<Used> => {
    const used = usedInTurn(server, query, { isWatched, requests, calmMs: wasWatched ? calmMs : CALM_MS });
    wasWatched = isWatched;
    return used;
  };
  let before = await turn(false);
  for (let pair = 0; pair < 2 * count; pair++) {
    const isWatched = pair % 2 === 0;
    const between = await turn(isWatched);
    const after = await turn(false);
    const percent = (of: (used: Used) => number): number =>
      ((of(between) - (of(before) + of(after)) / 2) / sum(between)) * 100;
    if (isWatched) {
      watchers.push(percent((used) => used.watchers));
      servlet.push(percent((used) => used.servlet));
      together.push(percent(sum));
      waiting.push(between.clock / sum(between));
    } else nothing.push(percent(sum));
    before = after;
  }
  return {
    watchers: middleOf(watchers),
    servlet: middleOf(servlet),
    together: middleOf(together),
    nothing: middleOf(nothing),
    waiting: middleOf(waiting),
  };
}

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
  const { watchers, servlet } = usedBy(server);
  return { clock, watchers: watchers - before.watchers, servlet: servlet - before.servlet };
}

function usedBy({ pid: host }: Server): Omit<Used, 'clock'> {
  const used = { watchers: 0, servlet: 0 };
  for (const { pid, isMain, ns } of threadTimes(host)) used[isMain || pid === host ? 'watchers' : 'servlet'] += ns;
  return used;
}

const sum = ({ watchers, servlet }: Used): number => watchers + servlet;
