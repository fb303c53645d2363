import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryWatch } from '../../../packages/host/src/cell/memory-watch.ts';
import { OwnMemory } from '../../../packages/host/src/cell/own-memory.ts';
import { residentBytes } from '../../../packages/host/src/cell/resident-bytes.ts';
import type { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';
import { NEWBORN, type ThreadReading } from '../../../packages/host/src/cell/unexplained-memory.ts';
import { StartedHost } from '../../support/started-host.ts';

const MB = 1 << 20;
const CAP = { heapMb: 40 };
/** Busy for a while without keeping anything, and then says so. */
const WORK = `export default async () => {
  const until = Date.now() + 1500;
  while (Date.now() < until) {
    for (let i = 0; i < 1e5; i++) JSON.stringify({ i });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return 'worked';
};`;
/** What shows in no statistic of its thread. */
const HOARD = `const hoard = []; export default async () => {
  for (;;) {
    hoard.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
    await new Promise((resolve) => setImmediate(resolve));
  }
};`;

afterEach(() => {
  vi.useRealTimers();
});

/** Of this process, until the last test is over: what is collected in the middle of one would be missing there. */
const held: Buffer[] = [];

/** Stands in for the only thread of a cell, which is this process. */
class StandIn {
  isWatched = false;
  isTakenDown = false;
  isStarting = false;
  isToBeSettled = false;
  isAtPeak = false;
  beforeBytes = -1;
  running = { current: 0 };
  stated = NEWBORN;
  heapMaxBytes = 1024 * MB;
  roomBytes = 1024 * MB;
  lastSample = { unexplainedBytes: 0 };
  /** What it was told to be charged with, in MB. */
  readonly told: number[] = [];
  readonly thread = this as unknown as SupervisedThread;
  readonly watch = new MemoryWatch(new Map([[1, this.thread]]), { onCharged() {}, onBreach() {} }, new OwnMemory(), {
    bytes: 0,
  });

  get isSuspect(): boolean {
    return this.isWatched && !this.isTakenDown;
  }

  sample(): Promise<void> {
    return Promise.resolve();
  }

  reading(): ThreadReading {
    return { ...NEWBORN, isSuspect: this.isSuspect };
  }

  onUnexplained(bytes: number): void {
    this.told.push(bytes / MB);
  }

  async writeHeapSnapshot(): Promise<void> {
    this.look();
    held.push(Buffer.alloc(64 * MB, 1));
  }

  look(isLong = true): void {
    this.watch.look(residentBytes(), isLong, [this.thread]);
  }
}

describe('MemoryWatch', () => {
  it('MemoryWatch blames no thread for the start of fifteen others in its cell', async () => {
    const names = Array.from({ length: 15 }, (_, i) => `other${i}`);
    await using started = await StartedHost.start(
      { work: WORK, ...Object.fromEntries(names.map((name) => [name, `export default () => 'ok';`])) },
      { limits: { ...CAP, rssMb: 2000, wallMs: 60_000, queueTimeoutMs: 60_000 } },
      Object.fromEntries(['work', ...names].map((name) => [name, { cell: 'all', spareThreads: 0 }])),
    );
    await started.warm(`/${names[0]}`);
    const work = fetch(`${started.url}/work`);
    const others = await Promise.all(names.map((name) => fetch(`${started.url}/${name}`)));
    expect(others.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect(await (await work).text()).toBe('worked');
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('MemoryWatch ends the thread that hoards, and not the one that works beside it in the same cell', async () => {
    await using started = await StartedHost.start(
      { work: WORK, hoard: HOARD },
      { limits: { ...CAP, rssMb: 2000, cpuMs: 20_000, wallMs: 60_000 } },
      { work: { cell: 'all', spareThreads: 0 }, hoard: { cell: 'all', spareThreads: 0 } },
    );
    await started.warm('/work');
    const [work, hoard] = await Promise.all(
      ['work', 'hoard'].map(async (name) => (await fetch(`${started.url}/${name}`)).text()),
    );
    expect(work).toBe('worked');
    expect(hoard).toContain('LIMIT_HEAP');
    expect(started.host.ledger.obituaries.map(({ servlet, cause }) => [servlet, cause])).toEqual([['hoard', 'rss']]);
  });

  it('MemoryWatch charges a request with memory that no statistics show, and the one beside it with none of it', async () => {
    const hold = `export default async (request) => {
      const mb = Number(request.query.get('mb'));
      const held = Array.from({ length: mb }, () => new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return String(held.length);
    };`;
    await using started = await StartedHost.start(
      { hold, other: hold },
      { limits: { heapMb: 100, rssMb: 2000 } },
      { hold: { cell: 'all' }, other: { cell: 'all' } },
    );
    await Promise.all(['/hold?mb=0', '/other?mb=0'].map((path) => started.warm(path)));
    await Promise.all(['/hold?mb=60', '/other?mb=1'].map((path) => started.warm(path)));
    const peakMb = Object.fromEntries(
      started.host.ledger.recent.map(({ url, peakBytes }) => [url, Math.round(peakBytes / 1048576)]),
    );
    const more = (path: string, mb: number): number => peakMb[`${path}?mb=${mb}`]! - peakMb[`${path}?mb=0`]!;
    // Two threads work at once: what only one of them can have taken is charged, so that it is rather less than more.
    expect(more('/hold', 60)).toBeGreaterThan(54);
    expect(more('/hold', 60)).toBeLessThan(66);
    expect(more('/other', 1)).toBeLessThan(6);
  });

  it('MemoryWatch charges a request with what it took before it was watched', async () => {
    await using started = await StartedHost.start(
      {
        quick: `export default async (request) => {
          const mb = Number(request.query.get('mb'));
          const held = Array.from({ length: mb }, () => new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
          await new Promise((resolve) => setTimeout(resolve, Number(request.query.get('ms'))));
          return String(held.length);
        };`,
      },
      { limits: { heapMb: 100, rssMb: 2000 } },
    );
    // The first one has garbage of the thread's start.
    await started.warm('/quick?mb=0&ms=300', '/quick?mb=0&ms=150', '/quick?mb=12&ms=150');
    const [, empty, full] = started.host.ledger.recent.map(({ peakBytes }) => peakBytes / 1048576);
    expect(full! - empty!).toBeGreaterThan(9);
    expect(full! - empty!).toBeLessThan(16);
  });

  it('MemoryWatch charges a request with nothing that the one right before it had', async () => {
    await using started = await StartedHost.start(
      {
        hold: `export default async (request) => {
          const mb = Number(request.query.get('mb'));
          const held = Array.from({ length: mb }, () => new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
          await new Promise((resolve) => setTimeout(resolve, 300));
          return String(held.length);
        };`,
      },
      { limits: { heapMb: 100, rssMb: 2000 } },
    );
    // The next one runs already when the process is found at rest, and is not watched yet.
    await started.warm('/hold?mb=0', '/hold?mb=0', '/hold?mb=30', '/hold?mb=0', '/hold?mb=0');
    const [, empty, full, ...after] = started.host.ledger.recent.map(({ peakBytes }) => peakBytes / 1048576);
    expect(full! - empty!).toBeGreaterThan(27);
    expect(after).toHaveLength(2);
    for (const peakMb of after) expect(peakMb - empty!).toBeLessThan(3);
  });

  it('MemoryWatch charges no request with what its servlet took to load, not even the first, which follows at once', async () => {
    await using started = await StartedHost.start(
      {
        hold: `const held = Array.from({ length: 50 }, () => new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));
        export default async () => {
          await new Promise((resolve) => setTimeout(resolve, 300));
          return String(held.length);
        };`,
      },
      { limits: { heapMb: 100, rssMb: 2000 } },
    );
    await started.warm('/hold', '/hold');
    for (const { peakBytes } of started.host.ledger.recent) expect(peakBytes / 1048576).toBeLessThan(35);
  });

  it('MemoryWatch ends a thread that hoards while it is loaded', async () => {
    await using started = await StartedHost.start(
      { hoard: `const hoard = []; for (;;) hoard.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));` },
      { limits: { ...CAP, rssMb: 2000 } },
    );
    expect((await fetch(`${started.url}/hoard`)).status).toBe(503);
    expect(started.host.ledger.obituaries[0]).toMatchObject({ servlet: 'hoard', cause: 'rss', limit: 'heapMb' });
  });
});

it.skipIf(!existsSync('/proc/self/task'))(
  'MemoryWatch looks at once whose memory has come when it may be much of a room',
  () => {
    const toldAtOnce = (roomMb: number): number[] => {
      const standIn = new StandIn();
      Object.assign(standIn, { isWatched: true, running: { current: 1 }, roomBytes: roomMb * MB });
      vi.useFakeTimers({ toFake: ['performance'] });
      standIn.watch.begin(standIn.thread, 0);
      standIn.look();
      standIn.told.length = 0;
      held.push(Buffer.alloc(64 * MB, 1));
      standIn.look(false);
      return standIn.told;
    };
    expect(toldAtOnce(1000)).toEqual([]);
    expect(toldAtOnce(200)).toHaveLength(1);
  },
);

it.skipIf(!existsSync('/proc/self/task'))(
  'MemoryWatch is calm while who works is charged with all that can be its doing, and nothing waits to be settled',
  () => {
    const standIn = new StandIn();
    const { watch, thread } = standIn;
    const isCalmWith = (moreMb = 0): boolean => watch.isCalmAt(residentBytes() + moreMb * MB);
    expect(isCalmWith()).toBe(false);
    Object.assign(standIn, { isWatched: true, running: { current: 1 } });
    watch.begin(thread, 0);
    standIn.look();
    expect([0, 64, 2000].map(isCalmWith)).toEqual([true, false, false]);
    standIn.isToBeSettled = true;
    expect(isCalmWith()).toBe(false);
    standIn.isToBeSettled = false;
    expect(isCalmWith()).toBe(true);
    standIn.isWatched = false;
    expect(isCalmWith()).toBe(false);
  },
);

it.skipIf(!existsSync('/proc/self/task'))(
  'MemoryWatch tells a thread what came before its request, as far as it is charged with that, and what there is when it has collected',
  () => {
    const standIn = new StandIn();
    const { watch, thread, told } = standIn;
    const expectBefore = (mb: number): void => expect(Math.abs(standIn.beforeBytes - mb * MB)).toBeLessThan(8 * MB);
    standIn.look();
    held.push(Buffer.alloc(64 * MB, 1));
    const beforeBytes = residentBytes();
    held.push(Buffer.alloc(32 * MB, 1));
    standIn.isWatched = true;
    watch.begin(thread, beforeBytes);
    expectBefore(64);
    // Another one worked when that was over: it is charged with all of it still.
    standIn.look();
    watch.begin(thread, residentBytes());
    expectBefore(96);
    watch.begin(thread, 0);
    expectBefore(96);
    // What has gone meanwhile.
    watch.begin(thread, residentBytes() + 64 * MB);
    expectBefore(96);
    told.length = 0;
    held.push(Buffer.alloc(32 * MB, 1));
    watch.onCollected(thread, residentBytes());
    expect(told).toHaveLength(1);
    expect(Math.abs((told[0] as number) - 128)).toBeLessThan(8);
  },
);

describe('MemoryWatch.writeHeapSnapshot()', () => {
  it.skipIf(!existsSync('/proc/self/task'))(
    'writeHeapSnapshot() lays what it takes to no request, neither one that runs nor the next, and what comes then to that',
    async () => {
      for (const isAtRequest of [true, false]) {
        const standIn = new StandIn();
        const { watch, thread, told } = standIn;
        Object.assign(standIn, { isWatched: isAtRequest, running: { current: isAtRequest ? 1 : 0 } });
        if (isAtRequest) watch.begin(thread, 0);
        standIn.look();
        await watch.writeHeapSnapshot(thread, 'file');
        Object.assign(standIn, { isWatched: true, running: { current: 1 } });
        if (!isAtRequest) watch.begin(thread, 0);
        standIn.look();
        expect(told.at(-1)).toBe(0);
        held.push(Buffer.alloc(64 * MB, 1));
        standIn.look();
        // What came while it was looked is sure a look later.
        standIn.look();
        expect(told.at(-1)).toBeGreaterThan(56);
        expect(told.at(-1)).toBeLessThan(72);
      }
    },
  );
});

describe('SupervisedThread', () => {
  it('SupervisedThread gives loading an allowance of its own', async () => {
    const load = `const until = performance.now() + 400; while (performance.now() < until);`;
    await using started = await StartedHost.start(
      { slow: `${load} export default () => 'loaded';` },
      { limits: { cpuMs: 100 } },
    );
    expect(await (await fetch(`${started.url}/slow`)).text()).toBe('loaded');
  });

  it('SupervisedThread ends a thread that loads for too much CPU time, and the obituary names that limit', async () => {
    await using started = await StartedHost.start(
      { endless: `for (;;);` },
      { limits: { loadCpuMs: 300, cpuMs: 60_000 } },
    );
    expect((await fetch(`${started.url}/endless`)).status).toBe(503);
    expect(started.host.ledger.obituaries[0]).toMatchObject({ cause: 'cpu', limit: 'loadCpuMs', limitValue: 300 });
  });

  it.runIf(process.platform === 'linux')(
    'SupervisedThread holds a native call, which answers nobody, to the CPU time that the kernel tells',
    async () => {
      await using started = await StartedHost.start(
        {
          long: `import { pbkdf2Sync } from 'node:crypto'; export default () => pbkdf2Sync('x', 'y', 1e8, 64, 'sha512').toString('hex');`,
        },
        { limits: { cpuMs: 300, wallMs: 20_000 } },
      );
      const answer = await fetch(`${started.url}/long`);
      expect(answer.status).toBe(504);
      expect(await answer.text()).toContain('LIMIT_CPU');
      expect(started.host.ledger.obituaries[0]).toMatchObject({ cause: 'cpu', limit: 'cpuMs' });
    },
  );
});
