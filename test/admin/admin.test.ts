import { mkdtempSync, rmSync, statSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostSnapshot } from '../../packages/host/src/admin/snapshot.ts';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const TOKEN = 'an operator only knows this';
const HELLO = `export default () => 'hello';`;
const HOLDS = `
  import { sendSuspend } from '@custodian/worker';
  const kept = [];
  export default async () => { kept.push(new Array(1000).fill(0)); await sendSuspend((url) => '<a href="' + url + '">on</a>'); return 'through'; };`;
const SPIN = `export default () => { for (;;); };`;

let stateDir: string;
beforeEach(() => void (stateDir = mkdtempSync(join(tmpdir(), 'custodian-admin-'))));
afterEach(() => rmSync(stateDir, { recursive: true }));

async function start(servlets: Record<string, string>, options = {}, heldAs = {}): Promise<StartedHost> {
  const started = await StartedHost.start(servlets, { stateDir, admin: { token: TOKEN }, ...options }, heldAs);
  await started.host.ready();
  return started;
}

function adminOf(started: StartedHost): string {
  return new URL(started.host.adminUrl as string).origin;
}

function ask(started: StartedHost, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) };
  return fetch(adminOf(started) + path, { ...init, headers });
}

const stateOf = async (started: StartedHost): Promise<HostSnapshot> =>
  (await (await ask(started, '/_custodian/state.json')).json()) as HostSnapshot;

function act(started: StartedHost, action: unknown): Promise<Response> {
  const body = typeof action === 'string' ? action : JSON.stringify(action);
  return ask(started, '/_custodian/actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

describe("the operator's listener", () => {
  test('takes so many connections, and of one without the token one request', async () => {
    await using started = await start({ hello: HELLO });
    const port = Number(new URL(adminOf(started)).port);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1');
      socket.on('error', reject).on('data', (piece) => (text += piece));
      socket.once('end', () => resolve(text));
      socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50));
    });
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    const sockets = Array.from({ length: 150 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    const closed = (): number => sockets.filter((socket) => socket.closed).length;
    await eventually(closed, (count) => count >= 50, { what: 'the end of those that are too many' });
    expect(closed()).toBe(50);
    for (const socket of sockets) socket.destroy();
  });

  test('does nothing that comes behind a request without the token, though the token is with it', async () => {
    await using started = await start({ hello: HELLO });
    const before = (await stateOf(started)).servlets[0]?.limits;
    const body = JSON.stringify({ action: 'adjust', servlet: 'hello', limits: { cpuMs: 777 } });
    const head = `POST /_custodian/actions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json`;
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(new URL(adminOf(started)).port), '127.0.0.1');
      socket.on('error', reject).on('data', (piece) => (text += piece));
      socket.once('end', () => resolve(text));
      socket.write(`GET /livez HTTP/1.1\r\nHost: a\r\n\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect((await stateOf(started)).servlets[0]?.limits).toEqual(before);
  });

  test('lets nobody in without the token, but for health', async () => {
    await using started = await start({ hello: HELLO });
    const admin = adminOf(started);
    const paths = ['/_custodian/state.json', '/_custodian/events', '/metrics', '/_custodian/nothing'];
    for (const path of paths) {
      expect((await fetch(admin + path)).status).toBe(401);
      expect((await fetch(admin + path, { headers: { authorization: 'Bearer no' } })).status).toBe(401);
      expect((await fetch(`${admin}${path}?token=no`)).status).toBe(401);
      expect((await fetch(admin + path, { headers: { cookie: `custodian_admin=${TOKEN}` } })).status).toBe(401);
      expect((await fetch(`${admin}${path}?token=${TOKEN}`)).status).toBe(401);
    }
    const kill = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    expect((await fetch(`${admin}/_custodian/actions?token=${TOKEN}`, kill)).status).toBe(401);
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    expect((await fetch(`${admin}//`)).status).toBe(400);
  });

  test('has a page that is the same for everybody, and a token that no request for it carries', async () => {
    await using started = await start({ hello: HELLO });
    const { hash, search, pathname } = new URL(started.host.adminUrl as string);
    expect([hash, search, pathname]).toEqual([`#token=${encodeURIComponent(TOKEN)}`, '', '/_custodian']);
    const page = await fetch(started.host.adminUrl as string);
    expect([page.status, page.headers.get('set-cookie')]).toEqual([200, null]);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).not.toContain('hello');
  });

  test('is not at a path of the servlets', async () => {
    await using started = await start({ hello: HELLO });
    expect((await fetch(`${started.url}/_custodian?token=${TOKEN}`)).status).toBe(404);
  });

  test('is not there at all unless it is asked for', async () => {
    await using without = await StartedHost.start({ hello: HELLO });
    expect(without.host.adminUrl).toBeNull();
  });

  test('has a token of its own making that is long, and takes none that is short', async () => {
    await using started = await start({ hello: HELLO }, { admin: true });
    expect(new URL(started.host.adminUrl as string).hash.slice('#token='.length)).toMatch(/^[\w-]{32}$/);
    await expect(StartedHost.start({ hello: HELLO }, { admin: { token: 'short' } })).rejects.toThrow(RangeError);
  });

  test('leaves a file for the command line that only its user can read, for as long as it is there', async () => {
    const started = await start({ hello: HELLO });
    const [name] = readdirSync(join(stateDir, 'admin'));
    expect(statSync(join(stateDir, 'admin', name as string)).mode & 0o777).toBe(0o600);
    await started[Symbol.asyncDispose]();
    expect(readdirSync(join(stateDir, 'admin'))).toEqual([]);
  });
});

