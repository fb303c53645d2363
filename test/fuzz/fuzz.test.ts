import { describe, expect, test } from 'vitest';
import { Node } from '../../packages/worker/src/continuation/serialize/tags.ts';
import { GraphFuzz } from './graph-fuzz.ts';
import { Random } from '../support/random.ts';
import { TokenFuzz } from './token-fuzz.ts';

/** Another one each day; a failure names it. */
const SEED = Math.floor(Date.now() / 86_400_000);

describe('fuzz, a little of what npm run test:fuzz does for a night', () => {
  test(`decode() of changed pages refuses or reads them, changes nothing else and runs nothing (seed ${SEED})`, async () => {
    const fuzz = await GraphFuzz.create(),
      random = new Random(SEED);
    for (let count = 60_000; count > 0; count--) fuzz.one(random);
    fuzz.check();
    // What loops and declarations are in the middle of, of each kind.
    for (const kind of [0, 1, 2, 3, 4, 5])
      expect(
        fuzz.corpus.some((page) => page.includes(Buffer.from([Node.Cursor, kind]))),
        `cursors of kind ${kind}`,
      ).toBe(true);
    expect(fuzz.seen.refused).toBeGreaterThan(20_000);
    expect(fuzz.seen.read).toBeGreaterThan(2000);
  });

  test(`changed addresses lead to their page, to a fresh start, or to the one refusal (seed ${SEED})`, async () => {
    const fuzz = await TokenFuzz.create(),
      random = new Random(SEED);
    for (let count = 6000; count > 0; count--) await fuzz.one(random);
    expect(Math.min(fuzz.seen.refused, fuzz.seen.none, fuzz.seen.real)).toBeGreaterThan(100);
  });
});
