import { PRELUDE, type ResumeProcess, writeProgram } from './saved-program.ts';
import { oracle, show } from './multi-shot.ts';
import type { Seen } from './resume-process.ts';

/** As the native oracle says it. */
function said(seen: Seen): string {
  switch (seen.kind) {
    case 'asks':
      return `asks ${seen.label}`;
    case 'returns':
      return `returns ${seen.value}`;
    case 'throws':
      return `throws ${seen.code ?? seen.name}`;
    case 'refused':
      return `refuses: ${seen.message}`;
  }
}

/** Where the function `main` stands in its module: at the top level, in a block, or in a static block of a class. */
const PLACES: readonly ((source: string) => string)[] = [
  (source) => `${SHOW}${source}\nexport const run = main;`,
  (source) => `export let run;\n{\n${SHOW}${source}\nrun = main;\n}`,
  (source) => `export let run;\nclass Home {\n  static {\n${SHOW}${source}\nrun = main;\n  }\n}`,
];
const SHOW = `const show = ${show.toString()};\n`;

/**
 * Runs the program, saves it at every page, and has processes that have not seen the run go on from any page, any number of times;
 * compares each result with a fresh native run. @returns what differed, or null
 */
export async function compareAcross(
  source: string,
  choices: readonly number[],
  processes: readonly ResumeProcess[],
): Promise<string | null> {
  const place = PLACES[(choices[0] ?? 0) % PLACES.length]!,
    file = writeProgram({ 'random.js': PRELUDE + place(source.replace('main(ask, b)', 'main(b)')) });
  let turn = 0;
  const take = (step: Parameters<ResumeProcess['take']>[0]): Promise<Seen> =>
    processes[turn++ % processes.length]!.take(step);
  const first = await take({ file, start: ['run', 2] }),
    expected = await oracle(source, []);
  if (said(first) !== expected) return `at the start: expected ${expected}, got ${said(first)}`;
  const live = first.kind === 'asks' ? [{ saved: first.saved, answers: [] as number[] }] : [];
  for (let i = 0; i + 1 < choices.length && live.length; i += 2) {
    const from = live[choices[i]! % live.length]!,
      answer = choices[i + 1]! % 7,
      answers = [...from.answers, answer];
    const seen = await take({ file, start: null, saved: from.saved, answer }),
      wanted = await oracle(source, answers);
    if (said(seen) !== wanted) return `after ${JSON.stringify(answers)}: expected ${wanted}, got ${said(seen)}`;
    if (seen.kind === 'asks' && live.length < 30) live.push({ saved: seen.saved, answers });
  }
  return null;
}
