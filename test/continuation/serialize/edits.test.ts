import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PRELUDE, ResumeProcess, type writeModule, writeProgram } from '../support/saved-program.ts';

type Files = Record<Parameters<typeof writeModule>[1], string>;

const FILES: Files = {
  'flow.ts': `${PRELUDE}
import { twice } from './lib.ts';
import { unused } from './other.ts';
export async function main(): Promise<string> {
  const label = 'a number', n = Number(await ask(label));
  return \`\${label} \${twice(n)} \${unused.length}\`;
}`,
  'lib.ts':
    'export function twice(n: number): number { return n * 2; }\nexport const half = async (n) => { const m = await n; return m / 2; };',
  'other.ts': "export const unused = 'x';\nexport const f = () => 1;",
};
const edited =
  (name: string, from: string | RegExp, to: string) =>
  (files: Files): Files => ({ ...files, [name]: files[name]!.replace(from, to) });

describe('a saved page, after an edit', () => {
  let before: ResumeProcess;
  let saved: string;
  beforeAll(async () => {
    before = new ResumeProcess();
    const page = await before.take({ file: writeProgram(FILES), start: ['main'] });
    if (page.kind !== 'asks') throw new Error('no page');
    ({ saved } = page);
  });
  afterAll(() => before[Symbol.dispose]());
  /** In a process that has never seen the program as it was. */
  async function goOn(files: Files): Promise<unknown> {
    using after = new ResumeProcess();
    const seen = await after.take({ file: writeProgram(files), start: null, saved, answer: 4 });
    return seen.kind === 'returns' ? seen.value : seen.kind === 'throws' ? seen.code : seen.kind;
  }

  test.each<[name: string, edit: (files: Files) => Files, value?: string]>([
    ['none', (files) => files],
    ['a comment', edited('flow.ts', 'const label', '/* said first */ const label')],
    [
      'another layout',
      edited('flow.ts', "{\n  const label = 'a number', n", "{\n\n\n    const\n label  =  'a number',\n n"),
    ],
    [
      'a semicolon that the language puts there',
      edited('flow.ts', 'Number(await ask(label));', 'Number(await ask(label))'),
    ],
    ['another type', edited('flow.ts', 'Promise<string>', 'Promise<unknown>')],
    ['other code in a module of which it needs none', edited('lib.ts', 'n * 2', 'n * 3'), 'a number 12 1'],
    ['another constant in a module of which it needs none', edited('other.ts', "'x'", "'xyz'"), 'a number 8 3'],
  ])('goes on: %s', async (_name, edit, value = 'a number 8 1') => {
    expect(await goOn(edit(FILES))).toBe(value);
  });

  test.each<[name: string, edit: (files: Files) => Files]>([
    ['another text', edited('flow.ts', "'a number'", "'the number'")],
    ['a local with another name', edited('flow.ts', /\blabel\b/g, 'question')],
    [
      'an import from another module',
      edited('flow.ts', "{ unused } from './other.ts'", "{ half as unused } from './lib.ts'"),
    ],
    ['an import more', edited('flow.ts', 'import { twice }', 'import { half, twice }')],
    [
      'another function',
      edited('flow.ts', 'export async function main', 'function more() {}\nexport async function main'),
    ],
    [
      'another order',
      edited(
        'flow.ts',
        "label = 'a number', n = Number(await ask(label))",
        "n = Number(await ask('a number')), label = 'a number'",
      ),
    ],
    ['a module of another name', ({ 'flow.ts': flow, ...rest }) => ({ 'flow2.ts': flow!, ...rest })],
  ])('is refused, and nothing runs: %s', async (_name, edit) => {
    expect(await goOn(edit(FILES))).toBe('SERVLET_PROGRAM_CHANGED');
  });
});
