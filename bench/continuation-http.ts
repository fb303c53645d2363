// How many captures and resumptions a second does a flow get through the whole host, and what does a live session weigh, against Racket's own web server? Estimate: five times Racket's at every step, and a tenth of its memory.
import { fileURLToPath } from 'node:url';
import { Agent } from 'node:http';
import { get } from './support/client.ts';
import { continuationAt, flowSpeeds, type Running } from './support/flow.ts';
import { pssMb, processTree, untilIdle } from './support/proc.ts';
import { hasRacket, startRacket } from './support/racket.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { startServer } from './support/server.ts';

const SUM2 = fileURLToPath(new URL('servlets/sum2.ts', import.meta.url));
/** Each server as it is by default, but for memory: neither may begin to forget sessions that are measured. */
const CUSTODIAN = { servlets: [{ file: SUM2, limits: { heapMb: 500 } }] };
/** All sessions in one thread, as Racket's are: what it holds can be asked of it. */
const ONE_THREAD = { servlets: [{ file: SUM2, limits: { heapMb: 500, threadsMaxCount: 1 } }] };
const SESSIONS = 10_000;
/** Requests of the sessions that are under way at once. */
const VISITORS = 32;

type Name = 'custodian' | 'racket';

const start = (name: Name, core: number | null, options: object = CUSTODIAN): Promise<Running> =>
  name === 'racket' ? startRacket('sum2.rkt', core) : startServer('custodian.ts', options, core);

export async function continuationHttp(options: BenchOptions): Promise<Answer> {
  const names: Name[] = hasRacket ? ['custodian', 'racket'] : ['custodian'];
  if (!hasRacket) console.warn('Racket is not installed: its rows are left out');
  const tables: Table[] = [];
  for (const cores of options.cores)
    tables.push(...(await flowSpeeds(names, { ...options, cores, start, path: '/sum2' })));
  tables.push(await weights(names));
  return {
    question: 'how many captures and resumptions a second, and what does a live session weigh, against Racket?',
    estimate: 'five times Racket at every step, a tenth of its memory',
    tables,
  };
}

/** What sessions weigh that have been asked for both numbers, and wait for the second: two continuations each. */
async function weights(names: Name[]): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const name of names) {
    const server = await start(name, null, ONE_THREAD);
    const agent = new Agent({ keepAlive: true, maxSockets: VISITORS });
    try {
      // What is loaded and compiled by the first requests is no session's.
      await openSessions(server, agent, 1000);
      await untilIdle(server.pid);
      const before = await heldBy(server, agent);
      await openSessions(server, agent, SESSIONS);
      const after = await heldBy(server, agent);
      rows.push([
        name,
        (after.heapBytes - before.heapBytes) / SESSIONS,
        ((after.pssMb - before.pssMb) * 2 ** 20) / SESSIONS,
        before.pssMb,
        after.pssMb,
      ]);
    } finally {
      agent.destroy();
      await server.stop();
    }
  }
  return {
    title: `${SESSIONS} live sessions of sum2, two continuations each`,
    columns: ['', 'bytes/session in use', 'bytes/session of the processes', 'MB before', 'MB after'],
    rows,
  };
}

async function openSessions(server: Running, agent: Agent, count: number): Promise<void> {
  let left = count;
  const visit = async (): Promise<void> => {
    while (left-- > 0) await continuationAt(server, `${await continuationAt(server, '/sum2', agent)}?number=3`, agent);
  };
  await Promise.all(Array.from({ length: VISITORS }, visit));
}

async function heldBy({ url, pid }: Running, agent: Agent): Promise<{ heapBytes: number; pssMb: number }> {
  const { body } = await get(`${url}/sum2?memory`, agent);
  const heapBytes = Number(/<body>\s*(\d+)\s*</.exec(body)?.[1]);
  return { heapBytes, pssMb: processTree(pid).reduce((sum, member) => sum + pssMb(member), 0) };
}

await main(import.meta, 'continuation-http', continuationHttp);
