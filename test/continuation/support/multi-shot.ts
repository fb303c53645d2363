import { compile } from '../../../packages/worker/src/continuation/compile/compile.ts';
import * as emitted from '../../../packages/worker/src/continuation/emitted.ts';
import {
  capture,
  prompt,
  resume,
  type Continuation,
  type Outcome,
} from '../../../packages/worker/src/continuation/runtime.ts';
import { interpret } from './reference.ts';

export const show = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
type Main = (ask: (label: string) => Promise<unknown>, b: number) => Promise<unknown>;

/** What a run shows next: the label that it asks, or how it ends. */
export type Seen = string;

/** The native engine's answer: a fresh run of the program, given the answers in order. */
export async function oracle(source: string, answers: readonly number[]): Promise<Seen> {
  const main = new Function(...Object.keys(natives), `${source}\nreturn main;`)(...Object.values(natives)) as Main;
  let at = 0;
  return await new Promise<Seen>((resolve) => {
    const ask = (label: string): Promise<unknown> =>
      at < answers.length ? Promise.resolve(answers[at++]) : (resolve(`asks ${label}`), new Promise(() => {}));
    main(ask, 2).then(
      (value) => resolve(`returns ${show(value)}`),
      (error) => resolve(`throws ${error instanceof Error ? error.name : show(error)}`),
    );
  });
}

async function see(outcome: Promise<Outcome>): Promise<{ seen: Seen; k: Continuation | null }> {
  try {
    const o = await outcome;
    if (o.kind === 'captured') return { seen: `asks ${String(await o.make(o.continuation))}`, k: o.continuation };
    return { seen: `returns ${show(o.value)}`, k: null };
  } catch (error) {
    return {
      seen: `throws ${error instanceof Error ? ((error as Error & { code?: string }).code ?? error.name) : show(error)}`,
      k: null,
    };
  }
}

/** What programs may use besides the language. */
const natives = {
  show,
  *items(count: number): Generator<number> {
    for (let i = 0; i < count; i++) yield i;
  },
};

/** Runs the compiled program up to its first question. */
function begin(source: string): Promise<{ seen: Seen; k: Continuation | null }> {
  const { code } = compile(source, { file: 'random.js', sourceType: 'script' });
  const main = new Function('$rt', ...Object.keys(natives), `${code}\nreturn main;`)(
    emitted,
    ...Object.values(natives),
  ) as Main;
  const ask = (label: string): Promise<unknown> => capture(() => label);
  return see(prompt(() => main(ask, 2)));
}

/**
 * Resumes continuations of the program at random, each any number of times, and compares each result with what the reference
 * interpreter shows when it is resumed alike: whatever pages share, they share in both.
 * @returns what differed, or null
 */
export async function compareWithReference(source: string, choices: readonly number[]): Promise<string | null> {
  const first = await begin(source);
  const reference = interpret(source, 2, { ...natives, Math });
  if (first.seen !== reference.seen) return `at the start: expected ${reference.seen}, got ${first.seen}`;
  const live = first.k ? [{ k: first.k, answer: reference.answer!, path: '' }] : [];
  for (let i = 0; i + 1 < choices.length && live.length; i += 2) {
    const at = choices[i]! % live.length,
      from = live[at]!,
      value = choices[i + 1]! % 7,
      path = `${from.path} ${at}:${value}`,
      got = await see(resume(from.k, value)),
      wanted = from.answer(value);
    if (got.seen !== wanted.seen) return `after${path}: expected ${wanted.seen}, got ${got.seen}`;
    if (got.k && live.length < 30) live.push({ k: got.k, answer: wanted.answer!, path });
  }
  return null;
}

/**
 * Resumes continuations of the program at random, each any number of times, and compares each result with a fresh native run.
 * @returns what differed, or null
 */
export async function compare(source: string, choices: readonly number[]): Promise<string | null> {
  const first = await begin(source);
  const expected = await oracle(source, []);
  if (first.seen !== expected) return `at the start: expected ${expected}, got ${first.seen}`;
  const live: { k: Continuation; answers: number[] }[] = first.k ? [{ k: first.k, answers: [] }] : [];
  for (let i = 0; i + 1 < choices.length && live.length; i += 2) {
    const from = live[choices[i]! % live.length]!,
      answer = choices[i + 1]! % 7,
      answers = [...from.answers, answer];
    const got = await see(resume(from.k, answer)),
      wanted = await oracle(source, answers);
    if (got.seen !== wanted) return `after ${JSON.stringify(answers)}: expected ${wanted}, got ${got.seen}`;
    if (got.k && live.length < 30) live.push({ k: got.k, answers });
  }
  return null;
}
