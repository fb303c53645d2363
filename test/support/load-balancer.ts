import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** Why there can be no HAProxy here; null: there can. */
export function haproxyMissing(): string | null {
  return haproxyProgram() === null ? 'haproxy is not installed' : null;
}

/** Not every user has it on the PATH. */
function haproxyProgram(): string | null {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return directories.map((each) => join(each, 'haproxy')).find((path) => existsSync(path)) ?? null;
}

/** HAProxy in front of hosts: each request goes to the next one in turn; one that does not answer is left out. */
export class LoadBalancer implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: ChildProcess, directory: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(ports: readonly number[]): Promise<LoadBalancer> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'custodian-haproxy-'));
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, configuration(port, ports));
    const child = spawn(haproxyProgram()!, ['-f', file, '-db'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    while (!(await canConnect(port))) {
      if (child.exitCode !== null) throw new Error(`haproxy ended: ${output.slice(-2000)}`);
      await sleep(20);
    }
    return new LoadBalancer(port, child, directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'exit');
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#directory, { recursive: true });
  }
}

const configuration = (port: number, ports: readonly number[]): string => `
global
  maxconn 200
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  option redispatch
  retries 3
  retry-on conn-failure
  # Else a kept connection would stay with its host.
  option httpclose
frontend visitors
  bind 127.0.0.1:${port}
  default_backend hosts
backend hosts
  balance roundrobin
  http-response set-header X-Host %s
${ports.map((each, n) => `  server host${n} 127.0.0.1:${each} check inter 200ms fall 1 rise 1`).join('\n')}
`;

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
