import { describe, expect, test } from 'vitest';
import { postgresMissing, redisMissing } from '../../support/database-server.ts';
import { type Database, KilledVisits, type Persistence, type Victim } from '../../support/killed-visits.ts';
import { Random } from '../../support/random.ts';

const MISSING: Record<Database, string | null> = { redis: redisMissing(), postgres: postgresMissing() };
for (const [database, missing] of Object.entries(MISSING))
  if (missing !== null) console.warn(`test/host/checkpoint: kills of ${database} are skipped: ${missing}`);

const random = new Random(4);

describe.each<{ persistence: Persistence; database: Database; victims: Victim[] }>([
  { persistence: 'checkpoint', database: 'redis', victims: ['cell', 'host', 'store'] },
  { persistence: 'stateless', database: 'redis', victims: ['cell', 'host', 'store'] },
  { persistence: 'checkpoint', database: 'postgres', victims: ['store', 'host'] },
])('a visit that is $persistence, and is kept in $database,', ({ persistence, database, victims }) => {
  test.skipIf(MISSING[database] !== null)(
    'loses nothing that was shown when host, cell or store is killed at a step between them, and nobody waits for ever',
    async () => {
      await using visits = await KilledVisits.start(persistence, { database });
      // Some come together now and then: not all that there were need be there again.
      const pieces = Math.floor((await visits.countPieces()) * 0.7);
      expect(pieces).toBeGreaterThan(6);
      for (const victim of victims) expect(await visits.killAtPiece(victim, 1 + random.number(pieces))).toBe(true);
    },
    60_000,
  );
});
