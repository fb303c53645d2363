// Runs the multi-shot properties over many random programs: npm run test:i2 -- [count] [seed]
import fc from 'fast-check';
import { compare, compareWithReference } from './support/multi-shot.ts';
import { type ProgramOptions, randomProgram } from './support/random-program.ts';

const count = Number(process.argv[2] ?? 5000),
  seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff);
process.on('unhandledRejection', (reason) => {
  console.error('unhandled rejection', reason);
  process.exitCode = 1;
});
console.log(`${count} programs of each kind, seed ${seed}`);
const tapes = fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 400, size: 'max' }),
  choices = fc.array(fc.nat(0xffff), { minLength: 16, maxLength: 40 });
type Comparison = (source: string, choices: readonly number[]) => Promise<string | null>;
const kinds: [string, ProgramOptions, Comparison[]][] = [
  ['state in locals, against the engine and the reference', {}, [compare, compareWithReference]],
  ['the whole language, against the engine', { isWide: true }, [compare]],
  ['shared state, against the reference', { sharesState: true }, [compareWithReference]],
];
for (const [kind, options, comparisons] of kinds) {
  let suspending = 0;
  const result = await fc.check(
    fc.asyncProperty(tapes, choices, async (tape, picks) => {
      const source = randomProgram(tape, options);
      if (source.includes('ask(`')) suspending++;
      for (const each of comparisons) {
        const wrong = await each(source, picks);
        if (wrong) throw new Error(`${each.name}: ${wrong}\n${source}`);
      }
    }),
    { numRuns: count, seed },
  );
  if (result.failed) {
    console.log(
      `${kind}: WRONG with seed ${result.seed}, path ${result.counterexamplePath}\n${String((result.errorInstance as Error | null)?.message)}`,
    );
    process.exitCode = 1;
  } else console.log(`${kind}: 0 wrong of ${result.numRuns} (${suspending} with suspensions)`);
}
