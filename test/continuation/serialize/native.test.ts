import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Seen } from '../support/resume-process.ts';
import { PRELUDE, ResumeProcess, writeProgram } from '../support/saved-program.ts';

let processes: ResumeProcess[] = [];
beforeAll(() => {
  processes = [new ResumeProcess(), new ResumeProcess(), new ResumeProcess()];
});
afterAll(() => {
  for (const each of processes) each[Symbol.dispose]();
});

/** A page that can be saved, and the answers that led to it. */
interface Saved {
  saved: string;
  answers: readonly number[];
}

/**
 * Goes on from a page to the run's end, each saved page in a process that has not seen the run, and each native part where it waits.
 * @returns the end, the saved pages on the way, and how many native parts waited
 */
async function play(
  file: string,
  from: Saved | null,
  answers: readonly number[],
): Promise<{ end: string; pages: Saved[]; parkedCount: number }> {
  let at = answers.length + (from?.answers.length ?? 0);
  const pages: Saved[] = [];
  const given = [...(from?.answers ?? [])];
  let parkedCount = 0;
  const take = async (step: { saved: string } | { parked: number }): Promise<Seen> => {
    const answer = answers[given.length]!;
    given.push(answer);
    return processes[at % processes.length]!.take({ file, start: null, answer, ...step });
  };
  let seen = from === null ? await processes[at % 3]!.take({ file, start: ['main'] }) : await take(from);
  for (;;) {
    if (seen.kind === 'asks') {
      pages.push({ saved: seen.saved, answers: [...given] });
      at++;
      seen = await take(seen);
    } else if (seen.kind === 'refused' && seen.parked !== undefined) {
      parkedCount++;
      seen = await take({ parked: seen.parked });
    } else return { end: JSON.stringify(seen), pages, parkedCount };
  }
}

/** What the body gives when nothing is ever captured. */
async function plainly(body: string, answers: readonly number[]): Promise<string> {
  const run = new Function('ask', 'native', `return (async () => {${body}\n})()`) as (
    ask: () => Promise<number>,
    native: (thunk: () => unknown) => Promise<unknown>,
  ) => Promise<unknown>;
  let count = 0;
  const value = await run(
    () => Promise.resolve(answers[count++]!),
    async (thunk) => thunk(),
  );
  return JSON.stringify({ kind: 'returns', value: JSON.stringify(value) } satisfies Seen);
}

const ANSWERS = Array.from({ length: 200 }, (_, index) => (index * 7) % 11);

async function check(body: string): Promise<number> {
  const file = writeProgram({ 'main.js': `${PRELUDE}export async function main() {${body}\n}` });
  const expected = await plainly(body, ANSWERS);
  const { end, pages, parkedCount } = await play(file, null, ANSWERS);
  expect(end, body).toBe(expected);
  // Each page again, twice, in other processes: what waited in the first run is over, and new parts wait in each run.
  for (const page of pages.slice(-4))
    for (let round = 0; round < 2; round++) expect((await play(file, page, ANSWERS)).end, body).toBe(expected);
  return parkedCount;
}

describe('native() under frames that are saved', () => {
  test('frames that came from another process wait around a native part, go on when it has ended, and are saved again', async () => {
    const parked = await check(`
      const log = [];
      const note = (x) => { log.push(x); return log.length; };
      async function middle(step) {
        const before = await ask('before');
        try {
          const [a, b] = await native(() => Promise.all([ask('inside'), Promise.resolve(step)]));
          note('a' + a);
          return a * b + before + (await ask('after'));
        } finally {
          note('finally ' + step + (await ask('leaving')));
        }
      }
      let total = 0;
      for (const step of [1, 2, 3]) {
        total += await middle(step);
        note(await ask('between'));
      }
      return [total, log];`);
    expect(parked).toBe(3);
  });

  test('what a native part throws after its page was answered is caught by frames that came from another process', async () => {
    const parked = await check(`
      const seen = [];
      for (let i = 0; i < 3; i++) {
        seen.push(await ask('first'));
        try {
          await native(async () => { throw new Error('no ' + (await ask('inside'))); });
        } catch (error) {
          seen.push(error.message, await ask('caught'));
        }
      }
      return seen;`);
    expect(parked).toBe(3);
  });

  test('a page of a native part is never saved, though the frames around it could be', async () => {
    const file = writeProgram({
      'main.js': `${PRELUDE}export async function main() { return native(async () => (await ask('inside')) + 1); }`,
    });
    const page = await processes[0]!.take({ file, start: ['main'] });
    expect(page).toMatchObject({ kind: 'refused', code: 'SERVLET_UNSERIALIZABLE', path: 'a native part' });
    const { parked } = page as { parked: number };
    expect(await processes[0]!.take({ file, start: null, parked, answer: 4 })).toEqual({ kind: 'returns', value: '5' });
    expect(await processes[0]!.take({ file, start: null, parked, answer: 4 })).toMatchObject({
      kind: 'throws',
      code: 'SERVLET_ONE_SHOT',
    });
  });

  test('random programs with native parts in loops, calls and handlers end as they do when nothing is captured', async () => {
    const { statement } = fc.letrec<{ statement: string; list: string }>((tie) => ({
      statement: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constant(`log.push(x += await ask('plain'));`),
        fc.constant(`log.push(await native(async () => (await ask('inside')) + 1));`),
        fc.constant(
          `log.push(await native(async () => { const a = await ask('one'), b = await ask('two'); return a * 10 + b; }));`,
        ),
        fc.constant(`log.push(await native(async () => x));`),
        tie('list').map((list) => `for (const y of [1, 2]) { x += y; ${list} }`),
        tie('list').map((list) => `await (async (y) => { x -= y; ${list} })(x % 5);`),
        tie('list').map(
          (list) => `try { ${list} throw new Error('e' + x); } catch (error) { log.push(error.message); }`,
        ),
        tie('list').map((list) => `try { ${list} } finally { log.push(await ask('finally')); }`),
        tie('list').map(
          (list) => `log.push(await native(async () => { const y = await ask('in'); return y + x; })); ${list}`,
        ),
      ),
      list: fc.array(tie('statement'), { minLength: 1, maxLength: 2 }).map((each) => each.join('\n')),
    }));
    let parked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(statement, { minLength: 2, maxLength: 4 }), async (statements) => {
        const body = `const log = []; let x = 1;\n${statements.join('\n')}\nreturn [x, log];`;
        parked += await check(body);
      }),
      { numRuns: 25 },
    );
    expect(parked).toBeGreaterThan(10);
  }, 60_000);
});
