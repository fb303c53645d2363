import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { type Jail, JailError, outputIn, tryJail } from '../../packages/host/src/jail/jail.ts';
import { seccompProgram } from '../../packages/host/src/jail/seccomp.ts';
import { childProcesses } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { StartedHost } from '../support/started-host.ts';

const jail = await tryJail().catch((error: JailError) => error);
if (jail instanceof JailError) console.log(`tests of the jail are skipped: ${jail.message}`);
const hasJail = !(jail instanceof JailError);

/** What got out of the walls within its thread, and of Node's permission model, would try this. */
const ATTEMPTS = `
  import { spawnSync } from 'node:child_process';
  import { connect, createServer } from 'node:net';
  import { hostname, setPriority } from 'node:os';
  import fs from 'node:fs';
  const seen = {};
  const attempt = (name, what) => { try { seen[name] = what() ?? 'done'; } catch (error) { seen[name] = error.code; } };
  attempt('passwords', () => fs.readFileSync('/etc/shadow', 'utf8'));
  attempt('home', () => fs.readdirSync('/root').join());
  attempt('write', () => fs.writeFileSync('/written', 'x'));
  attempt('large', () => fs.writeFileSync(process.argv[1] + '/x', Buffer.alloc(32 << 20)));
  attempt('temp', () => fs.writeFileSync(process.argv[1] + '/y', 'x'));
  attempt('program', () => spawnSync(process.execPath, ['--version']).error?.code);
  attempt('processes', () => fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length);
  attempt('signal', () => process.kill(Number(process.argv[2]), 0));
  attempt('priority', () => setPriority(0, 5));
  attempt('environment', () => Object.keys(process.env).join());
  attempt('name', () => hostname());
  attempt('status', () => fs.readFileSync('/proc/self/status', 'utf8').match(/NoNewPrivs:\\t1|CapEff:\\t0+$|Seccomp:\\t2/gm).length);
  attempt('user', () => process.getuid());
  const trial = (name, socket) => new Promise((resolve) => socket.on('error', (error) => resolve((seen[name] = error.code))).on('listening', resolve).on('connect', resolve));
  await trial('connect', connect(Number(process.argv[3]), '127.0.0.1'));
  await trial('listen', createServer().listen(0, '127.0.0.1'));
  console.log(JSON.stringify(seen));
`;

describe.skipIf(!hasJail)('a jail', () => {
  it('keeps a process from files, processes, the network and privileges', { timeout: 60_000 }, async () => {
    const place = mkdtempSync(join(tmpdir(), 'custodian-jail-test-'));
    const tempDir = join(place, 'temp');
    await using started = await StartedHost.start({ hello: `export default () => 'hello';` });
    const command = [process.execPath, '--input-type=module', '--eval', ATTEMPTS, tempDir, String(process.pid)];
    const output = await outputIn(jail as Jail, [...command, String(started.host.port)], {
      readable: [],
      tempDir,
      tempMaxBytes: 1 << 20,
      emptyDir: join(place, 'empty'),
    });
    rmSync(place, { recursive: true });
    expect(JSON.parse(output)).toEqual({
      passwords: 'ENOENT',
      home: expect.stringMatching(/^ENOENT$|^$/) as string,
      write: expect.stringMatching(/^(EROFS|EACCES)$/) as string,
      large: 'ENOSPC',
      temp: expect.stringMatching(/^(done|ENOSPC)$/) as string,
      program: 'EPERM',
      processes: 2,
      signal: 'ESRCH',
      priority: 'ERR_SYSTEM_ERROR',
      environment: 'PWD',
      name: 'servlet',
      status: 3,
      user: expect.any(Number) as number,
      connect: 'EPERM',
      listen: 'EPERM',
    });
  });

  it(
    'runs servlets, with a temporary directory, and takes all with it that was in it',
    { timeout: 60_000 },
    async () => {
      const temp = `import { tmpdir } from 'node:os'; import { readFileSync, writeFileSync } from 'node:fs';
      export default ({ url }) => {
        if (url.endsWith('?loop')) for (;;);
        writeFileSync(tmpdir() + '/x', 'kept'); return readFileSync(tmpdir() + '/x', 'utf8') + process.getuid(); };`;
      using directory = new ServletDirectory({ temp });
      const options = {
        servlets: [{ file: directory.file('temp'), profile: 'jail' as const }],
        limits: { cpuMs: 500, loadTimeoutMs: 60_000, queueTimeoutMs: 60_000 },
      };
      // A temporary directory is its owner's alone; the jail's user is another.
      const refused = await serve(options).then(
        (host) => host.close().then(() => 'served'),
        (error: JailError) => error.code,
      );
      expect(refused).toBe((jail as Jail).changesUser ? 'CUSTODIAN_JAIL' : 'served');
      chmodSync(directory.path, 0o755);
      await using host = await serve(options);
      const text = await (await fetch(`${host.url}/temp`)).text();
      expect(text).toBe(`kept${(jail as Jail).changesUser ? text.slice(4) : process.getuid?.()}`);
      expect(Number(text.slice(4)) > 1e9).toBe((jail as Jail).changesUser);
      const [status] = host.servlets;
      expect(status?.profile).toBe('jail');
      expect((await fetch(`${host.url}/temp?loop`)).status).toBe(504);
      expect(await (await fetch(`${host.url}/temp`)).text()).toBe(text);
      const jails = childProcesses(process.pid).filter(
        ({ command }) => command.includes('bwrap --cap-drop') || command.includes('bwrap --unshare'),
      );
      expect(jails.length).toBeGreaterThan(0);
      await host.close();
      expect(
        childProcesses(process.pid).filter(
          ({ command }) => command.includes('bwrap --cap-drop') || command.includes('bwrap --unshare'),
        ),
      ).toEqual([]);
    },
  );
});

it('serve() refuses a jail that can not be had, unless another profile is allowed by name', async () => {
  using directory = new ServletDirectory({ hello: `export default () => 'hello';` });
  const { PATH } = process.env;
  process.env['PATH'] = directory.path;
  try {
    const options = { servlets: [{ file: directory.file('hello'), profile: 'jail' as const }] };
    await expect(serve(options)).rejects.toMatchObject({ code: 'CUSTODIAN_JAIL' });
    await using host = await serve({ ...options, weakerProfile: 'guest' });
    expect(host.servlets[0]?.profile).toBe('guest');
    expect(await (await fetch(host.servlets[0]?.url ?? '')).text()).toBe('hello');
  } finally {
    process.env['PATH'] = PATH;
  }
});

it('seccompProgram() is a program of whole instructions where the system calls are known, and none elsewhere', () => {
  for (const architecture of ['x64', 'arm64']) {
    const program = seccompProgram(architecture) as Buffer;
    expect(program.length % 8).toBe(0);
    expect(program.length / 8).toBeLessThan(4096);
    // The last one allows.
    expect(program.readUInt32LE(program.length - 4)).toBe(0x7fff0000);
  }
  expect(seccompProgram('mips')).toBeNull();
});
