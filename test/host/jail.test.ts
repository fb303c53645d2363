import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostSnapshot } from '../../packages/host/src/admin/snapshot.ts';
import { serve } from '../../packages/host/src/index.ts';
import { prlimitPath } from '../../packages/host/src/jail/bubblewrap.ts';
import { type Jail, JailError, outputIn, tryJail } from '../../packages/host/src/jail/jail.ts';
import { seccompProgram } from '../../packages/host/src/jail/seccomp.ts';
import { childProcesses, processesNamed } from '../support/process-tree.ts';
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
  attempt('devices', () => fs.writeFileSync('/dev/written', 'x'));
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
  it("has a heap that an operator can't take down, and is told why", async () => {
    const token = 'an operator only knows this';
    using directory = new ServletDirectory({ hello: `export default () => 'hello';` });
    chmodSync(directory.path, 0o755);
    await using host = await serve({
      port: 0,
      servlets: [{ file: directory.file('hello'), profile: 'jail' }],
      admin: { token },
    });
    await (await fetch(`${host.url}/hello`)).text();
    const { origin } = new URL(host.adminUrl as string);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const state = (await (await fetch(`${origin}/_custodian/state.json`, { headers })).json()) as HostSnapshot;
    const { cell, thread } = state.servlets[0]!.threadList[0]!;
    const body = JSON.stringify({ action: 'heap-snapshot', cell, thread });
    const answer = await fetch(`${origin}/_custodian/actions`, { method: 'POST', headers, body });
    expect(answer.status).toBe(409);
    expect(await answer.json()).toEqual({ error: expect.stringContaining('a jailed cell writes nowhere') });
  });

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
      devices: 'EROFS',
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

  it('has the clock of CPU time of its load, whose limits the kernel is told first', { timeout: 60_000 }, async () => {
    using directory = new ServletDirectory({ stuck: `for (;;); export default () => '';` });
    chmodSync(directory.path, 0o755);
    await using host = await serve({
      servlets: [{ file: directory.file('stuck'), profile: 'jail' }],
      limits: { loadCpuMs: 300, loadTimeoutMs: 60_000, queueTimeoutMs: 60_000 },
    });
    expect((await fetch(`${host.url}/stuck`)).status).toBe(503);
    expect(host.ledger.obituaries[0]).toMatchObject({ cause: 'cpu', limit: 'loadCpuMs' });
  });

  it.skipIf(prlimitPath() === null)(
    'has RLIMIT_DATA for its memory and RLIMIT_NPROC for its threads: J1, a burst past them fails, and caps are met before',
    { timeout: 60_000 },
    async () => {
      using directory = new ServletDirectory({
        greedy: `
          const hoard = [];
          const ways = {
            burst() { try { return String(Buffer.alloc(700 << 20, 1).length); } catch (error) { return error.name; } },
            buffers() { for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); },
            objects() { for (;;) hoard.push(new Array(1000).fill(hoard.length)); },
          };
          export default ({ query }) => ways[query.get('do')]?.() ?? 'fine';`,
      });
      chmodSync(directory.path, 0o755);
      await using host = await serve({
        servlets: [{ file: directory.file('greedy'), profile: 'jail' }],
        limits: { heapMb: 50, loadTimeoutMs: 60_000, queueTimeoutMs: 60_000 },
      });
      const get = async (way: string): Promise<string> => (await fetch(`${host.url}/greedy?do=${way}`)).text();
      expect(await get('')).toBe('fine');
      const limits = cellLimits();
      expect(limits.data).toBeLessThan(1.2e9);
      expect(limits.processes === 96).toBe((jail as Jail).changesUser);
      expect(await get('burst')).toBe('RangeError');
      expect(await get('buffers')).toContain('LIMIT_HEAP');
      expect(await get('objects')).toContain('LIMIT_HEAP');
      expect(await get('')).toBe('fine');
      for (const { cause } of host.ledger.obituaries) expect(['heap', 'rss']).toContain(cause);
    },
  );
});

/** What the kernel holds the jailed process of this test's host to. */
function cellLimits(): { data: number; processes: number } {
  const [cell] = processesNamed('cell/main').filter(({ pid }) => !isUnlimited(pid));
  const text = readFileSync(`/proc/${cell?.pid}/limits`, 'utf8');
  const soft = (name: string): number => Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(text)?.[1]);
  return { data: soft('Max data size'), processes: soft('Max processes') };
}

function isUnlimited(pid: number): boolean {
  return /^Max data size +unlimited/m.test(readFileSync(`/proc/${pid}/limits`, 'utf8'));
}

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

describe.skipIf(!hasJail)('servlets that are loaded when they are asked for', () => {
  const WHO = `export default () => String(process.getuid());`;
  it.each([
    ["the host's profile is theirs", (root: string) => ({ profile: 'jail' as const, servletsRoot: root })],
    ['their own', (root: string) => ({ servletsRoot: { root, profile: 'jail' as const } })],
  ])('are in a jail: %s', { timeout: 60_000 }, async (_name, optionsFor) => {
    using directory = new ServletDirectory({ who: WHO });
    chmodSync(directory.path, 0o755);
    await using host = await serve({ ...optionsFor(directory.path), isDevelopment: true });
    const uid = await (await fetch(`${host.url}/who`)).text();
    expect(host.servlets.map(({ profile }) => profile)).toEqual(['jail']);
    expect(Number(uid) > 1e9).toBe((jail as Jail).changesUser);
  });

  it('get no more trust than guests from the profile of the host', async () => {
    using directory = new ServletDirectory({ who: WHO });
    await using host = await serve({ profile: 'trusted', servletsRoot: directory.path });
    await (await fetch(`${host.url}/who`)).text();
    expect(host.servlets.map(({ profile }) => profile)).toEqual(['guest']);
  });
});

it('servlets from files are refused a jail that can not be had at the start, unless another profile is allowed by name', async () => {
  using directory = new ServletDirectory({ hello: `export default () => 'hello';` });
  const { PATH } = process.env;
  process.env['PATH'] = join(directory.path, 'nowhere');
  try {
    const servletsRoot = { root: directory.path, profile: 'jail' as const };
    await expect(serve({ servletsRoot })).rejects.toMatchObject({ code: 'CUSTODIAN_JAIL' });
    await expect(serve({ servletsRoot: directory.path, profile: 'jail' })).rejects.toMatchObject({
      code: 'CUSTODIAN_JAIL',
    });
    const unsaid = { root: directory.path, profile: undefined, weakerProfile: undefined } as never;
    await expect(serve({ servletsRoot: unsaid, profile: 'jail' })).rejects.toMatchObject({ code: 'CUSTODIAN_JAIL' });
    await using host = await serve({ servletsRoot: unsaid, profile: 'jail', weakerProfile: 'guest' });
    expect(await (await fetch(`${host.url}/hello`)).text()).toBe('hello');
    expect(host.servlets[0]?.profile).toBe('guest');
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
