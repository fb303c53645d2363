import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServeOptions } from '../../packages/host/src/index.ts';
import { eventually } from './eventually.ts';
import { HostProcess } from './host-process.ts';
import { processesNamed } from './process-tree.ts';
import { ServletDirectory } from './servlet-directory.ts';
import type { HeldAs } from './started-host.ts';
import { Visitor } from './visitor.ts';

/** A host in a process of its own that can be killed and started again, with the same servlets and the same state. */
export class RestartableHost implements AsyncDisposable {
  readonly directory: ServletDirectory;
  readonly stateDir: string = mkdtempSync(join(tmpdir(), 'custodian-state-'));
  readonly #names: readonly string[];
  readonly #options: Omit<Partial<ServeOptions>, 'servlets'>;
  #heldAs: HeldAs;
  #process: HostProcess | null = null;

  private constructor(
    servlets: Readonly<Record<string, string>>,
    options: Omit<Partial<ServeOptions>, 'servlets'>,
    heldAs: HeldAs,
  ) {
    this.directory = new ServletDirectory(servlets);
    this.#names = Object.keys(servlets);
    this.#options = options;
    this.#heldAs = heldAs;
  }

  static async start(
    servlets: Readonly<Record<string, string>>,
    options: Omit<Partial<ServeOptions>, 'servlets'> = {},
    heldAs: HeldAs = {},
    prepare: (stateDir: string) => void = () => {},
  ): Promise<RestartableHost> {
    const host = new RestartableHost(servlets, options, heldAs);
    prepare(host.stateDir);
    await host.start();
    return host;
  }

  get process(): HostProcess {
    if (this.#process === null) throw new Error('the host does not run');
    return this.#process;
  }

  get url(): string {
    return `http://127.0.0.1:${this.process.port}`;
  }

  get visitor(): Visitor {
    return new Visitor(this.url);
  }

  /** From its next start on, a servlet is held so. */
  hold(name: string, as: HeldAs[string]): void {
    this.#heldAs = { ...this.#heldAs, [name]: as };
  }

  async start(options: Omit<Partial<ServeOptions>, 'servlets'> = {}): Promise<void> {
    this.#process = await HostProcess.start(process.execPath, {
      isDevelopment: true,
      // Nothing in reserve, as StartedHost has it.
      warmCells: 0,
      stateDir: this.stateDir,
      ...this.#options,
      ...options,
      servlets: this.#names.map((name) => ({
        file: this.directory.file(name),
        spareThreads: 0,
        ...this.#heldAs[name],
      })),
    });
  }

  /** `kill -9`. Its cells end with it. */
  async kill(): Promise<void> {
    const { child } = this.process;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    this.#process = null;
    await eventually(
      () => processesNamed(this.stateDir).length,
      (count) => count === 0,
    );
  }

  /** `kill -9`, and started again; with other options, if any are given. */
  async restart(options: Omit<Partial<ServeOptions>, 'servlets'> = {}): Promise<void> {
    await this.kill();
    await this.start(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
    await eventually(
      () => processesNamed(this.stateDir).length,
      (count) => count === 0,
    );
    rmSync(this.stateDir, { recursive: true });
  }
}
