import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { spreadOf } from '../support/rounds.ts';
import { startServer } from '../support/server.ts';
import type { HostState } from '../servers/custodian.ts';
import { type Kind, RACKET_KINDS, type Scope } from './kinds.ts';
import { hasRacket, racketTwo } from './racket.ts';

const ALLOCATE = fileURLToPath(new URL('../servlets/allocate.ts', import.meta.url));
/** Two instances of one process take this much side by side. */
export const TAKEN_MB = [20, 120] as const;
const OVER_MS = 600;
const HOLD_MS = 600;
const MISATTRIBUTED_MAX_PERCENT = 5;

/**
 * Two threads of one cell allocate at the same time. Misattributed is what one was charged that the other had taken:
 * the largest deviation of the two, in percent of what both have.
 */
export async function misattribution(rounds: number, { kinds }: Scope): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const kind of kinds) {
    const ours: number[] = [];
    const racket: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(shareOf(await chargedBytes(kind)));
      if (hasRacket && RACKET_KINDS.includes(kind)) racket.push(shareOf(racketTwo(kind, TAKEN_MB)));
    }
    const spread = spreadOf(ours);
    rows.push([
      kind,
      spread,
      spread.median <= MISATTRIBUTED_MAX_PERCENT ? 'within' : 'OVER',
      racket.length > 0 ? spreadOf(racket) : null,
    ]);
  }
  return {
    title: `Misattributed between two instances of one process that take ${TAKEN_MB.join(' and ')} MB at the same time, in percent of both`,
    columns: ['', '%', `at most ${MISATTRIBUTED_MAX_PERCENT} %`, 'Racket, %'],
    rows,
  };
}

/** What is charged to the wrong one is missing with the other; an error that both share is no misattribution. */
function shareOf([small, large]: readonly [number, number]): number {
  const [smallMb, largeMb] = TAKEN_MB;
  const total = small + large;
  return (Math.abs(small / total - smallMb / (smallMb + largeMb)) * 100 * (smallMb + largeMb)) / largeMb;
}

async function chargedBytes(kind: Kind): Promise<[small: number, large: number]> {
  const server = await startServer('custodian.ts', {
    servlets: [
      // As in charges.ts: no garbage beside what is held.
      {
        file: ALLOCATE,
        limits: { heapMb: 400 },
        profile: 'trusted',
        unit: 'instance',
        cell: 'servlet',
        spareThreads: 1,
      },
    ],
  });
  try {
    await get(`${server.url}/allocate?of=${kind}&mb=0&ms=${HOLD_MS}`);
    await Promise.all(
      TAKEN_MB.map((mb) => get(`${server.url}/allocate?of=${kind}&mb=${mb}&over=${OVER_MS}&ms=${HOLD_MS}`)),
    );
    const { recent } = await server.ask<HostState>('state');
    const peakOf = (mb: number): number => recent.find(({ url }) => url.includes(`mb=${mb}&`))?.peakBytes ?? NaN;
    return [peakOf(TAKEN_MB[0]) - peakOf(0), peakOf(TAKEN_MB[1]) - peakOf(0)];
  } finally {
    await server.stop();
  }
}