describe('state.json', () => {
  test('has servlets, threads, cells, charges and deaths', async () => {
    await using started = await start(
      { hello: HELLO, holds: HOLDS, spin: SPIN },
      {},
      { spin: { limits: { cpuMs: 400 } } },
    );
    await started.warm('/hello', '/hello', '/holds', '/spin');
    const state = await eventually(
      () => stateOf(started),
      ({ servlets }) => servlets[1]?.continuations === 1 && (servlets[1].threadList[0]?.heapBytes ?? 0) > 0,
    );
    expect(state).toMatchObject({ pid: process.pid, urls: [started.url], connections: expect.any(Number) });
    const [hello, holds, spin] = state.servlets;
    expect(hello).toMatchObject({ name: 'hello', state: 'ready', account: { requests: 2, failures: 0 } });
    expect(hello?.latency.count).toBe(2);
    expect(hello?.account.durationCounts.reduce((sum, each) => sum + each)).toBe(2);
    expect(holds?.threadList.find((thread) => thread.continuations === 1)).toMatchObject({ heapMaxBytes: 50 << 20 });
    expect(spin?.account).toMatchObject({ kills: 1, deaths: { cpu: 1 } });
    expect(state.obituaries[0]).toMatchObject({ servlet: 'spin', cause: 'cpu', limit: 'cpuMs' });
    expect(state.cells.find((cell) => cell.servlets.includes('hello'))).toMatchObject({ profile: 'guest' });
    expect(state.cells.every((cell) => cell.rssBytes > 0 && cell.rssBytes < cell.rssMaxBytes)).toBe(true);
    expect(spin?.account.threadCpuMs).toBeGreaterThan(300);
    // What it costs to know all this is known as well.
    expect(state.cells.some(({ samplingMs }) => samplingMs > 0)).toBe(true);
    expect(state.cells.every(({ samplingMs, ageMs }) => samplingMs < ageMs / 4)).toBe(true);
    expect(state.reservedBytes).toBe(state.servlets.reduce((sum, { threads }) => sum + threads * (50 << 20), 0));
  });

  test('is sent again each second to who watches', async () => {
    await using started = await start({ hello: HELLO });
    const watch = await ask(started, '/_custodian/events');
    const reader = watch.body!.pipeThrough(new TextDecoderStream()).getReader();
    const requests: number[] = [];
    let text = '';
    while (!requests.includes(1)) {
      text += (await reader.read()).value ?? '';
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const snapshot = JSON.parse(text.slice('data: '.length, end)) as HostSnapshot;
        requests.push(snapshot.servlets[0]?.account.requests ?? -1);
        text = text.slice(end + 2);
        if (requests.length === 1) await started.warm('/hello');
      }
    }
    expect(requests[0]).toBe(0);
    await reader.cancel();
  });
});

