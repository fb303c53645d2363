import { describe, expect, test } from 'vitest';
import { postgresMissing, redisMissing } from '../support/database-server.ts';
import { type Database, KilledVisits, type Persistence, type Victim } from '../support/killed-visits.ts';
import { Random } from '../support/random.ts';

const MISSING: Record<Database, string | null> = { redis: redisMissing(), postgres: postgresMissing() };
for (const [database, missing] of Object.entries(MISSING))
  if (missing !== null) console.warn(`test/slow/kill-steps: ${database} is skipped: ${missing}`);

const VICTIMS: Victim[] = ['cell', 'host', 'store'];
const AT_RANDOM = 20;

describe.each<{ persistence: Persistence; unit: 'connection' | 'instance'; database: Database }>([
  { persistence: 'checkpoint', unit: 'connection', database: 'redis' },
  { persistence: 'checkpoint', unit: 'instance', database: 'redis' },
  { persistence: 'stateless', unit: 'connection', database: 'redis' },
  { persistence: 'checkpoint', unit: 'connection', database: 'postgres' },
  { persistence: 'stateless', unit: 'connection', database: 'postgres' },
])('a visit that is $persistence with unit $unit, kept in $database', ({ persistence, unit, database }) => {
  test.skipIf(MISSING[database] !== null).each(VICTIMS)(
    'loses nothing that was shown when its %s is killed at any step',
    async (victim) => {
      await using visits = await KilledVisits.start(persistence, { unit, database });
      let steps = 0;
      while (await visits.killAtPiece(victim, steps + 1)) steps++;
      expect(steps).toBeGreaterThan(6);
    },
  );

  test.skipIf(MISSING[database] !== null).each(VICTIMS)('nor when its %s is killed at any moment', async (victim) => {
    await using visits = await KilledVisits.start(persistence, { unit, database });
    const random = new Random(2026);
    const visitMs = Math.ceil(await visits.undisturbedMs());
    let killed = 0;
    for (let i = 0; i < AT_RANDOM; i++) if (await visits.killAfter(victim, random.number(visitMs))) killed++;
    expect(killed).toBeGreaterThan(AT_RANDOM / 4);
  });
});
