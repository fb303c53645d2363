import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from '../support/client.ts';
import type { Table } from '../support/report.ts';
import { pause, type Spread, spreadOf } from '../support/rounds.ts';
import { type Server, startServer } from '../support/server.ts';
import type { HostState } from '../servers/custodian.ts';
import { type Kind, MB, RACKET_KINDS, type Scope } from './kinds.ts';
import { hasRacket, racketKill } from './racket.ts';

const ALLOCATE = fileURLToPath(new URL('../servlets/allocate.ts', import.meta.url));
const GROW = fileURLToPath(new URL('../servlets/grow.ts', import.meta.url));
const IDLE_MS = 400;

/** How far over its cap a thread may get that grows as fast as it can. */
const allowedMb = (capMb: number): number => 20 + capMb / 10;

export interface Overshoot {
  kind: Kind;
  capMb: number;
  overMb: Spread;
  killMs: Spread;
  causes: string;
  racketOverMb: Spread | null;
  racketKillMs: Spread | null;
}

interface Kill {
  overMb: number;
  killMs: number;
  cause: string;
}

/** A servlet grows as fast as it can, and writes down how far it got. */
export async function measureOvershoots(rounds: number, { kinds, capsMb }: Scope): Promise<Overshoot[]> {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-bench-'));
  const overshoots: Overshoot[] = [];
  try {
    for (const capMb of capsMb) {
      const server = await startServer('custodian.ts', {
        servlets: [
          { file: GROW, limits: { heapMb: capMb }, profile: 'trusted' },
          { file: ALLOCATE, profile: 'trusted' },
        ],
      });
      try {
        const idleMb = await idleMbOf(server);
        for (const kind of kinds) {
          const kills: Kill[] = [];
          const racket: Omit<Kill, 'cause'>[] = [];
          for (let round = 0; round < rounds; round++) {
            kills.push(await kill(server, kind, capMb, idleMb, join(directory, `${capMb}-${kind}-${round}`)));
            if (hasRacket && RACKET_KINDS.includes(kind)) racket.push(racketKill(kind, capMb));
            // A servlet that is killed at once, time after time, is benched for a moment.
            await pause(300);
          }
          overshoots.push({
            kind,
            capMb,
            overMb: spreadOf(kills.map(({ overMb }) => overMb)),
            killMs: spreadOf(kills.map(({ killMs }) => killMs)),
            causes: [...new Set(kills.map(({ cause }) => cause))].join(', '),
            racketOverMb: racket.length > 0 ? spreadOf(racket.map(({ overMb }) => overMb)) : null,
            racketKillMs: racket.length > 0 ? spreadOf(racket.map(({ killMs }) => killMs)) : null,
          });
        }
      } finally {
        await server.stop();
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return overshoots;
}

/** What a thread has before it takes anything counts too. */
async function idleMbOf(server: Server): Promise<number> {
  await get(`${server.url}/allocate?of=heap&mb=0&ms=${IDLE_MS}`);
  const idleMb = ((await server.ask<HostState>('state')).recent[0]?.peakBytes ?? 0) / MB;
  if (idleMb === 0) throw new Error('Cannot measure: nothing was charged for an idle thread');
  return idleMb;
}

async function kill(server: Server, kind: Kind, capMb: number, idleMb: number, file: string): Promise<Kill> {
  const from = Math.ceil((capMb - idleMb) * 2) / 2;
  for (;;) {
    writeFileSync(file, '');
    const before = (await server.ask<HostState>('state')).obituaries.length;
    const { status, body } = await get(`${server.url}/grow?of=${kind}&file=${file}&from=${from}`);
    const answeredAt = process.hrtime.bigint();
    const { obituaries } = await server.ask<HostState>('state');
    const obituary = obituaries[before];
    if (obituary === undefined) {
      if (status !== 503) throw new Error(`Cannot measure: /grow answered ${status}: ${body}`);
      await pause(500);
      continue;
    }
    const [bytes, overAt] = readFileSync(file, 'latin1').trim().split(' ');
    return {
      overMb: idleMb + Number(bytes) / MB - capMb,
      killMs: overAt === undefined ? 0 : Number(answeredAt - BigInt(overAt)) / 1e6,
      cause: obituary.cause,
    };
  }
}

export function overshootsTable(overshoots: readonly Overshoot[]): Table {
  return {
    title: 'How far over its cap a thread gets that grows as fast as it can, and how long it lives there',
    columns: ['', 'cap MB', 'over MB', 'allowed', '', 'ms to the page', 'causes', "Racket's MB over", "Racket's ms"],
    rows: overshoots.map(({ kind, capMb, overMb, killMs, causes, racketOverMb, racketKillMs }) => [
      kind,
      capMb,
      overMb,
      allowedMb(capMb),
      overMb.median <= allowedMb(capMb) ? 'within' : 'OVER',
      killMs,
      causes,
      racketOverMb,
      racketKillMs,
    ]),
  };
}
