// What do resumable functions cost against native ones, and what do a capture, a resumption, a continuation and a load cost?
// Estimate before measuring: page code 1.0x, fib 1.4x, capture 2 us + 0.3 us/frame, resume 1 us + 0.15 us/frame, 400 bytes, 200 ms / 20 ms.
// Run with --expose-gc. A and B alternate; medians; `--json file` keeps the result.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileFile } from '../packages/worker/src/continuation/load-hook.ts';
import { prompt, resume, type Continuation, type Outcome } from '../packages/worker/src/continuation/runtime.ts';

interface Row {
  what: string;
  measured: number;
  limit: number;
  unit: string;
}
type Fn = (...args: any[]) => any;

const directory = mkdtempSync(join(tmpdir(), 'bench-continuation-'));
const runtime = new URL('../packages/worker/src/continuation/runtime.ts', import.meta.url).href;
const source = `
import { capture } from ${JSON.stringify(runtime)};
const ask = () => capture(() => 'page');
export async function fib(n) { if (n < 2) return n; return (await fib(n - 1)) + (await fib(n - 2)); }
export async function page(items) { let out = ''; for (const item of items) out += await row(item); return '<table>' + out + '</table>'; }
async function row(item) {
  const cells = await Promise.resolve(item.cells.map((c) => '<td>' + String(c).replace(/[<&]/g, (x) => '&#' + x.charCodeAt(0) + ';') + '</td>'));
  return '<tr>' + cells.join('') + '</tr>';
}
export async function deep(n, suspends) {
  if (n === 1) { const r = suspends ? await ask() : await Promise.resolve(0); return r + 1; }
  const r = await deep(n - 1, suspends);
  return r + 1;
}
export async function sum2() { const m = await number('First number:'); const n = await number('Second number:'); return 'The sum is ' + (m + n); }
async function number(label) { const reply = await ask(label); return Number(reply); }
`;

async function importText(name: string, text: string): Promise<Record<string, Fn>> {
  const file = join(directory, name);
  writeFileSync(file, text);
  return (await import(pathToFileURL(file).href)) as Record<string, Fn>;
}
const native = await importText('native.mjs', source),
  compiled = await importText('compiled.mjs', compileFile(join(directory, 'source.mjs'), source).code);

const median = (xs: number[]): number => xs.sort((a, b) => a - b)[xs.length >> 1]!;
async function timed(f: () => Promise<unknown>, times: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i++) await f();
  return Number(process.hrtime.bigint() - start) / 1000 / times;
}
/** Median microseconds of two functions, measured in turns. */
async function alternate(
  a: () => Promise<unknown>,
  b: () => Promise<unknown>,
  times: number,
  rounds = 25,
): Promise<[number, number]> {
  const as: number[] = [],
    bs: number[] = [];
  await timed(a, times);
  await timed(b, times);
  for (let i = 0; i < rounds; i++) {
    as.push(await timed(a, times));
    bs.push(await timed(b, times));
  }
  return [median(as), median(bs)];
}
const continuationOf = (o: Outcome): Continuation => {
  if (o.kind !== 'captured') throw new Error(o.kind);
  return o.continuation;
};

const rows: Row[] = [];
const items = Array.from({ length: 200 }, (_, i) => ({
  cells: Array.from({ length: 8 }, (_, j) => `cell <${i},${j}>`),
}));
const [pageNative, pageCompiled] = await alternate(
  () => native['page']!(items),
  () => compiled['page']!(items),
  50,
);
rows.push({ what: 'page-building code / native', measured: pageCompiled / pageNative, limit: 1.05, unit: 'x' });
const [fibNative, fibCompiled] = await alternate(
  () => native['fib']!(18),
  () => compiled['fib']!(18),
  20,
);
rows.push({ what: 'fib(18) / native', measured: fibCompiled / fibNative, limit: 1.5, unit: 'x' });

