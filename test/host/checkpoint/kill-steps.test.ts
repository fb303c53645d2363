import { describe, expect, test } from 'vitest';
import { redisMissing } from '../../support/database-server.ts';
import { KilledVisits, type Persistence, type Victim } from '../../support/killed-visits.ts';
import { Random } from '../../support/random.ts';

const missing = redisMissing();
if (missing !== null) console.warn(`test/host/checkpoint: kills are skipped: ${missing}`);

const random = new Random(4);

describe.skipIf(missing !== null).each<Persistence>(['checkpoint', 'stateless'])(
  'a visit that is %s',
  (persistence) => {
    test('loses nothing that was shown when host, cell or store is killed at a step between them, and nobody waits for ever', async () => {
      await using visits = await KilledVisits.start(persistence);
      // Some come together now and then: not all that there were need be there again.
      const pieces = Math.floor((await visits.countPieces()) * 0.7);
      expect(pieces).toBeGreaterThan(6);
      for (const victim of ['cell', 'host', 'store'] as Victim[])
        expect(await visits.killAtPiece(victim, 1 + random.number(pieces))).toBe(true);
    }, 60_000);
  },
);