describe('the instances of a thread', () => {
  const FLOW = `
    import { sendSuspend } from '@custodian/worker';
    export default async (request) => {
      if (request.url.endsWith('?block')) for (const end = Date.now() + 1500; Date.now() < end;);
      for (;;) await sendSuspend((url) => '<a href="' + url + '">on</a>');
    };`;
  const inOneThread = { flow: { spareThreads: 0, limits: { threadsMaxCount: 1 } } };
  const linkOf = (page: string): string => /href="([^"]+)"/.exec(page)?.[1] as string;

  test('are told with their continuations to who looks, the newest first, and to nobody else', async () => {
    await using started = await start({ flow: FLOW }, {}, inOneThread);
    const first = await (await fetch(`${started.url}/flow`)).text();
    await (await fetch(started.url + linkOf(first))).text();
    for (let count = 0; count < 60; count++) await (await fetch(`${started.url}/flow`)).text();
    const told = await eventually(
      async () => (await stateOf(started)).servlets[0]?.threadList[0]?.instances ?? null,
      (instances) => instances?.count === 61,
    );
    expect(told?.newest.map(({ number }) => number)).toEqual(Array.from({ length: 50 }, (_, index) => 61 - index));
    expect(told?.newest[0]).toMatchObject({ continuations: 1, newest: [{ number: 1, bytes: expect.any(Number) }] });
    expect(told?.newest[0]?.bytes).toBeGreaterThan(50);
    expect(told?.newest[0]?.ageMs).toBeLessThan(60_000);
  });

  test('of a busy thread are those that it told before, with their age; who looks does not wait for it', async () => {
    await using started = await start({ flow: FLOW }, {}, inOneThread);
    const instances = async () => (await stateOf(started)).servlets[0]?.threadList[0]?.instances ?? null;
    await (await fetch(`${started.url}/flow`)).text();
    await eventually(instances, (told) => told?.count === 1);
    const blocked = fetch(`${started.url}/flow?block`);
    const late = await eventually(instances, (told) => (told?.toldMs ?? 0) > 500);
    expect(late?.count).toBe(1);
    await (await blocked).text();
    await eventually(instances, (told) => told?.count === 2);
  });
});

