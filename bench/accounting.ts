// Does the ledger charge what was really allocated, to whom it must, how far over its cap does a thread get, and what does it cost to know? Estimate: within 5 % for heap, strings, buffers and wasm, 10 % for shared memory; killed within 20 MB and 10 % of the cap; 2 % misattributed; 2 % of throughput. The same programs run under Racket's custodian-limit-memory, where Racket is installed. See Wick and Flatt, "Memory Accounting without Partitions", ISMM 2004. `--only cost,20,heap` asks one part, of one cap and kind.
import { type Charge, chargesTable, measureCharges } from './accounting/charges.ts';
import { cost } from './accounting/cost.ts';
import { type Part, scopeOf } from './accounting/kinds.ts';
import { misattribution } from './accounting/misattribution.ts';
import { measureOvershoots, type Overshoot, overshootsTable } from './accounting/overshoots.ts';
import { hasRacket } from './accounting/racket.ts';
import { type BarChart, svgOf } from './support/bar-chart.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';

const SERIES = [
  { name: 'Custodian', colour: '#2b6cb0' },
  { name: "Racket's custodians", colour: '#b7791f' },
];

export async function accounting({ rounds: asked, only }: BenchOptions): Promise<Answer> {
  const rounds = Math.min(asked, 3);
  const scope = scopeOf(only);
  const has = (part: Part): boolean => scope.parts.includes(part);
  if (!hasRacket) console.warn('Racket is not installed: its columns are left out');
  const charges = has('charges') ? await measureCharges(rounds, scope) : [];
  const overshoots = has('overshoots') ? await measureOvershoots(rounds, scope) : [];
  const tables: Table[] = [];
  if (has('charges')) tables.push(chargesTable(charges));
  if (has('overshoots')) tables.push(overshootsTable(overshoots));
  if (has('misattribution')) tables.push(await misattribution(rounds, scope));
  if (has('cost')) tables.push(await cost(rounds, scope));
  return {
    question:
      'is everyone charged what they took, how far over a cap does a thread get, and what does it cost to know?',
    estimate:
      'within 5 % for heap, strings, buffers and wasm, 10 % for shared memory; killed within 20 MB + 10 %; 2 % misattributed; 2 % of throughput',
    tables,
    svg: svgOf([errorChart(charges), overshootChart(overshoots), timeChart(overshoots)]),
  };
}

const errorChart = (charges: readonly Charge[]): BarChart => ({
  title: 'True against charged: error',
  unit: '%',
  series: SERIES,
  groups: charges.map(({ kind, capMb, errorPercent, racketPercent }) => ({
    label: `${kind}, ${capMb} MB`,
    values: [errorPercent.median, racketPercent?.median ?? null],
    limit: 10,
  })),
});

const overshootChart = (overshoots: readonly Overshoot[]): BarChart => ({
  title: 'Over the cap when it was dead',
  unit: 'MB',
  series: SERIES,
  groups: overshoots.map(({ kind, capMb, overMb, racketOverMb }) => ({
    label: `${kind}, ${capMb} MB`,
    values: [Math.max(0, overMb.median), racketOverMb === null ? null : Math.max(0, racketOverMb.median)],
    limit: 20 + capMb / 10,
  })),
});

const timeChart = (overshoots: readonly Overshoot[]): BarChart => ({
  title: 'From the cap to the end',
  unit: 'ms',
  series: SERIES,
  groups: overshoots.map(({ kind, capMb, killMs, racketKillMs }) => ({
    label: `${kind}, ${capMb} MB`,
    values: [killMs.median, racketKillMs?.median ?? null],
  })),
});

await main(import.meta, 'accounting', accounting);
