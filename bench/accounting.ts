// Does the ledger charge what was really allocated, and how far over its cap does a thread get? Estimate: within 5 % for heap, buffers, strings and wasm; the kill comes at 20 % over a cap of 50 MB and 10 % over one of 200 MB.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from './support/client.ts';
import { pause, spreadOf } from './support/rounds.ts';
import { type Answer, type BenchOptions, main, type Table } from './support/report.ts';
import { startServer } from './support/server.ts';
import type { HostState } from './servers/custodian.ts';

const ALLOCATE = fileURLToPath(new URL('servlets/allocate.ts', import.meta.url));
const GROW = fileURLToPath(new URL('servlets/grow.ts', import.meta.url));
const KINDS = ['heap', 'buffers', 'strings', 'wasm'] as const;
const SIZES_MB = [10, 40, 150];
const CAPS_MB = [50, 200];
const HOLD_MS = 400;
const MB = 1 << 20;

export async function accounting(options: BenchOptions): Promise<Answer> {
  return {
    question: 'does the ledger charge what was really allocated, and how far over its cap does a thread get?',
    estimate: 'within 5 % for every kind; killed at 20 % over a cap of 50 MB, 10 % over one of 200 MB',
    tables: [await charges(options), await overshoots(options)],
  };
}

/** What the ledger says of a request that holds a known amount, less what an idle thread has. */
async function charges({ rounds }: BenchOptions): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const kind of KINDS) {
    for (const mb of SIZES_MB) {
      const errors: number[] = [];
      const seen: number[] = [];
      for (let round = 0; round < Math.min(rounds, 3); round++) {
        // A fresh thread each time: what an earlier request left behind is not this one's.
        const server = await startServer('custodian.ts', {
          servlets: [{ file: ALLOCATE, limits: { heapMb: 400 }, spareThreads: 0 }],
        });
        try {
          await get(`${server.url}/allocate?of=${kind}&mb=0&ms=${HOLD_MS}`);
          await get(`${server.url}/allocate?of=${kind}&mb=${mb}&ms=${HOLD_MS}`);
          const { recent } = await server.ask<HostState>('state');
          const [idle, full] = recent;
          const chargedBytes = (full?.peakBytes ?? 0) - (idle?.peakBytes ?? 0);
          seen.push(chargedBytes / MB);
          errors.push((chargedBytes / (mb * MB) - 1) * 100);
        } finally {
          await server.stop();
        }
      }
      rows.push([`${kind}, ${mb} MB`, spreadOf(seen), spreadOf(errors)]);
    }
  }
  return {
    title: `Charged for a request that holds a known amount for ${HOLD_MS} ms`,
    columns: ['', 'charged MB', 'error %'],
    rows,
  };
}

/** A servlet that grows as fast as it can, and writes down how far it got. */
async function overshoots({ rounds }: BenchOptions): Promise<Table> {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-bench-'));
  const rows: Table['rows'] = [];
  try {
    for (const cap of CAPS_MB) {
      const server = await startServer('custodian.ts', {
        servlets: [
          { file: GROW, limits: { heapMb: cap }, profile: 'trusted' },
          { file: ALLOCATE, profile: 'trusted' },
        ],
      });
      try {
        // What a thread has before it takes anything counts too.
        await get(`${server.url}/allocate?of=heap&mb=0&ms=${HOLD_MS}`);
        const idleMb = ((await server.ask<HostState>('state')).recent[0]?.peakBytes ?? 0) / MB;
        if (idleMb === 0) throw new Error('Cannot measure: nothing was charged for an idle thread');
        for (const kind of KINDS) {
          const held: number[] = [];
          const over: number[] = [];
          const error: number[] = [];
          const causes = new Set<string>();
          for (let round = 0; round < rounds; round++) {
            const file = join(directory, `${cap}-${kind}-${round}`);
            writeFileSync(file, '');
            const { status, body } = await get(`${server.url}/grow?of=${kind}&file=${file}`);
            const taken = Number(readFileSync(file, 'latin1'));
            const { obituaries } = await server.ask<HostState>('state');
            const obituary = obituaries.at(-1);
            if (taken === 0 || obituary === undefined) {
              causes.add(`not run: ${status} ${/<code>(.*?)</.exec(body)?.[1] ?? ''}`);
              await pause(1000);
              continue;
            }
            causes.add(obituary.cause);
            const mb = idleMb + taken / MB;
            // The breach itself is in the detail; the peaks are what samples saw.
            const seenMb =
              Number.parseFloat(obituary.detail) || (obituary.peakHeapBytes + obituary.peakOffHeapBytes) / MB;
            held.push(mb);
            over.push((mb / cap - 1) * 100);
            error.push((seenMb / mb - 1) * 100);
            await pause(300);
          }
          rows.push([
            `${kind}, cap ${cap} MB`,
            spreadOf(held),
            spreadOf(over),
            spreadOf(error),
            [...causes].join(', '),
          ]);
        }
      } finally {
        await server.stop();
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return {
    title: 'Held by a thread that grows as fast as it can, when it was dead',
    columns: ['', 'held MB', 'over the cap %', 'obituary against held %', 'causes'],
    rows,
  };
}

await main(import.meta, 'accounting', accounting);