describe('actions', () => {
  test('kill ends a thread, or a cell, as the operator; the next visitor gets a fresh one', async () => {
    await using started = await start({ hello: HELLO });
    await started.warm('/hello');
    const [thread] = (await stateOf(started)).servlets[0]!.threadList;
    expect((await act(started, { action: 'kill', cell: thread!.cell, thread: thread!.thread })).status).toBe(200);
    await eventually(
      () => stateOf(started),
      ({ obituaries }) => obituaries[0]?.cause === 'operator' && obituaries[0].lease === thread!.thread,
    );
    await started.warm('/hello');
    const cell = (await stateOf(started)).servlets[0]!.threadList[0]!.cell;
    expect((await act(started, { action: 'kill', cell, thread: null })).status).toBe(200);
    expect((await stateOf(started)).cells.map(({ number }) => number)).not.toContain(cell);
    expect(await (await fetch(`${started.url}/hello`)).text()).toBe('hello');
  });

  test('collect has a thread give back its garbage', async () => {
    const litter = `export default () => { globalThis.kept = null; globalThis.kept = new Array(2e6).fill({}); globalThis.kept = null; return 'left'; };`;
    await using started = await start({ litter }, { limits: { heapMb: 200 } }, { litter: { spareThreads: 0 } });
    await started.warm('/litter');
    const heap = async (): Promise<number> => (await stateOf(started)).servlets[0]!.threadList[0]!.heapBytes;
    const before = await eventually(heap, (bytes) => bytes > 12 << 20);
    const { cell, thread } = (await stateOf(started)).servlets[0]!.threadList[0]!;
    expect((await act(started, { action: 'collect', cell, thread })).status).toBe(200);
    await eventually(heap, (bytes) => bytes < before - (8 << 20));
  });

  test("heap-snapshot brings a thread's heap as developer tools read it, and leaves nothing behind", async () => {
    const marked = `const held = 'the-mark-in-the-heap'; export default () => held;`;
    await using started = await start({ marked });
    await started.warm('/marked');
    const { cell, thread } = (await stateOf(started)).servlets[0]!.threadList.find(({ answered }) => answered > 0)!;
    const response = await act(started, { action: 'heap-snapshot', cell, thread });
    expect([response.status, response.headers.get('content-disposition')]).toEqual([
      200,
      `attachment; filename="cell-${cell}-thread-${thread}.heapsnapshot"`,
    ]);
    const snapshot = (await response.json()) as { snapshot: { meta: unknown }; strings: string[] };
    expect(snapshot.strings).toContain('the-mark-in-the-heap');
    await eventually(
      () => readdirSync(join(stateDir, 'compile-cache')).filter((name) => name.endsWith('.heapsnapshot')),
      (left) => left.length === 0,
    );
    expect(await (await fetch(`${started.url}/marked`)).text()).toBe('the-mark-in-the-heap');
  });

  test('heap-snapshot of a thread that holds much takes it down alive, though that takes more than it may hold', async () => {
    const big = `const kept = []; for (let i = 0; i < 150_000; i++) kept.push({ a: i, b: [i], c: 'k' + i }); export default () => 'kept ' + kept.length;`;
    await using started = await start({ big }, { limits: { heapMb: 80 } });
    await started.warm('/big');
    const { cell, thread } = (await stateOf(started)).servlets[0]!.threadList[0]!;
    const response = await act(started, { action: 'heap-snapshot', cell, thread });
    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(10_000_000);
    // What it took is not all given back by the time that the wall is as it was.
    await sleep(3000);
    expect((await stateOf(started)).obituaries).toEqual([]);
    expect((await stateOf(started)).servlets[0]!.threadList[0]).toMatchObject({ cell, thread });
  });

  test('heap-snapshot of a thread at a request charges that with nothing of its own, and with what the request goes on to hoard', async () => {
    const hoard = `
      import { existsSync } from 'node:fs';
      const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      export default async () => {
        while (!existsSync(${JSON.stringify(join(stateDir, 'go'))})) await pause(10);
        const held = [];
        for (; held.length < 200; await pause(5)) held.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
        return 'hoarded ' + held.length;
      };`;
    const limits = { heapMb: 40, rssMb: 2000, wallMs: 60_000 };
    await using started = await start({ hoard }, { limits }, { hoard: { spareThreads: 0, profile: 'trusted' } });
    const answer = fetch(`${started.url}/hoard`);
    const busy = await eventually(
      async () => (await stateOf(started)).servlets[0]!.threadList[0],
      (first) => first?.requests === 1 && first.state === 'ready',
    );
    const { cell, thread } = busy!;
    expect((await act(started, { action: 'heap-snapshot', cell, thread })).status).toBe(200);
    // Longer than it takes until all is looked at, whoever works.
    await sleep(1500);
    expect(started.host.ledger.obituaries).toEqual([]);
    writeFileSync(join(stateDir, 'go'), '');
    expect(await (await answer).text()).toContain('LIMIT_HEAP');
    expect(started.host.ledger.obituaries).toMatchObject([{ servlet: 'hoard', cause: 'rss', limit: 'heapMb' }]);
  });

  test('reload has the next visitor meet the new version', async () => {
    await using started = await start({ hello: HELLO });
    await started.warm('/hello');
    started.directory.write('hello', `export default () => 'hello anew';`);
    expect((await act(started, { action: 'reload', servlet: 'hello' })).status).toBe(200);
    expect(await (await fetch(`${started.url}/hello`)).text()).toBe('hello anew');
  });

  test('kill of the only thread, which takes its time to end, starts no spare one beside it', async () => {
    // In a native call a thread does not end when it is told to.
    const busy = `import { scryptSync } from 'node:crypto';
      const work = () => scryptSync('x', 'salt', 64, { N: 2 ** 15, r: 8, p: 200, maxmem: 2 ** 27 });
      export default () => { setTimeout(work, 5); return 'busy'; };`;
    await using started = await start({ busy }, {}, { busy: { spareThreads: 1, profile: 'trusted' } });
    expect(await (await fetch(`${started.url}/busy`)).text()).toBe('busy');
    await sleep(20);
    const leases = (): string[] => started.host.custodian.describe().filter((line) => /lease \d+ of cell/.test(line));
    const [first = '', thread, cell] = /lease (\d+) of cell (\d+)/.exec(leases()[0] ?? '') ?? [];
    expect((await act(started, { action: 'kill', cell: Number(cell), thread: Number(thread) })).status).toBe(200);
    // A spare one may have been started before, on a busy machine.
    const before = leases().length;
    let most = before;
    await eventually(
      () => {
        most = Math.max(most, leases().length);
        return leases().some((line) => line.includes(first));
      },
      (isHere) => !isHere,
    );
    expect(most).toBe(before);
    // With its cell it is gone long before its call is over, and the spare one that the servlet is to have comes in another.
    const [{ cause, deathMs } = { cause: null, deathMs: Infinity }] = started.host.ledger.obituaries;
    expect([cause, deathMs < 2000]).toEqual(['operator', true]);
    await eventually(leases, (left) => left.length > 0 && left.every((line) => !line.endsWith(`of cell ${cell}`)));
  });

  test('adjust gives a servlet other limits', async () => {
    await using started = await start({ hello: HELLO });
    const { status } = await act(started, { action: 'adjust', servlet: 'hello', limits: { heapMb: 70, cpuMs: 777 } });
    expect(status).toBe(200);
    expect((await stateOf(started)).servlets[0]?.limits).toMatchObject({ heapMb: 70, cpuMs: 777 });
  });

  test('that can not be read, or done, are answered with a reason', async () => {
    await using started = await start({ hello: HELLO });
    const wrong: [body: string, status: number][] = [
      ['not JSON', 400],
      ['null', 400],
      ['[]', 400],
      ['{"action":"explode","cell":1}', 400],
      ['{"action":"kill","cell":"1"}', 400],
      ['{"action":"collect","cell":1,"thread":null}', 400],
      ['{"action":"kill","cell":99999,"thread":null}', 409],
      ['{"action":"heap-snapshot","cell":99999,"thread":1}', 409],
      ['{"action":"reload","servlet":"../hello"}', 409],
      ['{"action":"adjust","servlet":"hello"}', 400],
      ['{"action":"adjust","servlet":"hello","limits":{"heapMb":"much"}}', 409],
      ['{"action":"adjust","servlet":"../hello","limits":{}}', 409],
      ['{"action":"adjust","servlet":"hello","limits":{"toString":5}}', 409],
      [`"${'x'.repeat(5000)}"`, 400],
    ];
    for (const [body, status] of wrong) {
      const response = await act(started, body);
      expect([body.slice(0, 60), response.status]).toEqual([body.slice(0, 60), status]);
      expect(await response.json()).toEqual({ error: expect.stringMatching(/^Cannot /) });
    }
  });

  test('are not taken from a form of another site', async () => {
    await using started = await start({ hello: HELLO });
    const form = {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"action":"reload","servlet":"hello"}',
    };
    expect((await ask(started, '/_custodian/actions', form)).status).toBe(415);
  });
});

