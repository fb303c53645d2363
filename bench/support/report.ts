import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadTool } from './load.ts';
import type { Spread } from './rounds.ts';

export interface Table {
  title: string;
  columns: readonly string[];
  rows: (string | number | Spread | null)[][];
}

/** What one question came to. */
export interface Answer {
  question: string;
  /** Made before the first measurement. */
  estimate: string;
  tables: Table[];
  /** A drawing of them, which is written beside the samples. */
  svg?: string;
}

/** Arguments that every question takes. */
export interface BenchOptions {
  /** Cores for the server: 1 (the load generator has the other), 2 (all share all), or both in turn. */
  cores: (1 | 2)[];
  rounds: number;
  seconds: number;
  kills: number;
  /** Parts and rows of the question to be asked alone, where it has some; none: all. */
  only: string[];
}

export function benchOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      cores: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      kills: { type: 'string', default: '400' },
      only: { type: 'string', default: '' },
    },
  });
  const cores = values.cores === undefined ? [2, 1] : [Number(values.cores)];
  if (cores.some((count) => count !== 1 && count !== 2)) {
    throw new RangeError(`Cannot use --cores ${values.cores}: it is 1 or 2`);
  }
  return {
    cores: cores as (1 | 2)[],
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    kills: Number(values.kills),
    only: values.only.split(',').filter((word) => word !== ''),
  };
}

export type Question = (options: BenchOptions) => Promise<Answer>;

/** Runs a question when its file is the program. */
export async function main(meta: ImportMeta, name: string, question: Question): Promise<void> {
  if (process.argv[1] === fileURLToPath(meta.url)) await report(name, question, benchOptions(process.argv.slice(2)));
}

/** Asks, prints the tables, and writes all samples of a whole question to bench/results/. */
export async function report(name: string, question: Question, options: BenchOptions): Promise<void> {
  const machine = {
    node: process.versions.node,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memoryMb: Math.round(totalmem() / (1 << 20)),
    loadTool,
    // Others on the machine widen the spread: ratios of one round suffer least.
    loadBefore: loadavg()[0],
  };
  const startedAt = new Date();
  const answer = await question(options);
  console.log(`\n## ${name}: ${answer.question}`);
  console.log(`Estimate: ${answer.estimate}`);
  console.log(
    `Node ${machine.node}, ${machine.cores} cores, ${machine.loadTool}, ${options.rounds} rounds of ${options.seconds} s, load before ${machine.loadBefore?.toFixed(1)}; median (min–max)`,
  );
  for (const table of answer.tables) printTable(table);
  // What was asked in part does not take the place of the whole.
  if (options.only.length > 0) return;
  const directory = new URL('../results/', import.meta.url);
  mkdirSync(directory, { recursive: true });
  const { svg, ...figures } = answer;
  if (svg !== undefined) writeFileSync(new URL(`${name}.svg`, directory), svg);
  const results = { name, startedAt, seconds: (Date.now() - startedAt.getTime()) / 1000, machine, options, ...figures };
  writeFileSync(new URL(`${name}.json`, directory), `${JSON.stringify(results, null, 2)}\n`);
}

function printTable({ title, columns, rows }: Table): void {
  const cells = [columns, ...rows.map((row) => row.map(shown))];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => (row[at] ?? '').length)));
  console.log(`\n${title}`);
  for (const [index, row] of cells.entries()) {
    console.log(
      `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number))).join(' | ')} |`,
    );
    if (index === 0) console.log(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  }
}

function shown(cell: string | number | Spread | null): string {
  if (cell === null) return '';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return figure(cell);
  return `${figure(cell.median)} (${figure(cell.min)}–${figure(cell.max)})`;
}

/** Three figures are what a measurement here is worth. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const size = Math.abs(value);
  if (size >= 1000) return value.toFixed(0);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
