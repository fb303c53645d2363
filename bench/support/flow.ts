import type { Agent } from 'node:http';
import { get } from './client.ts';
import { load, type Load } from './load.ts';
import { treeCpuMs } from './proc.ts';
import type { Table } from './report.ts';
import { alternate, ratioOf, spreadOf } from './rounds.ts';

const CONNECTIONS = 16;
const WARM_UP_SECONDS = 3;
const STEPS = ['capture', 'resume and capture', 'resume'] as const;
type Step = (typeof STEPS)[number];

/** A server of sum2 under test. */
export interface Running {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

interface Sample extends Load {
  cpuMicros: number;
}

export interface FlowOptions<Name extends string> {
  cores: 1 | 2;
  rounds: number;
  seconds: number;
  start: (name: Name, core: number | null) => Promise<Running>;
  /** Of the first page. */
  path: string;
}

/** What each step of sum2 gets through. Servers are started afresh for each round, since captures may leave them with ever more sessions. */
export async function flowSpeeds<Name extends string>(
  names: readonly Name[],
  { cores, rounds, seconds, start, path }: FlowOptions<Name>,
): Promise<Table[]> {
  const samples = await alternate(names, rounds, async (name): Promise<Record<Step, Sample>> => {
    const server = await start(name, cores === 1 ? 0 : null);
    try {
      const first = await continuationAt(server, path);
      const second = await continuationAt(server, `${first}?number=3`);
      const targets: Record<Step, string> = {
        capture: path,
        'resume and capture': `${first}?number=3`,
        resume: `${second}?number=4`,
      };
      const measured: Partial<Record<Step, Sample>> = {};
      for (const step of ['resume', 'resume and capture', 'capture'] as const) {
        const url = `${server.url}${targets[step]}`;
        const about = { connections: CONNECTIONS, core: cores === 1 ? 1 : null };
        // Racket's code was compiled ahead; ours is while it runs.
        await load(url, { ...about, seconds: Math.max(seconds, WARM_UP_SECONDS) });
        const before = treeCpuMs(server.pid);
        const sample = await load(url, { ...about, seconds });
        const requests = sample.requestsPerSecond * seconds;
        measured[step] = { ...sample, cpuMicros: ((treeCpuMs(server.pid) - before) * 1000) / requests };
      }
      return measured as Record<Step, Sample>;
    } finally {
      await server.stop();
    }
  });
  const where = cores === 1 ? 'server on one core, load on the other' : 'all on two cores';
  const isCompared = (names as readonly string[]).includes('racket');
  return STEPS.map((step) => ({
    title: `${step}, ${CONNECTIONS} connections, ${where}`,
    columns: ['', 'req/s', 'against Racket', 'p50 us', 'p99 us', 'cpu us/req', 'errors'],
    rows: names.map((name) => {
      const of = (field: keyof Sample, by: Name = name): number[] => samples[by].map((sample) => sample[step][field]);
      return [
        name,
        spreadOf(of('requestsPerSecond')),
        isCompared ? ratioOf(of('requestsPerSecond'), of('requestsPerSecond', 'racket' as Name)) : null,
        spreadOf(of('p50Micros')),
        spreadOf(of('p99Micros')),
        spreadOf(of('cpuMicros')),
        of('errors').reduce((sum, count) => sum + count, 0),
      ];
    }),
  }));
}

/** The continuation on the page at `path`. */
export async function continuationAt({ url }: { url: string }, path: string, agent?: Agent): Promise<string> {
  const { status, body } = await get(`${url}${path}`, agent);
  const action = /action="([^"]+)"/.exec(body)?.[1];
  if (status !== 200 || action === undefined) throw new Error(`Cannot measure: ${path} answered ${status}: ${body}`);
  return action;
}
