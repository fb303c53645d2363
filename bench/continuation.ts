// What do resumable functions cost against native ones, and what do a capture, a resumption, a continuation and a load cost? Estimate: page code 1.0x, recursion 1.4x, capture 2 us + 0.3 us a frame, resume 1 us + 0.15 us a frame, 400 bytes, 200 ms cold, 20 ms cached.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Continuation, type Outcome, prompt, resume } from '../packages/worker/src/continuation/runtime.ts';
import { compileModule } from '../packages/worker/src/servlet/compile-hook.ts';
import { serve } from '../packages/host/src/index.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { alternate, ratioOf, spreadOf } from './support/rounds.ts';
import { longServlet, PROGRAM } from './servlets/suspending.ts';

type Fn = (...args: unknown[]) => Promise<unknown>;
type Program = Record<'fib' | 'page' | 'deep' | 'fails' | 'sum2', Fn>;
type Row = Table['rows'][number];

const DEPTHS = [1, 10, 100, 1000];
const ROUNDS = 25;
/** Of captures and resumptions. */
const SHORT_ROUNDS = 100;
const LOADS = 7;
/** Until the host has a cell that is warmed up. */
const SETTLED_MS = 3000;
const SESSIONS = 10_000;
const LOADER = fileURLToPath(new URL('servers/load-servlet.ts', import.meta.url));

