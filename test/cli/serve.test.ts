import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { childProcesses } from '../support/process-tree.ts';
import { outcomeOf, PROGRAM, type Run, runCustodian } from './custodian-program.ts';

let folder: string;
let outside: string;
const runs: Run[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custodian-serve-'));
  outside = await mkdtemp(join(tmpdir(), 'custodian-outside-'));
  await writeFile(join(folder, 'hello.ts'), `export default (): string => 'hello there';`);
  await writeFile(
    join(folder, 'slow.ts'),
    `export default () => new Promise<string>((resolve) => setTimeout(() => resolve('at last'), 700));`,
  );
  await writeFile(join(folder, 'stuck.ts'), `export default () => new Promise<string>(() => {});`);
  await writeFile(join(folder, 'broken.ts'), `throw new Error('not today');`);
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL');
    await run.ended;
  }
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(outside, { recursive: true });
});

function serving(args: readonly string[], options?: Parameters<typeof runCustodian>[1]): Run {
  const run = runCustodian(['serve', ...args], options);
  runs.push(run);
  return run;
}

async function urlOf(run: Run): Promise<string> {
  const line = await run.line('Custodian ready at ');
  return /^Custodian ready at (http:\/\/127\.0\.0\.1:\d+)( |$)/.exec(line)![1]!;
}

describe('custodian serve', () => {
  test('prints a line for each servlet with its URL and caps, why one is benched, and then that it is ready', async () => {
    const config = join(outside, 'eager.json');
    const servlets = ['hello', 'broken'].map((name) => ({ file: join(folder, `${name}.ts`), isEager: true }));
    await writeFile(config, JSON.stringify({ servlets }));
    const run = serving(['--config', config, '--port', '0', '--limit', 'wallMs=2500']);
    const url = await urlOf(run);
    const lines = run.stdout().split('\n');
    const hello = lines.find((line) => line.startsWith('hello '));
    expect(hello).toContain(`${url}/hello `);
    expect(hello).toContain('heap 50 MB, cpu 5 s, wall 2.5 s, unit connection, profile ');
    expect(lines.find((line) => line.startsWith('broken '))).toMatch(/benched: .*not today/);
    expect(run.stdout()).not.toContain('\u001B');
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello there');
  });

  test('writes a JSON line for each request to the standard error, and none with --log off', async () => {
    const run = serving([folder, '--port', '0']);
    await fetch(`${await urlOf(run)}/hello?secret`);
    run.child.kill('SIGTERM');
    await run.ended;
    const lines = run.stderr().trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.some((record) => JSON.stringify(record).includes('/hello'))).toBe(true);

    const quiet = serving([folder, '--port', '0', '--log', 'off']);
    await fetch(`${await urlOf(quiet)}/hello`);
    quiet.child.kill('SIGTERM');
    await quiet.ended;
    expect(quiet.stderr()).toBe('');
  });

  test('serves a single file, by a config file, with log lines in a file', async () => {
    const config = join(outside, 'custodian.json');
    await writeFile(
      config,
      JSON.stringify({ servlets: [{ file: join(folder, 'hello.ts'), mount: 'deep/hello' }], port: 0 }),
    );
    const log = join(outside, 'log');
    const run = serving(['--config', config, '--log-file', log]);
    const url = await urlOf(run);
    expect(await (await fetch(`${url}/deep/hello`)).text()).toBe('hello there');
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(await readFile(log, 'utf8')).toContain('/deep/hello');
    expect(run.stderr()).toBe('');
  });

  test('names a port that is in use, and ends with 1', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const { code, stderr } = await outcomeOf(['serve', folder, '--port', String(port)]);
      expect(stderr).toContain(`Cannot listen on port ${port}: it is in use`);
      expect(stderr.trim()).not.toContain('\n');
      expect(code).toBe(1);
    } finally {
      server.close();
    }
  });

  test('says in one line that there is no such --host, and ends with 1', async () => {
    const { code, stderr } = await outcomeOf(['serve', folder, '--host', '999.1.1.1', '--port', '0']);
    expect(stderr).toBe('custodian: Cannot listen on 999.1.1.1 port 0: there is no such address or name\n');
    expect(code).toBe(1);
  });

  test('says which flags of NODE_OPTIONS cells do not get', async () => {
    const run = serving([folder, '--port', '0'], { env: { NODE_OPTIONS: '--max-old-space-size=4000' } });
    await urlOf(run);
    expect(run.stdout()).toContain('NODE_OPTIONS: cells do not get --max-old-space-size=4000');
  });

  test('--open tries the opener of the platform, and goes on without one', async () => {
    const opened = join(outside, 'opened');
    const opener = join(outside, process.platform === 'darwin' ? 'open' : 'xdg-open');
    await writeFile(opener, `#!/bin/sh\necho "$1" > "${opened}"\n`);
    await chmod(opener, 0o755);
    const run = serving([join(folder, 'hello.ts'), '--port', '0', '--open'], {
      env: { PATH: `${outside}:${process.env['PATH']}` },
    });
    const url = await urlOf(run);
    await expect.poll(() => readFile(opened, 'utf8').catch(() => '')).toBe(`${url}/hello\n`);

    const without = serving([folder, '--port', '0', '--open'], { env: { PATH: outside + '/none' } });
    await without.line('Cannot open a browser (');
    expect((await fetch(`${await urlOf(without)}/hello`)).status).toBe(200);
  });
});

