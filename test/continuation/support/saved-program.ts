import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileModule } from '../../../packages/worker/src/servlet/compile-hook.ts';
import type { Seen, Step } from './resume-process.ts';

const directory: string = mkdtempSync(join(tmpdir(), 'saved-program-'));
const runtime: string = new URL('../../../packages/worker/src/continuation/runtime.ts', import.meta.url).href;
let count = 0;

/** Compiles modules, by their names, so that their continuations can be saved. @returns the file of the first one */
export function writeProgram(modules: Record<string, string>): string {
  const folder = join(directory, String(++count)),
    names = Object.keys(modules);
  for (const name of names) writeModule(folder, name, modules[name]!);
  return join(folder, compiledName(names[0]!));
}

/** `ask(label)` suspends with the label as its page. */
export const PRELUDE: string = `import { capture, native, createParameter } from ${JSON.stringify(runtime)};\nconst ask = (label) => capture(() => label);\n`;

const compiledName = (name: string): string => name.replace(/\.ts$/, '.mjs');

export function writeModule(folder: string, name: string, source: string): void {
  const file = join(folder, name);
  const { code } = compileModule(pathToFileURL(file).href, stripTypeScriptTypes(source), {
    original: source,
    savedAs: name,
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  // Imports of the compiled modules lead to compiled ones.
  writeFileSync(join(folder, compiledName(name)), code.replace(/(from\s*['"]\.\.?\/[^'"]+)\.ts(['"])/g, '$1.mjs$2'));
}

/** A process that takes steps. Kill it by leaving its scope. */
export class ResumeProcess implements Disposable {
  readonly #child: ChildProcess;
  #turn: Promise<unknown> = Promise.resolve();
  constructor() {
    this.#child = fork(new URL('./resume-process.ts', import.meta.url), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
  }
  take(step: Step): Promise<Seen> {
    const answer = this.#turn.then(
      () =>
        new Promise<Seen>((resolve, reject) => {
          const ended = (): void => reject(new Error('the process ended'));
          this.#child.once('exit', ended);
          this.#child.once('message', (seen) => {
            this.#child.off('exit', ended);
            resolve(seen as Seen);
          });
          this.#child.send(step);
        }),
    );
    this.#turn = answer.catch(() => {});
    return answer;
  }
  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** Calls a function and answers its pages in order, each in a process that has not seen the run before. What was seen, in order. */
export async function playAcross(
  processes: readonly ResumeProcess[],
  file: string,
  start: [name: string, ...args: unknown[]],
  answers: readonly unknown[],
): Promise<Seen[]> {
  const history = [await processes[0]!.take({ file, start })];
  for (const [i, answer] of answers.entries()) {
    const last = history.at(-1)!;
    if (last.kind !== 'asks') break;
    const next = processes[(i + 1) % processes.length]!;
    history.push(await next.take({ file, start: null, saved: last.saved, answer }));
  }
  return history;
}