export async function continuation(_options: BenchOptions): Promise<Answer> {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-bench-'));
  try {
    const native = await importText(directory, 'native.mjs', PROGRAM);
    const { code } = compileModule(pathToFileURL(join(directory, 'program.mjs')).href, PROGRAM);
    const compiled = await importText(directory, 'compiled.mjs', code);
    return {
      question: 'what do resumable functions, captures, resumptions and loads cost?',
      estimate:
        'page code 1.0x, recursion 1.4x; capture 2 us + 0.3 us a frame, resume 1 us + 0.15 us a frame; 400 bytes; 200 ms cold, 20 ms cached',
      tables: [
        {
          title: 'Compiled against native, in turns',
          columns: ['', 'native us', 'compiled us', 'times', 'limit', ''],
          rows: await ordinaryCode(native, compiled),
        },
        {
          title:
            'A capture and a native error that is thrown (what a run with one takes more), and a resumption; judged by the least of all rounds',
          columns: ['', 'least us', 'us', 'limit', ''],
          rows: await capturesAndResumptions(native, compiled),
        },
        {
          title: `One live continuation of sum2, of ${SESSIONS}`,
          columns: ['', 'bytes', 'limit', ''],
          rows: [await sizeOfContinuation(compiled)],
        },
        {
          title:
            'CPU of loading a servlet of 2,000 lines, in a process for each time. The supervisor strips types while the thread starts',
          columns: ['', 'supervisor ms', 'thread ms', 'limit', ''],
          rows: loads(directory),
        },
        {
          title:
            'What its first visitor waits for, in a new cell each time, beyond what he waits for with a servlet of two lines. The host has been up for some seconds',
          columns: ['', 'first answer ms', 'beyond ms', 'limit', ''],
          rows: await firstAnswers(directory, SETTLED_MS),
        },
        {
          title: 'The same at once when the host is up: no cell has been warmed up yet',
          columns: ['', 'first answer ms', 'beyond ms', 'limit', ''],
          rows: await firstAnswers(directory, 0),
        },
      ],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function importText(directory: string, name: string, text: string): Promise<Program> {
  const file = join(directory, name);
  writeFileSync(file, text);
  return (await import(pathToFileURL(file).href)) as Program;
}

const verdict = (measured: number, limit: number): string => (measured <= limit ? 'within' : 'OVER');

async function ordinaryCode(native: Program, compiled: Program): Promise<Row[]> {
  const items = Array.from({ length: 200 }, (_, row) => ({
    cells: Array.from({ length: 8 }, (_, column) => `cell <${row},${column}>`),
  }));
  const rows: Row[] = [];
  for (const [title, limit, times, run] of [
    ['building a page of 200 rows', 1.05, 50, (program: Program) => program.page(items)],
    ['fib(18), recursive', 1.5, 20, (program: Program) => program.fib(18)],
  ] as const) {
    const taken = await inTurns(
      { native: { run: () => run(native), times }, compiled: { run: () => run(compiled), times } },
      ROUNDS,
    );
    const ratio = ratioOf(taken.compiled, taken.native);
    rows.push([title, spreadOf(taken.native), spreadOf(taken.compiled), ratio, limit, verdict(ratio.median, limit)]);
  }
  return rows;
}

/**
 * Judged by the least of many short rounds, each of which has all depths: what else runs on a machine can only add to it, and a machine
 * that is shared with others may run at half its speed for seconds. The native error says how fast it was.
 */
async function capturesAndResumptions(native: Program, compiled: Program): Promise<Row[]> {
  const runs: Record<string, Measured> = {};
  for (const depth of DEPTHS) {
    const k = continuationOf(await prompt(() => compiled.deep(depth, true)));
    const times = Math.max(10, 2000 / depth);
    runs[`plain ${depth}`] = { run: () => prompt(() => compiled.deep(depth, false)), times };
    runs[`capture ${depth}`] = { run: () => prompt(() => compiled.deep(depth, true)), times };
    runs[`resumption ${depth}`] = { run: () => resume(k, 0), times };
    runs[`native plain ${depth}`] = { run: () => native.deep(depth, false), times };
    runs[`native error ${depth}`] = { run: () => native.fails(depth).catch(() => undefined), times };
  }
  const taken = await inTurns(runs, SHORT_ROUNDS);
  const row = (what: string, base: string | null, depth: number, limit: number | ''): Row => {
    const us = taken[`${what} ${depth}`]!;
    const baseUs = base === null ? us.map(() => 0) : taken[`${base} ${depth}`]!;
    const least = Math.min(...us) - Math.min(...baseUs);
    const all = spreadOf(us.map((each, round) => each - baseUs[round]!));
    return [`${what}, ${depth} frames`, least, all, limit, limit === '' ? '' : verdict(least, limit)];
  };
  return DEPTHS.flatMap((depth) => [
    row('capture', 'plain', depth, 3 + 0.5 * depth),
    row('resumption', null, depth, 1 + 0.2 * depth),
    row('native error', 'native plain', depth, ''),
  ]);
}

/** What is run so many times in a round. */
interface Measured {
  run: () => Promise<unknown>;
  times: number;
}

/** Microseconds that one call of each takes. */
async function inTurns<Kind extends string>(
  runs: Record<Kind, Measured>,
  rounds: number,
): Promise<Record<Kind, number[]>> {
  const kinds = Object.keys(runs) as Kind[];
  const measure = (kind: Kind): Promise<number> => timed(runs[kind].run, runs[kind].times);
  // The first ones pay for code that is compiled.
  for (const kind of kinds) await measure(kind);
  return alternate(kinds, rounds, measure);
}

async function timed(run: () => Promise<unknown>, times: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i++) await run();
  return Number(process.hrtime.bigint() - start) / 1000 / times;
}

function continuationOf(outcome: Outcome): Continuation {
  if (outcome.kind !== 'captured') throw new Error(`expected a capture, got ${outcome.kind}`);
  return outcome.continuation;
}

async function sizeOfContinuation(compiled: Program): Promise<Row> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const usedBytes = async (): Promise<number> => {
    for (let turn = 0; turn < 4; turn++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed;
  };
  const kept: Continuation[] = [];
  const visit = async (): Promise<void> => {
    for (let i = 0; i < SESSIONS; i++) {
      const first = continuationOf(await prompt(() => compiled.sum2()));
      kept.push(continuationOf(await resume(first, i)));
    }
  };
  await visit();
  kept.length = 0;
  const before = await usedBytes();
  await visit();
  const bytes = ((await usedBytes()) - before) / SESSIONS;
  return ['after the first answer', bytes, 600, verdict(bytes, 600)];
}

interface Load {
  supervisorMs: number;
  threadMs: number;
}

/** The texts of a servlet's modules, by file name; the first is the servlet's own. `edit`: what changes all of them. */
type Modules = (edit: string) => Record<string, string>;

/** Examples that need nothing but the library. */
const EXAMPLES = ['checkout', 'count-dot-com', 'counters', 'formlet', 'guess', 'many', 'one', 'sum', 'sum2'];
const LINES = 2000;

/** Copies of the examples, as many as make 2,000 lines: about a third of their functions suspend. */
const asWritten: Modules = (edit) => {
  const modules: Record<string, string> = {};
  let lines = 0;
  for (let copy = 0; lines < LINES; copy++) {
    for (const name of EXAMPLES) {
      const text = readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), 'utf8');
      modules[`${name}-${copy}.ts`] = `${text}\n// ${copy} ${edit}\n`;
      lines += text.split('\n').length;
    }
  }
  const imports = Object.keys(modules).map((file) => `import './${file}';\n`);
  return { 'servlet.ts': `${imports.join('')}export default (): string => '${edit}';\n`, ...modules };
};

