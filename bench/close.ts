// What does a connection per request cost, and what a process per connection? Estimate: 0.7 of plain node:http with unit connection; 15 requests a second where each gets a cell of its own, the first few of them from the warm pool in 60 ms.
import { fileURLToPath } from 'node:url';
import { get } from './support/client.ts';
import { type Load, load } from './support/load.ts';
import { treeCpuMs } from './support/proc.ts';
import { alternate, pause, ratioOf, spreadOf } from './support/rounds.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { type Server, startServer } from './support/server.ts';

const HELLO = fileURLToPath(new URL('../examples/hello.ts', import.meta.url));
const VARIANTS = ['plain node:http', 'custodian, unit connection'] as const;
const CONNECTIONS = [1, 16];
const WARM_CELLS = 4;
/** Between two paced requests: time enough for the warm pool to be full again. */
const PACE_MS = 500;

type Variant = (typeof VARIANTS)[number];

export async function close(options: BenchOptions): Promise<Answer> {
  return {
    question: 'what does a connection per request cost, and a fresh cell per connection?',
    estimate: `0.7 of plain node:http with unit connection; 15 requests/s with a cell each, 60 ms when it is warm`,
    tables: [...(await connectionEach(options)), await cellEach(options)],
  };
}

async function connectionEach({ rounds, seconds }: BenchOptions): Promise<Table[]> {
  const servers: Record<Variant, Server> = {
    'plain node:http': await startServer('plain.ts'),
    'custodian, unit connection': await startServer('custodian.ts', { servlets: HELLO }),
  };
  const tables: Table[] = [];
  try {
    for (const server of Object.values(servers)) await load(`${server.url}/hello`, { connections: 16, seconds: 2 });
    for (const connections of CONNECTIONS) {
      const samples = await alternate(VARIANTS, rounds, async (variant) => {
        const { url, pid } = servers[variant];
        const before = treeCpuMs(pid);
        const sample = await load(`${url}/hello`, { connections, seconds, isClosing: true });
        return { ...sample, cpuMicros: ((treeCpuMs(pid) - before) * 1000) / (sample.requestsPerSecond * seconds) };
      });
      const of = (variant: Variant, field: keyof Load | 'cpuMicros'): number[] =>
        samples[variant].map((sample) => sample[field]);
      tables.push({
        title: `A connection per request, ${connections} at once`,
        columns: ['', 'req/s', 'ratio', 'p50 us', 'p99 us', 'cpu us/req', 'errors'],
        rows: VARIANTS.map((variant) => [
          variant,
          spreadOf(of(variant, 'requestsPerSecond')),
          ratioOf(of(variant, 'requestsPerSecond'), of('plain node:http', 'requestsPerSecond')),
          spreadOf(of(variant, 'p50Micros')),
          spreadOf(of(variant, 'p99Micros')),
          spreadOf(of(variant, 'cpuMicros')),
          of(variant, 'errors').reduce((sum, count) => sum + count, 0),
        ]),
      });
    }
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
  return tables;
}

/** A cell per connection: at a pace that the warm pool keeps up with, and as fast as it goes. */
async function cellEach({ rounds, seconds }: BenchOptions): Promise<Table> {
  const server = await startServer('custodian.ts', {
    servlets: [{ file: HELLO, cell: 'instance', spareThreads: 0 }],
    warmCells: WARM_CELLS,
  });
  try {
    await server.ask('ready');
    const paced: number[] = [];
    for (let turn = 0; turn < rounds * 4; turn++) {
      const { status, ms } = await get(`${server.url}/hello`);
      if (status !== 200) throw new Error(`Cannot measure: a fresh cell answered ${status}`);
      paced.push(ms);
      await pause(PACE_MS);
    }
    const fast: Load[] = [];
    for (let round = 0; round < rounds; round++) {
      fast.push(await load(`${server.url}/hello`, { connections: 2, seconds, isClosing: true }));
      await pause(1000);
    }
    return {
      title: `A fresh cell per connection, ${WARM_CELLS} warm`,
      columns: ['', 'req/s', 'ms to the answer', 'errors'],
      rows: [
        [`one every ${PACE_MS} ms`, null, spreadOf(paced), 0],
        [
          '2 at once, without a pause',
          spreadOf(fast.map((sample) => sample.requestsPerSecond)),
          spreadOf(fast.map((sample) => sample.p50Micros / 1000)),
          fast.reduce((sum, sample) => sum + sample.errors, 0),
        ],
      ],
    };
  } finally {
    await server.stop();
  }
}

await main(import.meta, 'close', close);
