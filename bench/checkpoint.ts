// What does it cost to save a visit with every answer, and what does one that rests cost? Estimate: a commit of the disk an answer, twice a plain answer where many answer at once; under 1 KB a visit in the store and nothing in memory; 500 revivals a second in threads that are there, 20 where each has a thread of its own.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostState } from './servers/custodian.ts';
import { get } from './support/client.ts';
import { pssMb, processTree } from './support/proc.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { alternate, pause, quantile, ratioOf, spreadOf } from './support/rounds.ts';
import { type Server, startServer } from './support/server.ts';

const SUM2 = fileURLToPath(new URL('servlets/sum2.ts', import.meta.url));
const VISITORS = 16;
const VISITS_PARKED = 10_000;
const VISITS_REVIVED = 2000;
const VISITS_OF_OWN_THREADS = 40;
const THREADS = 8;
/** After so many answers in one visit, all of whose pages can still be answered. */
const PAGES = [1, 10, 100, 500];

const VARIANTS = {
  plain: {},
  'saved, memory store': { checkpoint: true, store: 'memory' },
  'saved, SQLite': { checkpoint: true },
} as const;
type Variant = keyof typeof VARIANTS;
const NAMES = Object.keys(VARIANTS) as Variant[];

interface Options {
  checkpoint?: boolean;
  store?: string;
  unit?: string;
  cellIdleTimeoutMs?: number;
  /** Absent: one of its own, which goes with it. */
  stateDir?: string;
}

export async function checkpoint(options: BenchOptions): Promise<Answer> {
  return {
    question: 'what does it cost to save a visit with every answer, and what does one that rests cost?',
    estimate:
      'twice a plain answer where many answer at once; under 1 KB a visit in the store, nothing in memory; 500 revivals a second in threads that are there, 20 in threads of their own',
    tables: [await captures(options), await growth(), await parked(), await ownThreads()],
  };
}

async function withServer<Result>(
  { checkpoint = false, store, unit = 'connection', cellIdleTimeoutMs = 300_000, stateDir: given }: Options,
  run: (server: Server, stateDir: string) => Promise<Result>,
): Promise<Result> {
  const stateDir = given ?? newStateDir();
  const limits = { heapMb: 200, threadsMaxCount: THREADS, cellIdleTimeoutMs, storeMb: 500, queueTimeoutMs: 60_000 };
  const servlets = [{ file: SUM2, checkpoint, unit, limits }];
  const server = await startServer('custodian.ts', { servlets, stateDir, ...(store === undefined ? {} : { store }) });
  try {
    await server.ask('ready');
    return await run(server, stateDir);
  } finally {
    await server.stop();
    if (given === undefined) rmSync(stateDir, { recursive: true, force: true });
  }
}

function newStateDir(): string {
  return mkdtempSync(join(tmpdir(), 'custodian-bench-'));
}

/** Fresh visits, each with its first page: a capture that is saved before its page goes out. */
async function captures({ rounds, seconds }: BenchOptions): Promise<Table> {
  const samples = await alternate(NAMES, rounds, (name) =>
    withServer(VARIANTS[name], async (server) => {
      await visitsFor(server, 3);
      return visitsFor(server, seconds);
    }),
  );
  const perSecond = (name: Variant): number[] => samples[name].map(({ count }) => count / seconds);
  return {
    title: `captures of fresh visits, ${VISITORS} at once`,
    columns: ['', 'a second', 'against plain', 'p50 ms', 'p99 ms'],
    rows: NAMES.map((name) => [
      name,
      spreadOf(perSecond(name)),
      ratioOf(perSecond(name), perSecond('plain')),
      spreadOf(samples[name].map(({ ms }) => quantile(ms, 0.5))),
      spreadOf(samples[name].map(({ ms }) => quantile(ms, 0.99))),
    ]),
  };
}

async function visitsFor(server: Server, seconds: number): Promise<{ count: number; ms: number[] }> {
  const until = performance.now() + seconds * 1000;
  const ms: number[] = [];
  await inParallel(VISITORS, async (agent) => {
    while (performance.now() < until) ms.push((await pageAt(server, '/sum2', agent)).ms);
  });
  return { count: ms.length, ms };
}

/** The first page is answered again and again: each answer saves all the pages that there are by then. */
async function growth(): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const name of NAMES) {
    const ms = await withServer(VARIANTS[name], async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < 50; i++) await pageAt(server, '/sum2', agent);
      const first = (await pageAt(server, '/sum2', agent)).action;
      const taken: number[] = [];
      while (taken.length < Math.max(...PAGES)) taken.push((await pageAt(server, `${first}?number=1`, agent)).ms);
      agent.destroy();
      return PAGES.map((pages) => quantile(taken.slice(Math.max(0, pages - 10), pages), 0.5));
    });
    rows.push([name, ...ms]);
  }
  return {
    title: 'ms an answer, one visitor, by the pages that its visit has',
    columns: ['', ...PAGES.map((pages) => `${pages}`)],
    rows,
  };
}

