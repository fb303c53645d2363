// What does a stateless page weigh, how many captures and resumptions a second does a flow of them get through the whole host against Racket's stateless servlets, and how long does a resumption take in a fresh thread, and with 100 KB and 1 MB of state? Estimate: 120 characters of URL, five times Racket, 60 ms in a fresh thread, 1 ms warm, 15 ms with 1 MB.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from './support/client.ts';
import { continuationAt, flowSpeeds, type Running } from './support/flow.ts';
import { untilIdle } from './support/proc.ts';
import { hasRacket, startRacket } from './support/racket.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { spreadOf } from './support/rounds.ts';
import { startServer } from './support/server.ts';

const servlet = (name: string): string => fileURLToPath(new URL(`servlets/${name}.ts`, import.meta.url));
const RACKET = 'sum2-stateless.rkt';
/** What the issue allows the URL of sum2's first page. */
const URL_MAX_CHARS = 160;
const STATES = [100_000, 1_000_000];
const COLD = 10;
const WARM = 200;
const LARGE = 30;

type Name = 'custodian' | 'racket';

export async function stateless(options: BenchOptions): Promise<Answer> {
  const names: Name[] = hasRacket ? ['custodian', 'racket'] : ['custodian'];
  if (!hasRacket) console.warn('Racket is not installed: its rows are left out');
  const directory = mkdtempSync(join(tmpdir(), 'custodian-bench-'));
  const stateDir = join(directory, 'state');
  const start = (name: Name, core: number | null): Promise<Running> =>
    name === 'racket'
      ? startRacket(RACKET, core)
      : startServer('custodian.ts', { servlets: [{ file: servlet('sum2-stateless'), mount: 'sum2' }], stateDir }, core);
  try {
    const tables = [await weights(names, start, directory)];
    for (const cores of options.cores)
      tables.push(...(await flowSpeeds(names, { ...options, cores, start, path: '/sum2' })));
    tables.push(await times(stateDir));
    return {
      question: 'what does a stateless page weigh, and how fast do its flows go on, against Racket?',
      estimate: '120 characters of URL, five times Racket, 60 ms in a fresh thread, 1 ms warm, 15 ms with 1 MB',
      tables,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Of sum2's first continuation. */
async function weights(
  names: Name[],
  start: (name: Name, core: null) => Promise<Running>,
  directory: string,
): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const name of names) {
    const server = await start(name, null);
    try {
      const path = await continuationAt(server, '/sum2');
      const url = server.url + path;
      const sealed = name === 'custodian' ? Buffer.from(path.split(';c=0')[1] as string, 'base64url').length : null;
      rows.push([name, name === 'custodian' ? await rawBytes(directory) : null, sealed, url.length]);
      if (name === 'custodian' && url.length > URL_MAX_CHARS)
        throw new Error(`The URL of sum2 has ${url.length} characters, and ${URL_MAX_CHARS} is the limit: ${url}`);
    } finally {
      await server.stop();
    }
  }
  return { title: "sum2's first continuation", columns: ['', 'bytes', 'sealed', 'URL, characters'], rows };
}

/** The same servlet with a stuffer that does nothing but write. */
async function rawBytes(directory: string): Promise<number> {
  const file = join(directory, 'sum2.ts');
  writeFileSync(
    file,
    `${readFileSync(servlet('sum2-stateless'), 'utf8')}
import { base64UrlStuffer, serializeStuffer, stufferChain } from '@custodian/worker';
export const stuffer = stufferChain(serializeStuffer, base64UrlStuffer);`,
  );
  const server = await startServer('custodian.ts', { servlets: [file] });
  try {
    return Buffer.from((await continuationAt(server, '/sum2')).split(';c=')[1] as string, 'base64url').length;
  } finally {
    await server.stop();
  }
}

/** One request after another. */
async function times(stateDir: string): Promise<Table> {
  const options = { servlets: [{ file: servlet('sum2-stateless'), mount: 'sum2' }, servlet('state')], stateDir };
  const server = await startServer('custodian.ts', { ...options, limits: { storeMb: 1024 } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const millis = async (path: string): Promise<number> => {
    const began = performance.now();
    const { status } = await get(`${server.url}${path}`, agent);
    if (status !== 200) throw new Error(`Cannot measure: ${path} answered ${status}`);
    return performance.now() - began;
  };
  const several = async (count: number, path: () => string | Promise<string>): Promise<number[]> => {
    const samples: number[] = [];
    for (let n = 0; n < count; n++) samples.push(await millis(await path()));
    return samples;
  };
  const rows: Table['rows'] = [];
  try {
    const second = await continuationAt(server, `${await continuationAt(server, '/sum2')}?number=3`);
    // Whoever comes next gets a thread that has never run the servlet.
    const fresh = (rest: () => Promise<void>): Promise<number[]> =>
      several(COLD, async () => {
        await server.ask('reload sum2');
        await rest();
        return `${second}?number=4`;
      });
    const atRest = (): Promise<void> => untilIdle(server.pid);
    rows.push(['sum2, resume, fresh thread, host at rest', spreadOf(await fresh(atRest))]);
    rows.push(['sum2, resume, fresh thread, one reload after another', spreadOf(await fresh(async () => {}))]);
    await atRest();
    rows.push(['sum2, resume, warm', spreadOf(await several(WARM, () => `${second}?number=4`))]);
    for (const bytes of STATES) {
      const path = `/state?bytes=${bytes}`;
      const page = await continuationAt(server, path);
      await several(LARGE, () => page);
      rows.push([`${bytes / 1000} KB of state, capture`, spreadOf(await several(LARGE, () => path))]);
      rows.push([`${bytes / 1000} KB of state, resume`, spreadOf(await several(LARGE, () => page))]);
    }
  } finally {
    agent.destroy();
    await server.stop();
  }
  return { title: 'one request after another', columns: ['', 'ms'], rows };
}

await main(import.meta, 'stateless', stateless);