for (const depth of [1, 10, 100, 1000]) {
  const times = Math.max(20, 4000 / depth);
  const [plain, capturing] = await alternate(
    () => prompt(() => compiled['deep']!(depth, false)),
    () => prompt(() => compiled['deep']!(depth, true)),
    times,
  );
  rows.push({ what: `capture, ${depth} frames`, measured: capturing - plain, limit: 3 + 0.5 * depth, unit: 'us' });
  const k = continuationOf(await prompt(() => compiled['deep']!(depth, true)));
  const [resuming] = await alternate(
    () => resume(k, 0),
    async () => {},
    times,
  );
  rows.push({ what: `resume, ${depth} frames`, measured: resuming, limit: 1 + 0.2 * depth, unit: 'us' });
}

if (globalThis.gc) {
  const kept: Continuation[] = [],
    count = 10_000;
  const sessions = async (): Promise<void> => {
    for (let i = 0; i < count; i++)
      kept.push(continuationOf(await resume(continuationOf(await prompt(compiled['sum2']!)), i)));
  };
  await sessions();
  kept.length = 0;
  const settle = async (): Promise<number> => {
    for (let i = 0; i < 4; i++) {
      globalThis.gc!();
      await new Promise((r) => setImmediate(r));
    }
    return process.memoryUsage().heapUsed;
  };
  const before = await settle();
  await sessions();
  rows.push({
    what: 'live sum2 continuation',
    measured: ((await settle()) - before) / count,
    limit: 600,
    unit: 'bytes',
  });
}

// A process each: what is measured is a thread's first servlet.
const servlet = join(directory, 'servlet.ts');
writeFileSync(
  servlet,
  Array.from(
    { length: 100 },
    (_, i) => `
export interface Answer${i} { name: string; age: number }
async function step${i}(previous: Answer${i} | null, ask: (label: string) => Promise<string>): Promise<Answer${i}> {
  const name = await ask(\`Name (\${previous?.name ?? 'none'}):\`);
  let age = 0;
  while (!(age > 0)) {
    const text: string = await ask('Age of ' + name + ':');
    age = Number.parseInt(text, 10);
    if (Number.isNaN(age)) await ask('That is no number: ' + text);
  }
  for (const relative of ['mother', 'father'] as const) {
    try {
      const reply = await ask(\`Age of your \${relative}:\`);
      if (Number(reply) < age) throw new Error('impossible');
    } catch (error) { await ask((error as Error).message); }
  }
  return { name, age };
}`,
  ).join('\n'),
);
const loader = `import { performance as p } from 'node:perf_hooks'; import { readFileSync } from 'node:fs';
const { compileFile } = await import(${JSON.stringify(new URL('../packages/worker/src/continuation/load-hook.ts', import.meta.url).href)});
const text = readFileSync(process.argv[1], 'utf8'), t = p.now(); compileFile(process.argv[1], text, process.argv[2]); console.log(p.now() - t);`;
const load = (cache: string, env: NodeJS.ProcessEnv = process.env): number =>
  Number(
    spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', loader, servlet, cache],
      { encoding: 'utf8', env },
    ).stdout,
  );
// The compiler itself may come from Node's compile cache, as it does in a cell.
const prepared = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'node-cache') };
load(join(directory, 'prepare'), prepared);
const cold: number[] = [],
  coldPrepared: number[] = [],
  warm: number[] = [];
for (let i = 0; i < 7; i++) {
  const cache = join(directory, `cache-${i}`);
  cold.push(load(cache));
  warm.push(load(cache));
  coldPrepared.push(load(`${cache}-prepared`, prepared));
}
rows.push(
  { what: '2,000-line servlet, cold', measured: median(cold), limit: 300, unit: 'ms' },
  { what: '... with NODE_COMPILE_CACHE', measured: median(coldPrepared), limit: 300, unit: 'ms' },
  { what: '2,000-line servlet, cached', measured: median(warm), limit: 60, unit: 'ms' },
);

for (const r of rows)
  console.log(
    `${r.measured <= r.limit ? 'ok  ' : 'OVER'} ${r.what.padEnd(32)} ${r.measured.toFixed(2).padStart(9)} ${r.unit.padEnd(6)} limit ${r.limit.toFixed(2)}`,
  );
const result = JSON.stringify({ node: process.version, rows }, null, 1),
  out = process.argv.indexOf('--json');
if (out > 0) writeFileSync(process.argv[out + 1]!, result);
else console.log(result);
rmSync(directory, { recursive: true });
