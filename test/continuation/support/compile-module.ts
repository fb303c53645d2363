import { mkdtempSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileModule } from '../../../packages/worker/src/servlet/compile-hook.ts';
import { prompt, resume, type Outcome } from '../../../packages/worker/src/continuation/runtime.ts';

const directory: string = mkdtempSync(join(tmpdir(), 'continuation-'));
let count = 0;
const runtime: string = new URL('../../../packages/worker/src/continuation/runtime.ts', import.meta.url).href;

export interface Loaded {
  file: string;
  source: string;
  /** Where what was compiled of it is. */
  emitted: string;
  exports: Record<string, (...args: any[]) => any>;
}

/** What a thread would run of a module that is written in TypeScript. `savedAs`: continuations are to be saved. */
export function compiledCode(file: string, source: string, savedAs?: string): string {
  return compileModule(pathToFileURL(file).href, stripTypeScriptTypes(source), { original: source, savedAs }).code;
}

/** Compiles a servlet module and imports it. `ask(label)` suspends with the label as its page. */
export async function load(body: string, { isSaved = false }: { isSaved?: boolean } = {}): Promise<Loaded> {
  const source = `import { capture, exit, native, createParameter } from ${JSON.stringify(runtime)};\nconst ask = (label: unknown): Promise<any> => capture(() => label);\n${body}`;
  const file = join(directory, `servlet-${++count}.ts`),
    emitted = join(directory, `servlet-${count}.mjs`);
  writeFileSync(file, source);
  writeFileSync(emitted, compiledCode(file, source, isSaved ? `servlet-${count}` : undefined));
  const exports = (await import(/* @vite-ignore */ pathToFileURL(emitted).href)) as Loaded['exports'];
  return { file, source, emitted, exports };
}

/** Runs a function and answers its suspensions in order; what it asked, and how it ended. */
export async function play(
  start: () => unknown,
  answers: readonly unknown[],
): Promise<{ asked: unknown[]; outcome: Outcome; history: Outcome[] }> {
  let outcome: Outcome = await prompt(start);
  const asked: unknown[] = [],
    history = [outcome],
    left = [...answers];
  while (outcome.kind === 'captured' && left.length) {
    asked.push(await outcome.make(outcome.continuation));
    outcome = await resume(outcome.continuation, left.shift());
    history.push(outcome);
  }
  return { asked, outcome, history };
}

/** The value that a run returned. */
export function returned(outcome: Outcome): unknown {
  if (outcome.kind !== 'returned') throw new Error(`expected a returned value, got ${outcome.kind}`);
  return outcome.value;
}

/** The continuation that a run captured. */
export function captured(outcome: Outcome): Extract<Outcome, { kind: 'captured' }>['continuation'] {
  if (outcome.kind !== 'captured') throw new Error(`expected a capture, got ${outcome.kind}`);
  return outcome.continuation;
}
