import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HostSnapshot } from '../../packages/host/src/admin/snapshot.ts';
import { outcomeOf, type Run, runCustodian } from './custodian-program.ts';

let folder: string;
let stateDir: string;
let run: Run;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custodian-operator-'));
  stateDir = join(folder, 'state');
  await writeFile(join(folder, 'hello.ts'), `export default (): string => 'hello there';`);
  run = runCustodian(['serve', join(folder, 'hello.ts'), '--port', '0', '--state-dir', stateDir]);
  url = /http:\S+/.exec(await run.line('Custodian ready at '))![0];
  await (await fetch(`${url}/hello`)).text();
});
afterAll(async () => {
  run.child.kill('SIGTERM');
  await run.ended;
  await rm(folder, { recursive: true });
});

const operator = (...args: string[]): ReturnType<typeof outcomeOf> => outcomeOf([...args, '--state-dir', stateDir]);
const state = async (): Promise<HostSnapshot> => JSON.parse((await operator('ps', '--json')).stdout) as HostSnapshot;

test("serve prints the operator's page with its token, which lets in who has it", async () => {
  const page = new URL(/http:\S+/.exec(await run.line("Operator's page at "))![0]);
  expect((await fetch(page)).status).toBe(200);
  const headers = { authorization: `Bearer ${page.hash.slice('#token='.length)}` };
  expect((await fetch(`${page.origin}/_custodian/state.json`, { headers })).status).toBe(200);
});

test('ps shows servlets, threads and cells of the host that runs', async () => {
  const { code, stdout } = await operator('ps');
  expect(code).toBe(0);
  expect(stdout).toContain(url);
  expect(stdout).toMatch(/^SERVLET +STATE +PROFILE/m);
  expect(stdout).toMatch(/^hello +ready +guest +connection +1 +0 /m);
  expect(stdout).toMatch(/^\d+\.\d+ +hello +ready /m);
  expect(stdout).toMatch(/^CELL +PID .* WATCHING +SERVLETS/m);
});

test('top shows the same again and again', async () => {
  const { code, stdout } = await operator('top', '--count', '2');
  expect(code).toBe(0);
  expect(stdout.match(/^SERVLET /gm)).toHaveLength(2);
});

test('kill ends a thread, a cell or what a servlet has, and says what it did not find', async () => {
  const { cell, thread } = (await state()).servlets[0]!.threadList[0]!;
  expect(await operator('kill', `${cell}.${thread}`)).toMatchObject({ code: 0 });
  await (await fetch(`${url}/hello`)).text();
  const { pid } = (await state()).servlets[0]!.threadList[0]!;
  expect(await operator('kill', String(pid))).toMatchObject({ code: 0 });
  await (await fetch(`${url}/hello`)).text();
  expect(await operator('kill', 'hello')).toMatchObject({ code: 0 });
  expect((await state()).servlets[0]!.account.deaths['operator']).toBeGreaterThanOrEqual(3);
  const missing = await operator('kill', 'helol');
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot kill "helol"') });
  expect(await operator('kill', '999.1')).toMatchObject({ code: 1, stderr: expect.stringContaining('cell 999') });
  expect(await (await fetch(`${url}/hello`)).text()).toBe('hello there');
});

test('adjust gives a servlet of a running host other limits, and says what it did not find', async () => {
  expect(await operator('adjust', 'hello', 'heapMb=80', 'cpuMs=1234')).toMatchObject({
    code: 0,
    stdout: 'Adjusted hello: heapMb=80 cpuMs=1234\n',
  });
  expect((await state()).servlets[0]!.limits).toMatchObject({ heapMb: 80, cpuMs: 1234 });
  expect(await operator('adjust', 'helol', 'heapMb=80')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no such servlet'),
  });
  expect(await operator('adjust', 'hello', 'memoryMb=80')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("one of the host's"),
  });
});

test('ps finds nothing where no host runs, and asks which where several do', async () => {
  const none = await outcomeOf(['ps', '--state-dir', join(folder, 'none')]);
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('Cannot find a host') });
  const other = runCustodian(['serve', join(folder, 'hello.ts'), '--port', '0', '--state-dir', stateDir]);
  try {
    await other.line('Custodian ready at ');
    const several = await operator('ps');
    expect(several).toMatchObject({ code: 2, stderr: expect.stringContaining(`--pid ${other.child.pid}`) });
    const { stdout } = await operator('ps', '--pid', String(other.child.pid));
    expect(stdout).toContain(`pid ${other.child.pid}`);
    // Nobody has asked it for anything: no time is the typical one.
    expect(stdout).toMatch(/0 requests, p50 -, p99 -/);
    expect(stdout).toMatch(/^hello +\S+ +guest +connection +0 +0 +0 +- +- /m);
  } finally {
    other.child.kill('SIGTERM');
    await other.ended;
  }
});

test('top ends at once when it is told to, though the host hangs', async () => {
  const hangs = createServer(() => {}).listen(0, '127.0.0.1');
  const hungDir = join(folder, 'hung');
  try {
    await once(hangs, 'listening');
    const beacon = {
      pid: process.pid,
      url: `http://127.0.0.1:${(hangs.address() as AddressInfo).port}`,
      token: 'x',
      serves: [],
    };
    await mkdir(join(hungDir, 'admin'), { recursive: true });
    await writeFile(join(hungDir, 'admin', `1-${process.pid}.json`), JSON.stringify(beacon));
    const top = runCustodian(['top', '--state-dir', hungDir]);
    await once(hangs, 'request');
    top.child.kill('SIGINT');
    const code = await Promise.race([top.ended.then(() => top.child.exitCode), sleep(5000, 'it goes on')]);
    top.child.kill('SIGKILL');
    expect(code).toBe(0);
  } finally {
    hangs.closeAllConnections();
    hangs.close();
  }
});

test.each([
  [['kill'], 'name one cell'],
  [['kill', 'a', 'b'], 'name one cell'],
  [['adjust', 'hello'], 'name one servlet'],
  [['adjust', 'hello', 'heapMB=80'], 'did you mean'],
  [['adjust', 'hello', 'heapMb=much'], 'heapMb=NUMBER'],
  [['ps', 'x'], 'takes no arguments'],
  [['top', '--count', 'x'], '--count "x"'],
  [['serve', 'x', '--admin-port', '1', '--no-admin'], 'together'],
])('%j is a wrong command line', async (args, message) => {
  expect(await outcomeOf(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});
