import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ToCell } from '@custodian/protocol';
import { describe, expect, it, vi } from 'vitest';
import { Cell } from '../../packages/host/src/cell/cell.ts';
import { CellMemory } from '../../packages/host/src/cell/cell-memory.ts';
import { Lease } from '../../packages/host/src/cell/lease.ts';
import { Watchdog } from '../../packages/host/src/cell/watchdog.ts';
import { eventually } from '../support/eventually.ts';
import { StartedHost, startTrusted } from '../support/started-host.ts';

const WHO = `
  import { threadId } from 'node:worker_threads';
  let count = 0;
  export default (request) => {
    if (request.url.endsWith('?exit')) process.exit(1);
    return JSON.stringify({ pid: process.pid, thread: threadId, count: ++count });
  };`;

/** `?long` stays open until `?go` comes. */
const OPEN_UNTIL_GO = `
  export default async (request) => {
    if (request.url.endsWith('?long')) await new Promise((resolve) => { globalThis.go = resolve; });
    if (request.url.endsWith('?go')) globalThis.go();
    return 'here';
  };`;

interface Who {
  pid: number;
  thread: number;
  count: number;
}

async function who(started: StartedHost, path: string): Promise<Who> {
  return (await (await fetch(`${started.url}${path}`)).json()) as Who;
}

/** Process ids of the cells that have a thread. */
function cellsAtWork(started: StartedHost): number[] {
  const lines = started.host.custodian.describe();
  const busy = new Set(lines.flatMap((line) => /lease \d+ of cell (\d+)/.exec(line)?.[1] ?? []));
  const cells = lines.flatMap((line) => {
    const [, number, pid] = /cell (\d+) \(pid (\d+)\)/.exec(line) ?? [];
    return number !== undefined && busy.has(number) ? [Number(pid)] : [];
  });
  return [...new Set(cells)];
}

