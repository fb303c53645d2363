import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomProgram } from '../support/random-program.ts';
import { compareAcross } from '../support/saved-multi-shot.ts';
import { ResumeProcess } from '../support/saved-program.ts';

let processes: ResumeProcess[] = [];
beforeAll(() => {
  processes = [new ResumeProcess(), new ResumeProcess()];
});
afterAll(() => {
  for (const each of processes) each[Symbol.dispose]();
});

test('decode() in another process, of any page any number of times, gives what a fresh native run with the same answers gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 300, size: 'max' }),
      fc.array(fc.nat(0xffff), { minLength: 10, maxLength: 24 }),
      async (tape, choices) => {
        const source = randomProgram(tape, { isHeap: true });
        expect(await compareAcross(source, choices, processes), source).toBe(null);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
