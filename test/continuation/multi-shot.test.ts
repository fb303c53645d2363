import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, compareWithReference } from './support/multi-shot.ts';
import { type ProgramOptions, randomProgram } from './support/random-program.ts';

type Comparison = (source: string, choices: readonly number[]) => Promise<string | null>;

/** What differed in any of many random programs, with the program, or null. */
async function wrongIn(options: ProgramOptions, ...comparisons: Comparison[]): Promise<string | null> {
  const result = await fc.check(
    fc.asyncProperty(
      fc.array(fc.nat(0xffff), { minLength: 20, maxLength: 300, size: 'max' }),
      fc.array(fc.nat(0xffff), { minLength: 10, maxLength: 24 }),
      async (tape, choices) => {
        const source = randomProgram(tape, options);
        for (const each of comparisons) {
          const wrong = await each(source, choices);
          if (wrong !== null) throw new Error(`${wrong}\n${source}`);
        }
      },
    ),
    { numRuns: 100 },
  );
  return result.failed ? `seed ${result.seed}: ${String(result.errorInstance)}` : null;
}

describe('resuming any continuation any number of times', () => {
  test('gives what a fresh native run with the same answers gives, if all state is in locals', async () => {
    expect(await wrongIn({}, compare, compareWithReference)).toBe(null);
  }, 60_000);

  test('does so in the middle of classes, generators, templates and disposals', async () => {
    expect(await wrongIn({ isWide: true }, compare)).toBe(null);
  }, 60_000);

  test('gives what the reference interpreter gives, if pages share variables and objects', async () => {
    expect(await wrongIn({ sharesState: true }, compareWithReference)).toBe(null);
  }, 60_000);
});

describe('a page goes on from its own', () => {
  /** Each program and answers by which it went wrong once. */
  const programs: [string, string, number[]][] = [
    [
      'elements of a destructuring that suspends in a default',
      'const [c = await ask("c"), d, ...[e = await ask("e")]] = [undefined, 1]; return [c, d, e].join();',
      [0, 1, 0, 2, 1, 3, 1, 4, 0, 5, 2, 6],
    ],
    [
      'variables of a body whose parameters have defaults',
      'const f = async (n = b, m = () => n) => { const b = await ask("f"); var n = b; return [n, m(), b].join(); }; return await f();',
      [0, 1, 0, 2, 0, 3],
    ],
    [
      'variables that are taken out of an answer, though a closure reassigns them',
      'const { n, m: [k] } = { n: 1, m: [2] }; let [x, { y }] = [await ask("a"), { y: n }]; const up = () => (x++, (y += k)); await ask("b"); up(); return [x, y].join();',
      [0, 1, 0, 5, 1, 0, 2, 0],
    ],
    [
      'variable that a loop takes out of its elements, though a closure reassigns it',
      'let fs = []; for (let [x = await ask("x")] of [[], [3]]) { fs = [...fs, () => x++]; await ask("y"); } return fs.map((f) => f() * 10 + f()).join();',
      [0, 1, 0, 5, 1, 0, 2, 0, 3, 0, 4, 0],
    ],
  ];
  for (const [name, body, choices] of programs)
    test(`its ${name}`, async () => {
      expect(await compare(`async function main(ask, b) { ${body} }`, choices)).toBe(null);
    });
});
