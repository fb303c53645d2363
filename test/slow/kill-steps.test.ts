import { describe, expect, test } from 'vitest';
import { redisMissing } from '../support/database-server.ts';
import { KilledVisits, type Persistence, type Victim } from '../support/killed-visits.ts';
import { Random } from '../support/random.ts';

const missing = redisMissing();
if (missing !== null) console.warn(`test/slow/kill-steps: is skipped: ${missing}`);

const VICTIMS: Victim[] = ['cell', 'host', 'store'];
const AT_RANDOM = 20;
const VISIT_MS = 400;

describe.skipIf(missing !== null).each<{ persistence: Persistence; unit: 'connection' | 'instance' }>([
  { persistence: 'checkpoint', unit: 'connection' },
  { persistence: 'checkpoint', unit: 'instance' },
  { persistence: 'stateless', unit: 'connection' },
])('a visit that is $persistence with unit $unit', ({ persistence, unit }) => {
  test.each(VICTIMS)('loses nothing that was shown when its %s is killed at any step', async (victim) => {
    await using visits = await KilledVisits.start(persistence, unit);
    let steps = 0;
    while (await visits.killAtPiece(victim, steps + 1)) steps++;
    expect(steps).toBeGreaterThan(6);
  });

  test.each(VICTIMS)('nor when its %s is killed at any moment', async (victim) => {
    await using visits = await KilledVisits.start(persistence, unit);
    const random = new Random(2026);
    let killed = 0;
    for (let i = 0; i < AT_RANDOM; i++) if (await visits.killAfter(victim, random.number(VISIT_MS))) killed++;
    expect(killed).toBeGreaterThan(AT_RANDOM / 4);
  });
});
