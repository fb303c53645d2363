// Runs the multi-shot property across processes over many random programs: npm run test:saved -- [count] [seed]
import fc from 'fast-check';
import { randomProgram } from './support/random-program.ts';
import { compareAcross } from './support/saved-multi-shot.ts';
import { ResumeProcess } from './support/saved-program.ts';

const count = Number(process.argv[2] ?? 2000),
  seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff),
  // Each program's modules stay in the processes that ran it.
  programsPerProcess = 200;
process.on('unhandledRejection', () => {
  // Of the native runs, which nobody waits for once they have asked.
});
console.log(`${count} programs, seed ${seed}`);
let processes: ResumeProcess[] = [],
  programs = 0;
const result = await fc.check(
  fc.asyncProperty(
    fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 400, size: 'max' }),
    fc.array(fc.nat(0xffff), { minLength: 16, maxLength: 40 }),
    async (tape, picks) => {
      if (programs++ % programsPerProcess === 0) {
        for (const each of processes) each[Symbol.dispose]();
        processes = [new ResumeProcess(), new ResumeProcess()];
      }
      const source = randomProgram(tape, { isHeap: true }),
        wrong = await compareAcross(source, picks, processes);
      if (wrong) throw new Error(`${wrong}\n${source}`);
    },
  ),
  { numRuns: count, seed },
);
for (const each of processes) each[Symbol.dispose]();
console.log(`${programs} programs run`);
if (result.failed) {
  console.log(
    `WRONG with seed ${result.seed}, path ${result.counterexamplePath}\n${String((result.errorInstance as Error | null)?.message)}`,
  );
  process.exitCode = 1;
} else console.log('0 wrong');