const suspendingOnly: Modules = (edit) => ({ 'servlet.ts': `${longServlet()}\n// ${edit}\n` });

function loads(directory: string): Row[] {
  return [
    ...loadsOf(directory, 'examples', asWritten),
    ...loadsOf(directory, 'nothing but functions that suspend', suspendingOnly),
  ];
}

function loadsOf(parent: string, title: string, modules: Modules): Row[] {
  const directory = mkdtempSync(join(parent, 'load-'));
  const write = (edit: string): void => {
    for (const [name, text] of Object.entries(modules(edit))) writeFileSync(join(directory, name), text);
  };
  const load = (cache: string): Load => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', LOADER, join(directory, 'servlet.ts'), join(directory, cache)],
      { encoding: 'utf8', env: { ...process.env, NODE_COMPILE_CACHE: join(directory, cache, 'node') } },
    );
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Load;
  };
  const first: Load[] = [];
  const cold: Load[] = [];
  const cached: Load[] = [];
  for (let turn = 0; turn < LOADS; turn++) {
    write('');
    first.push(load(`cache-${turn}`));
    cached.push(load(`cache-${turn}`));
    // Once the host has run here, its own code is cached, and edited modules are not.
    write(`edit ${turn}`);
    cold.push(load(`cache-${turn}`));
  }
  const row = (what: string, taken: readonly Load[], limit: number): Row => {
    const supervisor = spreadOf(taken.map(({ supervisorMs }) => supervisorMs));
    const thread = spreadOf(taken.map(({ threadMs }) => threadMs));
    return [`${title}: ${what}`, supervisor, thread, limit, verdict(thread.median, limit)];
  };
  return [
    row("cold, and the host's first start on the machine", first, 300),
    row('cold', cold, 300),
    row('cached', cached, 60),
  ];
}

const TINY = `import { sendSuspend } from '@custodian/worker';
export default async (): Promise<string> => (1 > 2 ? String(await sendSuspend((url) => url)) : 'x');
`;

/** A host for each time, whose cache the others have filled, and that has been up for so long. */
async function firstAnswers(parent: string, settledMs: number): Promise<Row[]> {
  const waitFor = async (title: string, modules: Record<string, string>): Promise<number> => {
    const directory = join(parent, title);
    mkdirSync(directory, { recursive: true });
    for (const [name, text] of Object.entries(modules)) writeFileSync(join(directory, name), text);
    await using host = await serve({
      port: 0,
      servlets: [{ file: join(directory, 'servlet.ts'), mount: 's' }],
      stateDir: join(parent, 'state'),
      log: false,
    });
    await delay(settledMs);
    const start = performance.now();
    const answer = await fetch(`${host.url}/s`);
    if (answer.status !== 200) throw new Error(`Cannot load ${title}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
    return performance.now() - start;
  };
  const answering: Modules = (edit) => {
    const { 'servlet.ts': text, ...rest } = suspendingOnly(edit);
    return { 'servlet.ts': `${text}\nexport default (): string => 'x';\n`, ...rest };
  };
  const kinds = { examples: asWritten, 'nothing but functions that suspend': answering };
  await waitFor('tiny', { 'servlet.ts': TINY });
  const tiny: number[] = [];
  const waits: Record<string, number[]> = {};
  for (let turn = 0; turn < LOADS; turn++) {
    tiny.push(await waitFor('tiny', { 'servlet.ts': TINY }));
    for (const [title, modules] of Object.entries(kinds))
      for (const what of ['cold', 'cached'])
        (waits[`${title}: ${what}`] ??= []).push(
          await waitFor(title, modules(`turn ${turn}, ${settledMs} of ${process.pid}`)),
        );
  }
  const base = spreadOf(tiny);
  return [
    ['two lines: cached', base, '', '', ''],
    ...Object.entries(waits).map(([title, taken]): Row => {
      const limit = title.endsWith('cold') ? 300 : 60,
        beyond = spreadOf(taken.map((ms) => ms - base.median));
      return [title, spreadOf(taken), beyond, limit, verdict(beyond.median, limit)];
    }),
  ];
}

await main(import.meta, 'continuation', continuation);
