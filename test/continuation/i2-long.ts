// Runs the multi-shot property over many random programs: npm run test:i2 -- [count] [seed]
import fc from 'fast-check';
import { compare } from './support/multi-shot.ts';
import { randomProgram } from './support/random-program.ts';

const count = Number(process.argv[2] ?? 5000),
  seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff);
process.on('unhandledRejection', (reason) => {
  console.error('unhandled rejection', reason);
  process.exitCode = 1;
});
console.log(`${count} programs, seed ${seed}`);
let programs = 0,
  suspending = 0;
const tapes = fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 400, size: 'max' }),
  choices = fc.array(fc.nat(0xffff), { minLength: 16, maxLength: 40 });
const result = await fc.check(
  fc.asyncProperty(tapes, choices, async (tape, picks) => {
    const source = randomProgram(tape),
      wrong = await compare(source, picks);
    programs++;
    if (source.includes('ask(`')) suspending++;
    if (wrong) throw new Error(`${wrong}\n${source}`);
  }),
  { numRuns: count, seed },
);
console.log(`${programs} programs run (${suspending} with suspensions)`);
if (result.failed) {
  console.log(
    `WRONG with seed ${result.seed}, path ${result.counterexamplePath}\n${String((result.errorInstance as Error | null)?.message)}`,
  );
  process.exitCode = 1;
} else console.log('0 wrong');