describe('/readyz', () => {
  test('names the eager servlets that are benched, or whose canary fails, until they are well', async () => {
    const sick = `import { existsSync } from 'node:fs'; export default () => { if (!existsSync(new URL('well', import.meta.url))) throw new Error('sick'); return 'well'; };`;
    await using started = await start(
      { broken: `throw new Error('not today');`, sick, hello: HELLO, lazy: `throw new Error('nobody asks');` },
      {},
      {
        broken: { isEager: true, canary: false },
        sick: { isEager: true },
        hello: { isEager: true, canary: '/hello?canary' },
      },
    );
    const ready = async (headers = { authorization: `Bearer ${TOKEN}` }): Promise<[number, unknown]> => {
      const response = await fetch(`${adminOf(started)}/readyz`, { headers });
      return [response.status, await response.json()];
    };
    await eventually(ready, ([, body]) => JSON.stringify(body).includes('status 500'));
    const [status, body] = await ready();
    expect([status, body]).toEqual([
      503,
      {
        isReady: false,
        problems: {
          broken: expect.stringContaining('not today'),
          sick: 'its canary was answered with status 500',
        },
      },
    ]);
    // What it failed with may be anybody's secret.
    const [, told] = await ready({ authorization: '' });
    expect(told).toMatchObject({ problems: { broken: 'it is benched' } });
    started.directory.write('broken', HELLO);
    started.directory.write('well.mjs', '');
    const fixed = `export default () => 'well';`;
    started.directory.write('sick', fixed);
    started.host.reload('sick');
    await fetch(`${started.url}/broken`);
    await eventually(ready, ([code]) => code === 200, { ms: 8000 });
  });
});