describe('cells', () => {
  it('each servlet has a process of its own, unless a group names one for several', async () => {
    await using started = await startTrusted(
      { a: WHO, b: WHO, c: WHO, d: WHO },
      {},
      { c: { cell: 'shared' }, d: { cell: 'shared' } },
    );
    const pids = (await Promise.all(['/a', '/b', '/c', '/d'].map((path) => who(started, path)))).map(({ pid }) => pid);
    const [a, b, c, d] = pids;
    expect(c).toBe(d);
    expect(new Set([a, b, c]).size).toBe(3);
    expect(pids).not.toContain(process.pid);
  });

  it('a spare one is not started beside the load of the servlet that took the last, but after it', async () => {
    const slow = `await new Promise((resolve) => setTimeout(resolve, 300)); export default () => 'here';`;
    await using started = await startTrusted({ slow }, { warmCells: 1 });
    const described = (): string[] => started.host.custodian.describe();
    const cellCount = (): number => described().filter((line) => /cell \d+ \(pid/.test(line)).length;
    expect(cellCount()).toBe(1);
    const answer = fetch(`${started.url}/slow`);
    await eventually(described, (lines) => lines.some((line) => /lease \d+ of cell/.test(line)));
    await sleep(20);
    expect(cellCount()).toBe(1);
    expect(await (await answer).text()).toBe('here');
    await eventually(cellCount, (count) => count === 2);
  });

  it('a spare thread is started behind the first answer, though nobody keeps the first one busy then', async () => {
    await using started = await startTrusted({ a: WHO }, {}, { a: { spareThreads: 1 } });
    await started.warm('/a');
    await expect.poll(() => started.host.servlets[0]?.threads, { timeout: 5000 }).toBe(2);
  });

  const callOf = (p: number): string => `scryptSync('x', 'salt', 64, { N: 2 ** 15, r: 8, p: ${p}, maxmem: 2 ** 27 })`;
  const LONG_CALL = callOf(64);
  it.each([
    ['it was asked what it holds meanwhile', `return ${LONG_CALL}.toString('hex');`, { cpuMs: 100 }, 504],
    [
      'it had answered between two calls',
      `globalThis.held = Buffer.alloc(200e6); for (;;) ${callOf(16)};`,
      { heapMb: 50, cpuMs: 20_000 },
      503,
    ],
  ])(
    'while a thread is stuck in a native call, its servlet gets a spare one in another process, before its own is killed: %s',
    async (_when, work, limits, expected) => {
      const stuck = `
        import { scryptSync } from 'node:crypto';
        export default (request) => { if (request.url.endsWith('?ok')) return String(process.pid); ${work} };`;
      await using started = await StartedHost.withReserves({ stuck }, { limits }, { stuck: { profile: 'trusted' } });
      const pid = Number(await (await fetch(`${started.url}/stuck?ok`)).text());
      await eventually(
        () => started.host.servlets[0],
        (servlet) => servlet?.threads === 2 && servlet.idleThreads === 2,
      );
      expect(cellsAtWork(started)).toEqual([pid]);
      const isAlive = (): boolean => existsSync(`/proc/${pid}/statm`);
      let isReplaced = false;
      // One that answers between two calls may be ended before it is in the next: nothing has to be replaced then, and its process lives.
      for (let tries = 0; tries < 5 && !isReplaced && isAlive(); tries++) {
        let status: number | null = null;
        const answered = fetch(`${started.url}/stuck`).then((answer) => (status = answer.status));
        // One of those calls takes a second, and more on a full machine, before the thread can be asked at all.
        await eventually(
          () => {
            const cells = cellsAtWork(started);
            isReplaced ||= cells.length === 2 && cells.includes(pid) && isAlive();
            return isReplaced || status !== null;
          },
          (isKnown) => isKnown,
          { ms: 20_000 },
        );
        expect(await answered).toBe(expected);
      }
      expect(isReplaced).toBe(true);
      const other = Number(await (await fetch(`${started.url}/stuck?ok`)).text());
      expect(other).not.toBe(pid);
    },
  );

  it('a process near its wall has its threads collect their garbage, but not for one that is stuck in a native call', async () => {
    const stuck = `
      import { scryptSync } from 'node:crypto';
      export default (request) => (request.url.endsWith('?ok') ? 'ok' : ${LONG_CALL}.toString('hex'));`;
    await using started = await StartedHost.withReserves(
      { stuck },
      { limits: { cpuMs: 100 } },
      { stuck: { profile: 'trusted' } },
    );
    await started.warm('/stuck?ok');
    vi.spyOn(CellMemory.prototype, 'becomesPressed').mockReturnValue(true);
    const collect = vi.spyOn(Lease.prototype, 'collect');
    const wasStuck: boolean[] = [];
    collect.mockImplementation(function (this: Lease) {
      wasStuck.push(this.cell.isDoubtful);
    });
    try {
      expect((await fetch(`${started.url}/stuck`)).status).toBe(504);
      expect(new Set(wasStuck)).toEqual(new Set([false]));
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('a thread that could not start for want of descriptors takes nobody along', async () => {
    const greedy = `
      import { openSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      export default async (request) => {
        if (request.url.endsWith('?slow')) await setTimeout(200);
        try { while (request.url.endsWith('?all')) openSync('/dev/null'); } catch (error) { return error.code; }
        return String(process.pid);
      };`;
    await using started = await StartedHost.withReserves({ greedy }, {}, { greedy: { profile: 'trusted' } });
    const visit = async (query = ''): Promise<string> => (await fetch(`${started.url}/greedy${query}`)).text();
    const pid = await visit();
    expect(await visit('?all')).toBe('EMFILE');
    // The spare thread may have started before there were none: taken, it is to be replaced by one that cannot start.
    await Promise.all([visit('?slow'), visit('?slow')]);
    await eventually(
      () => started.host.ledger.obituaries,
      (obituaries) => obituaries.length > 0,
    );
    // For so long the end of its channel is waited for.
    await sleep(1200);
    expect(await visit()).toBe(pid);
    expect(new Set(started.host.ledger.obituaries.map(({ cause }) => cause))).toEqual(new Set(['crash']));
  });

  it('a group is never one of guests and trusted servlets', async () => {
    const here = `export default () => 'here';`;
    await using started = await StartedHost.start(
      { a: here, b: here },
      {},
      { a: { cell: 'shared' }, b: { cell: 'shared', profile: 'trusted' } },
    );
    await started.warm('/a', '/b');
    const cells = started.host.custodian.describe().flatMap((line) => /lease \d+ of cell (\d+)/.exec(line)?.[1] ?? []);
    expect(new Set(cells).size).toBe(2);
  });

  it("cell 'instance' gives each request a process that nobody had before", async () => {
    await using started = await startTrusted({ a: WHO }, {}, { a: { cell: 'instance' } });
    const found = [await who(started, '/a'), await who(started, '/a'), await who(started, '/a')];
    expect(new Set(found.map(({ pid }) => pid)).size).toBe(3);
    expect(found.map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it("unit 'instance' gives each request a thread that nobody had before", async () => {
    await using started = await startTrusted({ a: WHO }, {}, { a: { unit: 'instance' } });
    const found = [await who(started, '/a'), await who(started, '/a'), await who(started, '/a')];
    expect(new Set(found.map(({ thread, pid }) => `${pid} ${thread}`)).size).toBe(3);
    expect(found.map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it("unit 'servlet' has one thread for all", async () => {
    await using started = await startTrusted({ a: WHO }, {}, { a: { unit: 'servlet', spareThreads: 0 } });
    const found = await Promise.all(Array.from({ length: 6 }, () => who(started, '/a')));
    expect(new Set(found.map(({ thread, pid }) => `${pid} ${thread}`)).size).toBe(1);
    expect(new Set(found.map(({ count }) => count))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  });

  it('what a shared thread goes on with, when one of its requests is answered, is followed', async () => {
    await using started = await startTrusted({ a: OPEN_UNTIL_GO }, {}, { a: { unit: 'servlet', spareThreads: 0 } });
    await started.warm('/a');
    // Its first request may be followed still, and the sweeps go on beside the next one.
    vi.spyOn(Lease.prototype, 'watch').mockImplementation(() => {});
    const followed: string[] = [];
    const follow = vi.spyOn(Watchdog.prototype, 'follow');
    follow.mockImplementation(({ exchanges, isWatched }) => {
      followed.push(`${exchanges.size} ${isWatched ? 'watched' : 'new'}`);
    });
    try {
      const long = fetch(`${started.url}/a?long`);
      await eventually(
        () => followed,
        ({ length }) => length > 0,
      );
      await started.warm('/a', '/a?go');
      await (await long).text();
      expect(followed).toEqual(['1 new', '1 new', '1 new']);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('a request that takes its time is watched on, and refused when it is late, in a shared thread that goes on answering', async () => {
    const a = `export default async (request) => {
      if (request.url.endsWith('?long')) await new Promise(() => {});
      for (const until = performance.now() + 5; performance.now() < until;);
      return 'here';
    };`;
    const limits = { wallMs: 600, cpuMs: 200 };
    await using started = await startTrusted({ a }, { limits }, { a: { unit: 'servlet', spareThreads: 0 } });
    await started.warm('/a');
    const send = vi.spyOn(Cell.prototype, 'send');
    try {
      const long = fetch(`${started.url}/a?long`);
      let status = 0;
      void long.then((answer) => (status = answer.status));
      const others: number[] = [];
      while (status === 0 && others.length < 2000) others.push((await fetch(`${started.url}/a`)).status);
      expect([status, new Set(others)]).toEqual([504, new Set([200])]);
      const sent = send.mock.calls.map(([{ type }]) => type);
      // Around its 20th ms it may be watched twice.
      expect(sent.filter((type) => type === 'watch').length).toBeLessThan(4);
      expect(sent).toContain('renew');
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('a shared thread is watched anew now and then, beside a request that stays open', async () => {
    await using started = await startTrusted({ a: OPEN_UNTIL_GO }, {}, { a: { unit: 'servlet', spareThreads: 0 } });
    await started.warm('/a');
    const send = vi.spyOn(Cell.prototype, 'send');
    const count = (wanted: string): number => send.mock.calls.filter(([{ type }]) => type === wanted).length;
    try {
      const long = fetch(`${started.url}/a?long`);
      await eventually(
        () => count('watch'),
        (times) => times > 0,
      );
      for (let times = 0; times < 10; times++) await started.warm('/a');
      expect(count('unwatch')).toBeLessThan(3);
      await sleep(5000);
      const [watched, unwatched] = [count('watch'), count('unwatch')];
      await started.warm('/a');
      await eventually(
        () => [count('watch'), count('unwatch')],
        ([watches, unwatches]) => watches === watched + 1 && unwatches === unwatched + 1,
      );
      await started.warm('/a?go');
      expect((await long).status).toBe(200);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('a shared thread that has only waited has all of its CPU time for who comes next', async () => {
    const a = `export default async (request) => {
      const ms = Number(new URL(request.url, 'http://a').searchParams.get('ms'));
      if (ms === 0) await new Promise((resolve) => { globalThis.go = resolve; });
      for (const until = performance.now() + ms; performance.now() < until;);
      if (ms > 100) globalThis.go();
      return 'here';
    };`;
    await using started = await startTrusted(
      { a },
      { limits: { cpuMs: 400 } },
      { a: { unit: 'servlet', spareThreads: 0 } },
    );
    await started.warm('/a?ms=1');
    const send = vi.spyOn(Cell.prototype, 'send');
    const sent = (): ToCell[] => send.mock.calls.map(([message]) => message);
    try {
      const long = fetch(`${started.url}/a?ms=0`);
      await eventually(sent, (messages) => messages.some(({ type }) => type === 'watch'));
      await started.warm('/a?ms=1');
      await sleep(600);
      expect((await fetch(`${started.url}/a?ms=250`)).status).toBe(200);
      expect((await long).status).toBe(200);
      const renewed = sent().flatMap((message) => (message.type === 'renew' ? [message.cpuMs] : []));
      expect(new Set(renewed)).toEqual(new Set([400]));
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('a cell whose channels are used up is replaced, and nobody notices', async () => {
    await using started = await startTrusted({ a: WHO }, { profile: 'trusted' });
    const first = await who(started, '/a');
    for (let count = 0; count < 40; count++) {
      expect((await fetch(`${started.url}/a?exit`)).status).toBe(500);
      expect((await fetch(`${started.url}/a`)).status).toBe(200);
    }
    expect((await who(started, '/a')).pid).not.toBe(first.pid);
    // The old one has ended: there are one in use and a spare one.
    await eventually(
      () => started.host.custodian.describe().filter((line) => line.startsWith('cell ')),
      (cells) => cells.length <= 2,
    );
    expect(started.host.ledger.obituaries).toHaveLength(40);
  });

  it('an idle cell is closed in good order, and the next request gets another', async () => {
    await using started = await startTrusted({ a: WHO }, { limits: { cellIdleTimeoutMs: 300 } });
    const first = await who(started, '/a');
    await eventually(
      () => started.host.servlets[0]?.state,
      (state) => state === 'idle',
    );
    await eventually(
      () => started.host.custodian.describe().some((line) => line.includes(String(first.pid))),
      (isHeld) => !isHeld,
    );
    expect(started.host.ledger.obituaries).toEqual([]);
    const second = await who(started, '/a');
    expect([second.pid === first.pid, second.count]).toEqual([false, 1]);
  });

  it('shared garbage of short requests, right behind one another, does not bring one to its wall', async () => {
    const garbage = `
      export default () => {
        let sum = 0;
        for (let count = 0; count < 8; count++) sum += new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1)[count];
        return String(process.pid) + ' ' + String(sum);
      };`;
    await using started = await startTrusted({ garbage }, { limits: { heapMb: 50 } });
    const answers: string[] = [];
    for (let count = 0; count < 80; count++) answers.push(await (await fetch(`${started.url}/garbage`)).text());
    expect(new Set(answers)).toEqual(new Set([expect.stringMatching(/^\d+ 8$/)]));
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('a request is not held guilty of memory that a servlet at rest has kept in their cell', async () => {
    await using started = await StartedHost.start(
      {
        keeper: `const kept = []; export default () => { const shared = new SharedArrayBuffer(6 << 20); new Uint8Array(shared).fill(1); kept.push(shared); return 'kept'; };`,
        worker: `export default async () => { const end = Date.now() + 1500; while (Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20)); return 'worked'; };`,
      },
      { profile: 'guest' },
      { keeper: { cell: 'group' }, worker: { cell: 'group' } },
    );
    await started.warm('/keeper', '/worker');
    const worked = fetch(`${started.url}/worker`);
    await sleep(100);
    for (let count = 0; count < 300 && started.host.ledger.obituaries.length === 0; count++)
      await fetch(`${started.url}/keeper`).catch(() => null);
    const answer = await worked;
    expect([answer.status, await answer.text()]).toEqual([200, 'worked']);
    const [death, ...others] = started.host.ledger.obituaries;
    expect([death?.cause, others]).toEqual(['rss', []]);
    // Its wall is found to be passed between two requests of the keeper's, or during one.
    expect([null, 'GET /keeper']).toContain(death?.request);
  });

  it('memoryMb lets a servlet wait whose threads do not fit', async () => {
    await using started = await startTrusted(
      { a: WHO, b: WHO },
      { limits: { memoryMb: 60, heapMb: 50 } },
      // Only the one that is to wait in vain: the other's thread takes its time to start on a busy machine.
      { a: { spareThreads: 0 }, b: { spareThreads: 0, limits: { queueTimeoutMs: 500 } } },
    );
    expect((await who(started, '/a')).count).toBe(1);
    const refused = await fetch(`${started.url}/b`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await who(started, '/a')).count).toBe(2);
  });
});

describe('a servlet that can not be loaded', () => {
  it('is not started again and again, says why, and is tried when its file changes', async () => {
    await using started = await startTrusted({ broken: `throw new Error('not today');`, good: WHO });
    const first = await fetch(`${started.url}/broken`);
    expect([first.status, await first.text()]).toEqual([503, expect.stringContaining('not today')]);
    const pages = await Promise.all(Array.from({ length: 20 }, () => fetch(`${started.url}/broken`)));
    for (const page of pages) expect([page.status, page.headers.get('retry-after')]).toEqual([503, '1']);
    await sleep(3000);
    // Half a second, then one, then two: asked or not, it is not started in between.
    for (let count = 0; count < 20; count++) {
      expect((await fetch(`${started.url}/broken`)).status).toBe(503);
      await sleep(50);
    }
    expect(started.host.ledger.obituaries.length).toBeLessThanOrEqual(5);
    expect(started.host.servlets.find(({ name }) => name === 'broken')).toMatchObject({
      state: 'benched',
      error: expect.stringContaining('not today'),
    });
    expect((await fetch(`${started.url}/good`)).status).toBe(200);
    started.directory.write('broken', `export default () => 'repaired, and of another length';`);
    expect(await (await fetch(`${started.url}/broken`)).text()).toBe('repaired, and of another length');
  });
});

describe('a servlet whose cell is killed while it starts', () => {
  const SLOW = `await new Promise((resolve) => setTimeout(resolve, 400)); export default () => 'started';`;

  it.each([
    ['by a signal from nobody knows where', (_: StartedHost, pid: number) => process.kill(pid, 'SIGKILL')],
    ['by an operator', (started: StartedHost, pid: number) => started.host.killCell(pid)],
  ])('is started again at once when that was %s', async (_, kill) => {
    await using started = await startTrusted({ slow: SLOW }, {}, { slow: { spareThreads: 0 } });
    const answer = fetch(`${started.url}/slow`);
    for (let times = 1; times <= 2; times++) {
      const starting = await eventually(
        () => cellsAtWork(started),
        (cells) => cells.length === 1,
      );
      await kill(started, starting[0] as number);
      await eventually(
        () => started.host.ledger.obituaries.length,
        (count) => count === times,
      );
      expect(started.host.servlets[0]?.error).toBeNull();
    }
    expect(await (await answer).text()).toBe('started');
  });

  it('is benched when it seems to kill itself again and again', async () => {
    await using started = await startTrusted({ own: `process.kill(process.pid, 'SIGKILL'); export default () => '';` });
    expect((await fetch(`${started.url}/own`)).status).toBe(503);
    expect(started.host.servlets[0]).toMatchObject({ state: 'benched', error: 'Error: signal SIGKILL' });
    expect(started.host.ledger.obituaries).toHaveLength(3);
  });
});

describe('host.ledger', () => {
  it('host.ledger charges each request with its time, its memory and its bytes', async () => {
    await using started = await StartedHost.start({
      toil: `
        export default async (request) => {
          const until = process.threadCpuUsage().user + 60_000;
          const hoard = Buffer.alloc(8 << 20, 1);
          while (process.threadCpuUsage().user < until);
          await new Promise((resolve) => setTimeout(resolve, 160));
          return String(hoard.length);
        };`,
    });
    expect((await fetch(`${started.url}/toil`)).status).toBe(200);
    expect((await fetch(`${started.url}/toil`, { method: 'POST', body: 'x'.repeat(1000) })).status).toBe(200);
    const [first, second] = started.host.ledger.recent;
    for (const record of [first, second]) {
      expect(record).toMatchObject({ servlet: 'toil', status: 200 });
      expect(record?.cpuMs).toBeGreaterThan(40);
      expect(record?.wallMs).toBeGreaterThan(215);
      expect(record?.peakBytes).toBeGreaterThan(8 << 20);
      expect(record?.bytesOut).toBeGreaterThan(8);
    }
    expect([first?.bytesIn, second?.bytesIn]).toEqual([0, 1000]);
    expect(started.host.ledger.account('toil')).toMatchObject({ requests: 2, failures: 0, kills: 0 });
  });
});
