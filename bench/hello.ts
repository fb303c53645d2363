// How much of plain node:http's speed does a servlet keep, and how many microseconds does the way through a cell add? Estimate: 0.9 at 64 connections on two cores, 0.8 on one, 40 us at one connection; a Piscina task per request 0.3.
import { fileURLToPath } from 'node:url';
import { type Load, load } from './support/load.ts';
import { treeCpuMs } from './support/proc.ts';
import { alternate, ratioOf, spreadOf } from './support/rounds.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { type Server, startServer } from './support/server.ts';

const CONNECTIONS = [1, 16, 64];
const VARIANTS = [
  'plain node:http',
  'custodian, unit connection',
  'custodian, unit servlet',
  'naive: task a request',
] as const;
const HELLO = fileURLToPath(new URL('../examples/hello.ts', import.meta.url));

type Variant = (typeof VARIANTS)[number];

interface Sample extends Load {
  /** CPU time of the server and its cells: it suffers less from others on the machine than the time of day does. */
  cpuMicros: number;
}

export async function hello(options: BenchOptions): Promise<Answer> {
  const tables: Table[] = [];
  for (const cores of options.cores) tables.push(...(await onCores(cores, options)));
  return {
    question: 'how much of plain node:http does a servlet keep, and how many us does it add?',
    estimate: '0.9 at 64 connections on two cores, 0.8 on one, 40 us at one connection; naive 0.3',
    tables,
  };
}

async function onCores(cores: 1 | 2, { rounds, seconds }: BenchOptions): Promise<Table[]> {
  const core = cores === 1 ? 0 : null;
  const servers: Record<Variant, Server> = {
    'plain node:http': await startServer('plain.ts', {}, core),
    'custodian, unit connection': await startServer('custodian.ts', { servlets: HELLO, unit: 'connection' }, core),
    'custodian, unit servlet': await startServer('custodian.ts', { servlets: HELLO, unit: 'servlet' }, core),
    'naive: task a request': await startServer('naive.ts', {}, core),
  };
  const where = cores === 1 ? 'server on one core, load on the other' : 'all on two cores';
  const tables: Table[] = [];
  try {
    const measure = async (variant: Variant, connections: number, duration: number): Promise<Sample> => {
      const { url, pid } = servers[variant];
      const before = treeCpuMs(pid);
      const sample = await load(`${url}/hello`, { connections, seconds: duration, core: cores === 1 ? 1 : null });
      return { ...sample, cpuMicros: ((treeCpuMs(pid) - before) * 1000) / (sample.requestsPerSecond * duration) };
    };
    for (const variant of VARIANTS) await measure(variant, 64, 2);
    for (const connections of CONNECTIONS) {
      const samples = await alternate(VARIANTS, rounds, (variant) => measure(variant, connections, seconds));
      tables.push(tableOf(`${connections} connections, ${where}`, samples));
    }
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
  return tables;
}

function tableOf(title: string, samples: Record<Variant, Sample[]>): Table {
  const of = (variant: Variant, field: keyof Sample): number[] => samples[variant].map((sample) => sample[field]);
  const base = of('plain node:http', 'requestsPerSecond');
  const baseMicros = of('plain node:http', 'p50Micros');
  return {
    title,
    columns: ['', 'req/s', 'ratio', 'p50 us', 'added us', 'p99 us', 'cpu us/req', 'errors'],
    rows: VARIANTS.map((variant) => [
      variant,
      spreadOf(of(variant, 'requestsPerSecond')),
      ratioOf(of(variant, 'requestsPerSecond'), base),
      spreadOf(of(variant, 'p50Micros')),
      spreadOf(of(variant, 'p50Micros').map((micros, round) => micros - (baseMicros[round] as number))),
      spreadOf(of(variant, 'p99Micros')),
      spreadOf(of(variant, 'cpuMicros')),
      of(variant, 'errors').reduce((sum, count) => sum + count, 0),
    ]),
  };
}

await main(import.meta, 'hello', hello);
