// What does a cell cost, and what a kill? Estimate: 200 ms to a first answer when cold, 60 ms when warm; 30 MB for a cell with a thread, 8 MB for each further one; 20 ms from a breach to the client's page; after 400 kills the acceptor has 10 MB more at most, and no descriptor or process.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from './support/client.ts';
import { descriptorCount, processTree, pssMb, rssMb } from './support/proc.ts';
import { pause, spreadOf } from './support/rounds.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { type Server, startServer } from './support/server.ts';
import type { HostState } from './servers/custodian.ts';

const HELLO = fileURLToPath(new URL('../examples/hello.ts', import.meta.url));
const HOLD = fileURLToPath(new URL('servlets/hold.ts', import.meta.url));
const BREACH = fileURLToPath(new URL('servlets/breach.ts', import.meta.url));
const STARTS = 8;
const KILLS = 15;
const THREADS = 8;
const CPU_CAP_MS = 200;
const HEAP_CAP_MB = 50;

export async function cellCost(options: BenchOptions): Promise<Answer> {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-bench-'));
  try {
    return {
      question: 'what does a cell cost, and what a kill?',
      estimate:
        '200 ms to a first answer cold, 60 ms warm; 30 MB a cell with one thread, 8 MB a further thread; 20 ms from a breach to the page; acceptor +10 MB at most after 400 kills',
      tables: [await firstAnswers(), await memory(), await killTimes(directory), await killsInARow(options.kills)],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function firstAnswers(): Promise<Table> {
  const cold: number[] = [];
  const warm: number[] = [];
  const second: number[] = [];
  for (let turn = 0; turn < STARTS; turn++) {
    for (const isWarm of turn % 2 === 0 ? [false, true] : [true, false]) {
      const server = await startServer('custodian.ts', { servlets: HELLO, warmCells: isWarm ? 1 : 0 });
      try {
        await server.ask('ready');
        (isWarm ? warm : cold).push((await get(`${server.url}/hello`)).ms);
        if (isWarm) second.push((await get(`${server.url}/hello`)).ms);
      } finally {
        await server.stop();
      }
    }
  }
  return {
    title: 'From a request to its answer, on a connection of its own',
    columns: ['', 'ms'],
    rows: [
      ['first, no cell there (cold)', spreadOf(cold)],
      ['first, an empty cell there (warm)', spreadOf(warm)],
      ['second', spreadOf(second)],
    ],
  };
}

/** PSS of an empty cell, of one with a thread, and of one with many that all have answered. */
async function memory(): Promise<Table> {
  const empty: number[] = [];
  const one: number[] = [];
  const many: number[] = [];
  const each: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const server = await startServer('custodian.ts', {
      servlets: [{ file: HOLD, spareThreads: 0 }],
      limits: { threadsMaxCount: THREADS },
      warmCells: 1,
    });
    try {
      await server.ask('ready');
      const [cell] = cellsOf(server);
      await pause(1000);
      empty.push(pssMb(cell as number));
      await get(`${server.url}/hold?ms=0`);
      await pause(500);
      one.push(pssMb(cell as number));
      await Promise.all(Array.from({ length: THREADS }, () => get(`${server.url}/hold?ms=1500`)));
      await pause(500);
      const { threads } = await server.ask<HostState>('state');
      const pss = pssMb(cell as number);
      many.push(pss);
      each.push((pss - (one.at(-1) as number)) / ((threads['hold'] ?? 0) - 1));
    } finally {
      await server.stop();
    }
  }
  return {
    title: 'Memory of a cell (PSS)',
    columns: ['', 'MB'],
    rows: [
      ['empty', spreadOf(empty)],
      ['with a thread and a servlet', spreadOf(one)],
      [`with ${THREADS} threads`, spreadOf(many)],
      ['a further thread', spreadOf(each)],
    ],
  };
}

function cellsOf(server: Server): number[] {
  return processTree(server.pid).slice(1);
}

/** The servlet says how far it got and when, on a clock that all processes share. */
async function killTimes(directory: string): Promise<Table> {
  const server = await startServer('custodian.ts', {
    servlets: [
      { file: BREACH, profile: 'trusted', limits: { heapMb: HEAP_CAP_MB, cpuMs: 60_000, wallMs: 60_000 } },
      { file: BREACH, profile: 'trusted', mount: 'busy', limits: { cpuMs: CPU_CAP_MS } },
    ],
  });
  const rows: Table['rows'] = [];
  try {
    await server.ask('ready');
    for (const [title, path, cause, cap] of [
      ['heap, 4 % over at once', `breach?of=heap&cap=${HEAP_CAP_MB}&mb=${HEAP_CAP_MB * 1.04}`, 'heap', HEAP_CAP_MB],
      ['heap, 60 % over at once', `breach?of=heap&cap=${HEAP_CAP_MB}&mb=${HEAP_CAP_MB * 1.6}`, 'heap', HEAP_CAP_MB],
      ['cpu', 'busy?of=cpu', 'cpu', CPU_CAP_MS],
    ] as const) {
      const toPage: number[] = [];
      const used: number[] = [];
      const deaths: number[] = [];
      let others = 0;
      for (let turn = 0; turn < KILLS; turn++) {
        const file = join(directory, `${title}-${turn}`.replaceAll(/[^a-z0-9-]/g, '-'));
        writeFileSync(file, '');
        await get(`${server.url}/${path}&file=${file}`);
        const pageAt = Number(process.hrtime.bigint()) / 1e6;
        const [amount, saidAt] = readFileSync(file, 'latin1').trim().split(' ').map(Number);
        if (saidAt === undefined) others++;
        else {
          toPage.push(pageAt - saidAt / 1e6);
          if (cause === 'cpu') used.push(((amount as number) / cap) * 100);
        }
        const { obituaries } = await server.ask<HostState>('state');
        const obituary = obituaries.at(-1);
        if (obituary?.cause === cause) deaths.push(obituary.deathMs);
        else others++;
        await pause(100);
      }
      rows.push([title, used.length === 0 ? null : spreadOf(used), spreadOf(toPage), spreadOf(deaths), KILLS, others]);
    }
  } finally {
    await server.stop();
  }
  return {
    title:
      'A kill: CPU time used, in % of the cap; from the breach (cpu: the last sign of life) to the page; from the decision to the death',
    columns: ['', 'used %', 'to the page ms', 'death ms', 'kills', 'too early, or of another cause'],
    rows,
  };
}

async function killsInARow(kills: number): Promise<Table> {
  const server = await startServer('custodian.ts', {
    servlets: [
      { file: BREACH, profile: 'trusted', limits: { heapMb: 20, cpuMs: 20_000 } },
      { file: HELLO, isEager: true },
    ],
  });
  const agent = new Agent({ keepAlive: true });
  const row = async (title: string): Promise<Table['rows'][number]> => {
    const { threads, owned } = await server.ask<HostState>('state');
    const tree = processTree(server.pid);
    return [
      title,
      rssMb(server.pid),
      tree.reduce((sum, pid) => sum + rssMb(pid), 0),
      descriptorCount(server.pid),
      tree.length,
      Object.values(threads).reduce((sum, count) => sum + count, 0),
      owned,
    ];
  };
  try {
    await server.ask('ready');
    const kill = (): Promise<unknown> => get(`${server.url}/breach?of=heap&cap=20&mb=40`);
    // The first ones pay for code that is compiled and buffers that are kept.
    for (let turn = 0; turn < 40; turn++) await kill();
    await pause(3000);
    const before = await row('before (after 40 to warm up)');
    const startedAt = performance.now();
    for (let turn = 0; turn < kills; turn++) await kill();
    const eachMs = (performance.now() - startedAt) / kills;
    await pause(3000);
    const after = await row(`after ${kills} more`);
    const { obituaries } = await server.ask<HostState>('state');
    const causes = new Map<string, number>();
    for (const { cause } of obituaries) causes.set(cause, (causes.get(cause) ?? 0) + 1);
    const told = Array.from(causes, ([cause, count]) => `${cause} ${count}`).join(', ');
    const neighbour = await get(`${server.url}/hello`, agent);
    return {
      title: `${kills} kills in a row, ${eachMs.toFixed(0)} ms each; causes: ${told}; the neighbour answers ${neighbour.status}`,
      columns: ['', 'acceptor RSS MB', 'tree RSS MB', 'descriptors', 'processes', 'threads', 'owned'],
      rows: [before, after],
    };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

await main(import.meta, 'cell-cost', cellCost);