/** Visits that nobody has come back to, until no thread is left; then some of them, in threads that several share. */
async function parked(): Promise<Table> {
  return withServer({ checkpoint: true, cellIdleTimeoutMs: 1500 }, async (server, stateDir) => {
    await visitsFor(server, 2);
    const empty = await restingMb(server);
    const stored = storeBytes(stateDir);
    const actions: string[] = [];
    let left = VISITS_PARKED;
    await inParallel(VISITORS, async (agent) => {
      while (left-- > 0) actions.push((await pageAt(server, '/sum2', agent)).action);
    });
    const resting = await restingMb(server);
    const bytes = (storeBytes(stateDir) - stored) / VISITS_PARKED;
    const step = Math.floor(VISITS_PARKED / VISITS_REVIVED);
    const { seconds, ms } = await revive(
      server,
      actions.filter((_, at) => at % step === 0),
      VISITORS,
    );
    return {
      title: `${VISITS_PARKED} visits of sum2 that rest in the SQLite store with no thread, and ${ms.length} that are made again, ${VISITORS} at once`,
      columns: ['bytes each in store', 'MB before', 'MB with them', 'revivals a second', 'p50 ms', 'p99 ms'],
      rows: [[bytes, empty, resting, ms.length / seconds, quantile(ms, 0.5), quantile(ms, 0.99)]],
    };
  });
}

/**
 * More visits than threads, a thread each: every answer makes another visit give up its thread. They are begun in threads
 * that they share, or their beginning would take an hour.
 */
async function ownThreads(): Promise<Table> {
  const stateDir = newStateDir();
  try {
    const actions: string[] = [];
    await withServer({ checkpoint: true, stateDir }, async (server) => {
      let left = VISITS_PARKED;
      await inParallel(VISITORS, async (agent) => {
        while (left-- > 0) actions.push((await pageAt(server, '/sum2', agent)).action);
      });
    });
    return await withServer({ checkpoint: true, unit: 'instance', stateDir }, async (server) => {
      const step = Math.floor(VISITS_PARKED / VISITS_OF_OWN_THREADS);
      const some = actions.filter((_, at) => at % step === 0);
      const alone = await revive(server, some, 1);
      const together = await revive(server, some, 4);
      return {
        title: `${VISITS_PARKED} visits with a thread each, of which there are ${THREADS}; ${some.length} of them are made again`,
        columns: ['', 'revivals a second', 'p50 ms', 'p99 ms', 'MB of all processes then'],
        rows: [
          ['one after the other', alone],
          ['4 at once', together],
        ].map(([name, taken]) => {
          const { seconds, ms, mb } = taken as Revived;
          return [name as string, ms.length / seconds, quantile(ms, 0.5), quantile(ms, 0.99), mb];
        }),
      };
    });
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

interface Revived {
  seconds: number;
  ms: number[];
  mb: number;
}

async function revive(server: Server, actions: readonly string[], atOnce: number): Promise<Revived> {
  const ms: number[] = [];
  const left = [...actions];
  const startedAt = performance.now();
  await inParallel(atOnce, async (agent) => {
    for (let action = left.shift(); action !== undefined; action = left.shift())
      ms.push((await pageAt(server, `${action}?number=2`, agent)).ms);
  });
  return { seconds: (performance.now() - startedAt) / 1000, ms, mb: totalMb(server) };
}

/** Of all processes, once no thread is left. */
async function restingMb(server: Server): Promise<number> {
  while (Object.values((await server.ask<HostState>('state')).threads).some((count) => count > 0)) await pause(100);
  return totalMb(server);
}

function totalMb(server: Server): number {
  return processTree(server.pid).reduce((sum, member) => sum + pssMb(member), 0);
}

function storeBytes(stateDir: string): number {
  return readdirSync(stateDir)
    .filter((name) => name.includes('sqlite'))
    .reduce((sum, name) => sum + statSync(join(stateDir, name)).size, 0);
}

async function inParallel(count: number, run: (agent: Agent) => Promise<void>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  await Promise.all(Array.from({ length: count }, () => run(agent)));
  agent.destroy();
}

async function pageAt(server: Server, path: string, agent: Agent): Promise<{ action: string; ms: number }> {
  const { status, body, ms } = await get(`${server.url}${path}`, agent);
  const action = /action="([^"]+)"/.exec(body)?.[1];
  if (status !== 200 || action === undefined) throw new Error(`Cannot measure: ${path} answered ${status}: ${body}`);
  return { action, ms };
}

await main(import.meta, 'checkpoint', checkpoint);
