import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { type Spread, spreadOf } from '../support/rounds.ts';
import { startServer } from '../support/server.ts';
import type { HostState } from '../servers/custodian.ts';
import { type Kind, MB, RACKET_KINDS, type Scope } from './kinds.ts';
import { hasRacket, racketCharge } from './racket.ts';

const ALLOCATE = fileURLToPath(new URL('../servlets/allocate.ts', import.meta.url));
const HOLD_MS = 400;
const ERROR_MAX_PERCENT = 10;
/** About what an idle thread has. */
const IDLE_MB = 10;

export interface Charge {
  kind: Kind;
  capMb: number;
  errorPercent: Spread;
  racketPercent: Spread | null;
}

/** Half of what a cap leaves beside an idle thread. */
const heldMb = (capMb: number): number => (capMb - IDLE_MB) / 2;

/**
 * What the ledger says of a request that holds so much, less what the same thread has when it holds nothing. What it
 * holds is known; what garbage it has beside that is not. So the servlet lets go of all garbage first, which takes V8's
 * `gc`, which guests have not: it is trusted.
 */
export async function measureCharges(rounds: number, { kinds, capsMb }: Scope): Promise<Charge[]> {
  const charges: Charge[] = [];
  for (const kind of kinds) {
    for (const capMb of capsMb) {
      const errors: number[] = [];
      const racket: number[] = [];
      for (let round = 0; round < rounds; round++) {
        errors.push(errorOf(await chargedBytes(kind, capMb), heldMb(capMb)));
        if (hasRacket && RACKET_KINDS.includes(kind))
          racket.push(errorOf(racketCharge(kind, heldMb(capMb)), heldMb(capMb)));
      }
      const racketPercent = racket.length > 0 ? spreadOf(racket) : null;
      charges.push({ kind, capMb, errorPercent: spreadOf(errors), racketPercent });
    }
  }
  return charges;
}

const errorOf = (bytes: number, mb: number): number => (bytes / (mb * MB) - 1) * 100;

async function chargedBytes(kind: Kind, capMb: number): Promise<number> {
  // A fresh thread each time: what an earlier request left behind is not this one's.
  const server = await startServer('custodian.ts', {
    servlets: [{ file: ALLOCATE, limits: { heapMb: capMb }, profile: 'trusted', spareThreads: 0 }],
  });
  try {
    // The first one leaves no garbage of the thread's start, which the second would be charged with and the third not.
    for (const mb of [0, 0, heldMb(capMb)]) {
      const path = `/allocate?of=${kind}&mb=${mb}&ms=${HOLD_MS}`;
      const { status } = await get(`${server.url}${path}`);
      if (status !== 200) throw new Error(`Cannot measure: ${path} answered ${status}`);
    }
    const { recent } = await server.ask<HostState>('state');
    const [, idle, full] = recent;
    return (full?.peakBytes ?? 0) - (idle?.peakBytes ?? 0);
  } finally {
    await server.stop();
  }
}

export function chargesTable(charges: readonly Charge[]): Table {
  return {
    title: `Charged for a request that holds half of what its cap leaves, for ${HOLD_MS} ms, against what it holds`,
    columns: ['', 'cap MB', 'holds MB', 'error %', `at most ${ERROR_MAX_PERCENT} %`, "Racket's error %"],
    rows: charges.map(({ kind, capMb, errorPercent, racketPercent }) => [
      kind,
      capMb,
      heldMb(capMb),
      errorPercent,
      Math.abs(errorPercent.median) <= ERROR_MAX_PERCENT ? 'within' : 'OVER',
      racketPercent,
    ]),
  };
}
