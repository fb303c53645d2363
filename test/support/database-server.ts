import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { childProcesses } from './process-tree.ts';

/** A real Redis or PostgreSQL of the test's own, with its data in a temporary directory. */
export class DatabaseServer implements AsyncDisposable {
  readonly url: string;
  readonly #program: string;
  readonly #args: string[];
  readonly #user: { uid: number; gid: number } | undefined;
  readonly #directory: string;
  readonly #port: number;
  #child: ChildProcess | null = null;

  private constructor(
    url: string,
    command: { program: string; args: string[]; port: number; directory: string; user?: { uid: number; gid: number } },
  ) {
    this.url = url;
    this.#program = command.program;
    this.#args = command.args;
    this.#port = command.port;
    this.#directory = command.directory;
    this.#user = command.user;
  }

  /** Every write is on the disk before it is acknowledged. */
  static async redis(): Promise<DatabaseServer> {
    const program = redisProgram();
    if (program === null) throw new Error('there is no redis-server here');
    const directory = mkdtempSync(join(tmpdir(), 'custodian-redis-'));
    const port = await freePort();
    const args = `--port ${port} --bind 127.0.0.1 --dir ${directory} --appendonly yes --appendfsync always`.split(' ');
    const server = new DatabaseServer(`redis://127.0.0.1:${port}`, { program, args, port, directory });
    await server.start();
    return server;
  }

  static async postgres(): Promise<DatabaseServer> {
    const programs = postgresPrograms();
    if (programs === null) throw new Error('there is no PostgreSQL here');
    const directory = mkdtempSync(join(tmpdir(), 'custodian-postgres-'));
    const user = postgresUser();
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
    const data = join(directory, 'data');
    const initArgs = ['-D', data, '-U', 'custodian', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-locale'];
    execFileSync(join(programs, 'initdb'), initArgs, { ...user, cwd: directory, stdio: 'pipe' });
    const port = await freePort();
    const args = ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-k', directory];
    const server = new DatabaseServer(`postgres://custodian@127.0.0.1:${port}/postgres`, {
      program: join(programs, 'postgres'),
      args,
      port,
      directory,
      ...(user === undefined ? {} : { user }),
    });
    await server.start();
    return server;
  }

  /** Starts it (again), and waits until it can be connected to. */
  async start(): Promise<void> {
    let output = '';
    const child = spawn(this.#program, this.#args, {
      ...this.#user,
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    this.#child = child;
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`${this.#program} ended: ${output.slice(-2000)}`);
      await sleep(50);
    }
  }

  /** Throws away everything that a host has kept in it. */
  async empty(): Promise<void> {
    if (this.url.startsWith('redis')) {
      const { createClient } = await import('@redis/client');
      const client = await createClient({ url: this.url }).connect();
      await client.flushAll();
      client.destroy();
      return;
    }
    const { default: pg } = await import('pg');
    const client = new pg.Client(this.url);
    await client.connect();
    await client.query('TRUNCATE custodian_kept, custodian_used');
    await client.end();
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // SIGQUIT is PostgreSQL's immediate shutdown, which takes its children along.
    await this.#end(this.#program.endsWith('postgres') ? 'SIGQUIT' : 'SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** PostgreSQL listens before it has recovered from a crash, and answers then that it is starting up. */
  async #answers(): Promise<boolean> {
    if (!this.url.startsWith('postgres')) return canConnect(this.#port);
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 1000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    if (signal === 'SIGKILL') await killWorkers(child);
    child.kill(signal);
    await gone;
  }
}

/** PostgreSQL's workers outlive it, and answer; it does not start again while one of them has its shared memory. */
async function killWorkers({ pid = 0 }: ChildProcess): Promise<void> {
  // It starts no other one meanwhile.
  process.kill(pid, 'SIGSTOP');
  const workers = (): number[] => childProcesses(pid).map((worker) => worker.pid);
  for (const worker of workers()) process.kill(worker, 'SIGKILL');
  await eventually(workers, (left) => left.length === 0, { what: 'the end of its workers' });
}

/** Why there can be no Redis here; null: there can. */
export function redisMissing(): string | null {
  return redisProgram() === null ? 'redis-server is not installed' : null;
}

/** Why there can be no PostgreSQL here; null: there can. */
export function postgresMissing(): string | null {
  if (postgresPrograms() === null) return 'PostgreSQL is not installed';
  if (userInfo().uid === 0 && postgresUser() === undefined)
    return 'PostgreSQL refuses root, and there is no user postgres';
  return null;
}

function redisProgram(): string | null {
  for (const name of ['redis-server', 'valkey-server'])
    for (const directory of (process.env['PATH'] ?? '').split(delimiter))
      if (existsSync(join(directory, name))) return join(directory, name);
  return null;
}

/** Debian keeps them apart from the PATH, by version. */
function postgresPrograms(): string | null {
  return globSync('/usr/lib/postgresql/*/bin/').sort().at(-1) ?? null;
}

function postgresUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  try {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
