import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hasCommand } from './load.ts';

export interface Program {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export const hasRacket: boolean = hasCommand('racket');

/** Starts `bench/servlets/<script>` on Racket's web server, and resolves when it has printed its address. */
export async function startRacket(script: string, core: number | null = null): Promise<Program> {
  const file = fileURLToPath(new URL(`../servlets/${script}`, import.meta.url));
  const [command, ...args] = core === null ? ['racket', file] : ['taskset', '-c', String(core), 'racket', file];
  const child = spawn(command as string, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    let printed = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Cannot start ${script}: it ended with code ${code}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      const found = /http:\/\/localhost:(\d+)/.exec(printed)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    async stop() {
      child.kill();
      await gone;
    },
  };
}