test('/readyz names a servlet that is called as what every object has', async () => {
  const broken = `throw new Error('not today');`;
  await using started = await start({ __proto__x: broken }, {}, { __proto__x: { mount: '__proto__', isEager: true } });
  const response = await ask(started, '/readyz');
  expect(response.status).toBe(503);
  expect(await response.text()).toContain('"__proto__":"it');
});

test('state.json is short where a servlet has much to say of why it is benched', async () => {
  const verbose = `throw new Error('no'.repeat(5000));`;
  await using started = await start({ verbose }, {}, { verbose: { isEager: true, canary: false } });
  expect((await stateOf(started)).servlets[0]?.error).toMatch(/^.{500}…$/);
});

const SUFFIX: Record<string, RegExp> = { counter: /^_total$/, gauge: /^$/, histogram: /^_(bucket|count|sum)$/ };
const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[\d.e+-]+)$/;

/** The lines that OpenMetrics does not allow where they stand. */
function problemsOf(lines: readonly string[]): string[] {
  const declared = new Set<string>();
  let family = '';
  let type = '';
  return lines.filter((line) => {
    const head = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (head !== null) {
      [, family, type] = head as unknown as [string, string, string];
      return declared.size === declared.add(family).size;
    }
    if (line.startsWith('# ')) return !new RegExp(`^# (UNIT|HELP) ${family} \\S`).test(line);
    const sample = SAMPLE.exec(line);
    const name = sample?.[1] ?? '';
    return !name.startsWith(family) || !SUFFIX[type]?.test(name.slice(family.length));
  });
}

describe('/metrics', () => {
  test('is OpenMetrics: each family declared once, with its samples behind it, and an end', async () => {
    await using started = await start({ hello: HELLO, 'we"ird': SPIN }, {}, { 'we"ird': { limits: { cpuMs: 400 } } });
    await started.warm('/hello', '/hello', '/we"ird', '/nothing-there');
    const response = await ask(started, '/metrics');
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const lines = (await response.text()).split('\n');
    expect(lines.slice(-2)).toEqual(['# EOF', '']);
    expect(problemsOf(lines.slice(0, -2))).toEqual([]);
    expect(lines).toContain('custodian_requests_total{servlet="hello"} 2');
    expect(lines).toContain('custodian_deaths_total{servlet="we\\"ird",cause="cpu"} 1');
    expect(lines).toContain('custodian_request_duration_seconds_count{servlet="hello"} 2');
    expect(
      lines.some((line) => /^custodian_cell_sampling_cpu_seconds_total\{cell="\d+",pid="\d+"\} [\d.]+$/.test(line)),
    ).toBe(true);
    expect(lines.some((line) => /^custodian_thread_cpu_seconds_total\{servlet="we\\"ird"\} 0\.\d+$/.test(line))).toBe(
      true,
    );
    expect(lines).toContain('custodian_request_duration_seconds_bucket{servlet="hello",le="+Inf"} 2');
    // The standard wants whole numbers there with a point.
    const bounds = lines.flatMap(
      (line) => /duration_seconds_bucket\{servlet="hello",le="([^"]+)"/.exec(line)?.[1] ?? [],
    );
    expect(bounds.slice(-4)).toEqual(['2.5', '5.0', '10.0', '+Inf']);
  });
});