describe('custodian serve at a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s lets a running request end, and exits with 0', async (signal) => {
    const run = serving([folder, '--port', '0']);
    const url = await urlOf(run);
    const answer = fetch(`${url}/slow`).then((response) => response.text());
    await delay(250);
    run.child.kill(signal);
    await run.line(`${signal}: closing`);
    expect(await answer).toBe('at last');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    // The port is free again at once.
    const again = serving([folder, '--port', new URL(url).port]);
    expect(await urlOf(again)).toBe(url);
  });

  test('a second one ends at once, with 128 and its number', async () => {
    const run = serving([folder, '--port', '0']);
    const answer = fetch(`${await urlOf(run)}/stuck`).catch(() => null);
    await delay(250);
    run.child.kill('SIGINT');
    await run.line('SIGINT: closing');
    await delay(200);
    const since = performance.now();
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    expect(performance.now() - since).toBeLessThan(2000);
    await answer;
  });

  test('the same one twice within a moment is one, as a terminal and npm send it', async () => {
    const run = serving([folder, '--port', '0']);
    const answer = fetch(`${await urlOf(run)}/slow`).then((response) => response.text());
    await delay(250);
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    expect(await answer).toBe('at last');
    expect(await run.ended).toEqual({ code: 0, signal: null });
  });

  test('one that comes before it is ready ends it as well', async () => {
    await writeFile(join(outside, 'late.ts'), `await new Promise((resolve) => setTimeout(resolve, 60_000));`);
    const config = join(outside, 'late.json');
    await writeFile(config, JSON.stringify({ servlets: [{ file: 'late.ts', isEager: true }] }));
    const run = serving(['--config', config, '--port', '0']);
    // It has cells: it is under way, and not ready for another minute.
    await eventually(
      () => childProcesses(run.child.pid as number).length,
      (count) => count > 0,
      { ms: 20_000 },
    );
    run.child.kill('SIGTERM');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.stdout()).not.toContain('Custodian ready');
  });

  test('the end of npm, which keeps SIGTERM to itself, ends it as well', async () => {
    const command = `"${process.execPath}" "${PROGRAM}" serve "${join(folder, 'hello.ts')}" --port 0; true`;
    const shell = spawn('sh', ['-c', command], { env: { npm_command: 'exec' }, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    shell.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const closed = once(shell, 'close');
    await expect.poll(() => said, { timeout: 10_000 }).toContain('Custodian ready at ');
    shell.kill('SIGTERM');
    // Not the shell's end but its output's, which the program holds open for as long as it lives.
    await closed;
    expect(said).toContain('SIGTERM: closing');
  });

  test('a client that only stays connected does not hold it up', async () => {
    const run = serving([folder, '--port', '0']);
    const socket = connect(Number(new URL(await urlOf(run)).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    const since = performance.now();
    run.child.kill('SIGTERM');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - since).toBeLessThan(7000);
    socket.destroy();
  });
});
