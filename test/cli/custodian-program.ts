import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { COMPILE_CACHE } from '../support/compile-cache.ts';

export const PROGRAM: string = fileURLToPath(new URL('../../packages/host/bin/custodian.js', import.meta.url));

/** One run of the real program. */
export interface Run {
  child: ChildProcess;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves to the first line that begins so. Rejects when the program ends before. */
  line(beginning: string): Promise<string>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The Node that runs it. Default: this one. */
  node?: string;
}

export function runCustodian(
  args: readonly string[],
  { env = {}, cwd, node = process.execPath }: RunOptions = {},
): Run {
  const child = spawn(node, [PROGRAM, ...args], {
    // Of this process only what a program needs to find others: Vitest has NODE_OPTIONS and colours of its own.
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const find = (beginning: string): string | undefined =>
    stdout
      .split('\n')
      .slice(0, -1)
      .find((line) => line.startsWith(beginning));
  const line = (beginning: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find(beginning);
        if (found !== undefined) resolve(found);
      };
      child.stdout.on('data', look);
      void ended.then(() => reject(new Error(`it ended without a line "${beginning}": ${stdout}${stderr}`)));
      look();
    });
  return { child, stdout: () => stdout, stderr: () => stderr, line, ended };
}

/** Runs the program to its end. */
export async function outcomeOf(
  args: readonly string[],
  options?: RunOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const run = runCustodian(args, options);
  const { code } = await run.ended;
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}
