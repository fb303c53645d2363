import assert from 'node:assert/strict';
import { ServletHost } from '../../packages/host/src/host.ts';
import { type Host, serve, type ServeOptions, type ServletOptions } from '../../packages/host/src/index.ts';
import type { Service } from '../../packages/host/src/service/service.ts';
import { childProcesses } from './process-tree.ts';
import { ServletDirectory } from './servlet-directory.ts';
import { WireClient } from './wire-client.ts';

/** How one of the servlets is held; the others are held as the options for all say. */
export type HeldAs = Readonly<Record<string, Omit<ServletOptions, 'file'>>>;

/**
 * A real host over servlets written from strings. Disposing of it closes it and looks that nothing is left. It keeps no cell and
 * no thread in reserve unless it is told to: most tests need one of each, and starting what nobody uses was half of their time.
 */
export class StartedHost implements AsyncDisposable {
  readonly host: Host;
  readonly directory: ServletDirectory;
  readonly #clients: WireClient[] = [];

  private constructor(host: Host, directory: ServletDirectory) {
    this.host = host;
    this.directory = directory;
  }

  static async start(
    servlets: Readonly<Record<string, string>>,
    options: Omit<Partial<ServeOptions>, 'servlets'> = {},
    heldAs: HeldAs = {},
    services: readonly Service[] = [],
  ): Promise<StartedHost> {
    const directory = new ServletDirectory(servlets);
    const list = Object.keys(servlets).map((name) => ({
      file: directory.file(name),
      spareThreads: 0,
      ...heldAs[name],
    }));
    const whole = { isDevelopment: true, warmCells: 0, ...options, servlets: list };
    const host = services.length === 0 ? await serve(whole) : new ServletHost(whole, services);
    if (host instanceof ServletHost && services.length > 0) await host.listen([{ port: 0 }]);
    return new StartedHost(host, directory);
  }

  /** With a cell and a thread of each servlet in reserve, as hosts have them. */
  static withReserves(
    ...[servlets, options, heldAs, services]: Parameters<typeof StartedHost.start>
  ): Promise<StartedHost> {
    const reserved = Object.keys(servlets).map((name) => [name, { spareThreads: 1, ...heldAs?.[name] }] as const);
    return StartedHost.start(servlets, { warmCells: 1, ...options }, Object.fromEntries(reserved), services);
  }

  get url(): string {
    return this.host.url;
  }

  /** A raw connection to the host; it ends with the host at the latest. */
  async connect(localAddress?: string): Promise<WireClient> {
    const client = await WireClient.connect(this.host.port, localAddress);
    this.#clients.push(client);
    return client;
  }

  /** Waits for a servlet's first answer, so that what follows meets a thread that is ready. */
  async warm(...paths: string[]): Promise<void> {
    for (const path of paths) await (await fetch(`${this.url}${path}`)).arrayBuffer();
  }

  async close(options?: { graceMs: number }): Promise<void> {
    await this.host.close(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.close();
    for (const client of this.#clients) client.destroy();
    this.directory[Symbol.dispose]();
    assert.deepEqual(this.host.custodian.describe(), []);
    assert.deepEqual(
      childProcesses(process.pid).filter(({ command }) => command.includes('cell/main.ts')),
      [],
    );
  }
}

/** A host whose servlets are trusted, for what looks at processes and threads, or imports the runtime's own modules: a guest can't. */
export const startTrusted: typeof StartedHost.start = (servlets, options, ...rest) =>
  StartedHost.start(servlets, { profile: 'trusted', ...options }, ...rest);
