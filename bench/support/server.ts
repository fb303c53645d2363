import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A server under test, in a process of its own. */
export interface Server {
  readonly url: string;
  readonly pid: number;
  /** What the server script answers to `question`. */
  ask<T>(question: string): Promise<T>;
  stop(): Promise<void>;
}

interface FromServer {
  port?: number;
  answerTo?: number;
  answer?: unknown;
}

/**
 * Starts `bench/servers/<script>` and resolves when it listens.
 * `core`: pins it, and all that it starts, to that core.
 */
export async function startServer(script: string, options: object = {}, core: number | null = null): Promise<Server> {
  const file = fileURLToPath(new URL(`../servers/${script}`, import.meta.url));
  const node = [process.execPath, '--no-warnings', file, JSON.stringify(options)];
  const [command, ...args] = core === null ? node : ['taskset', '-c', String(core), ...node];
  const child = spawn(command as string, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Cannot start ${script}: it ended with code ${code}`)));
    child.on('message', (message: FromServer) => {
      if (message.port !== undefined) resolve(message.port);
      if (message.answerTo === undefined) return;
      waiting.get(message.answerTo)?.(message.answer);
      waiting.delete(message.answerTo);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    ask: <T>(question: string) =>
      new Promise<T>((resolve) => {
        waiting.set(++asked, resolve as (answer: unknown) => void);
        child.send({ id: asked, question });
      }),
    async stop() {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}
