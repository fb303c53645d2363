import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Obituary, ServeOptions, ServletStatus } from '../../packages/host/src/index.ts';
import { COMPILE_CACHE } from './compile-cache.ts';

const MAIN = fileURLToPath(new URL('host-process-main.ts', import.meta.url));

export type HostProcessOrder =
  | { type: 'serve'; options: Partial<ServeOptions> }
  | { type: 'obituaries' }
  | { type: 'servlets' }
  | { type: 'deaths'; servlet: string }
  /** Closes the cells of all servlets that were loaded since the start. */
  | { type: 'retire' }
  | { type: 'collect' }
  | { type: 'forget-peak' }
  | { type: 'close' };

export interface HostProcessAnswer {
  error?: string;
  port?: number;
  obituaries?: Obituary[];
  servlets?: ServletStatus[];
  deaths?: number;
  held?: string[];
}

/** A host in a process of its own, under a Node of one's choice. */
export class HostProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  port = 0;
  /** Set when the process has ended, which no servlet may bring about. */
  ending: string | null = null;
  output = '';

  private constructor(node: string) {
    this.child = spawn(node, ['--expose-gc', '--no-warnings', MAIN], {
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('latin1').on('data', (text: string) => (this.output = (this.output + text).slice(-10_000)));
    this.child.once('exit', (code, signal) => (this.ending = signal ?? `exit code ${code}`));
  }

  static async start(node: string, options: Partial<ServeOptions>): Promise<HostProcess> {
    const started = new HostProcess(node);
    const { port } = await started.ask({ type: 'serve', options });
    started.port = port ?? 0;
    return started;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** @throws when the process is gone, or says that it can't */
  async ask(order: HostProcessOrder): Promise<HostProcessAnswer> {
    if (this.ending !== null) throw new Error(`the host has ended: ${this.ending}: ${this.output}`);
    const gone = new AbortController();
    const onExit = (): void => gone.abort(new Error(`the host has ended: ${this.output}`));
    this.child.once('exit', onExit);
    try {
      const answered = once(this.child, 'message', { signal: gone.signal });
      this.child.send(order);
      const [answer] = (await answered) as [HostProcessAnswer];
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } finally {
      this.child.off('exit', onExit);
    }
  }

  async obituaries(): Promise<Obituary[]> {
    return (await this.ask({ type: 'obituaries' })).obituaries ?? [];
  }

  async servlets(): Promise<ServletStatus[]> {
    return (await this.ask({ type: 'servlets' })).servlets ?? [];
  }

  /** Of that servlet's threads and cells, since the start. */
  async deaths(servlet: string): Promise<number> {
    return (await this.ask({ type: 'deaths', servlet })).deaths ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ending !== null) return;
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }
}
