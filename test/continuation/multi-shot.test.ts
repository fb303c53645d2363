import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare } from './support/multi-shot.ts';
import { randomProgram } from './support/random-program.ts';

test('resuming any continuation any number of times gives what a fresh native run with the same answers gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 300, size: 'max' }),
      fc.array(fc.nat(0xffff), { minLength: 10, maxLength: 24 }),
      async (tape, choices) => {
        const source = randomProgram(tape);
        expect(await compare(source, choices), source).toBe(null);
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);
