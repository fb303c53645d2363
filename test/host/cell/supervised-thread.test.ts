import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { LeaseOrder } from '@custodian/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AFTER_SUPERVISOR } from '../../../packages/host/src/cell/cell-memory.ts';
import { LookPace } from '../../../packages/host/src/cell/look-pace.ts';
import { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';
import { newTask, TaskStat, taskNumbers } from '../../../packages/host/src/cell/task-stat.ts';
import { ThreadMeter } from '../../../packages/host/src/cell/thread-meter.ts';
import { eventually } from '../../support/eventually.ts';

const MB = 1 << 20;
/** Takes 32 MB of heap when it is told to, says so, and answers nobody until it may go on. It has no garbage of its start. */
const WORK = `const { parentPort } = require('node:worker_threads');
parentPort.on('message', (flags) => {
  globalThis.held = new Array(4 << 20).fill(1.5);
  Atomics.store(flags, 0, 1);
  Atomics.wait(flags, 1, 0);
});
require('node:v8').setFlagsFromString('--expose-gc');
require('node:vm').runInNewContext('gc')();
parentPort.postMessage('here');`;

describe('SupervisedThread', () => {
  let thread: SupervisedThread;
  let worker: Worker;
  let gone: PromiseWithResolvers<void>;
  let nowMs = 1000;

  beforeEach(async () => {
    gone = Promise.withResolvers();
    const order = { lease: 1, heapMaxBytes: 1000 * MB } as LeaseOrder;
    thread = new SupervisedThread(
      order,
      () => {},
      () => gone.resolve(),
      () => nowMs,
    );
    worker = new Worker(WORK, { eval: true });
    thread.attach(worker, null);
    await once(worker, 'message');
  });

  afterEach(async () => {
    await worker.terminate();
    await gone.promise;
  });

  it('SupervisedThread answers who asks for a sample while one is on its way when that has come', async () => {
    void thread.sample();
    expect(thread.lastSample.heapBytes).toBe(0);
    await thread.sample();
    expect(thread.lastSample.heapBytes).toBeGreaterThan(MB);
  });

  it('SupervisedThread tells nothing of what its start was charged with when that is over', () => {
    thread.watch(10_000);
    thread.onUnexplained(50 * MB);
    expect(thread.tell()).toMatchObject({ isStarting: true, unexplainedBytes: 50 * MB });
    thread.unwatch();
    expect(thread.tell()).toMatchObject({ isStarting: false, unexplainedBytes: 0 });
    thread.watch(10_000);
    thread.onUnexplained(30 * MB);
    thread.unwatch();
    expect(thread.tell().unexplainedBytes).toBe(30 * MB);
  });

  it('SupervisedThread has to be asked when it is watched anew, when another works, and when its process has grown', async () => {
    thread.watch(10_000);
    expect(thread.look(100 * MB, 0)).toBe(true);
    await thread.sample(100 * MB);
    expect(thread.look(100.5 * MB, 0)).toBe(false);
    expect(thread.look(100.5 * MB, Infinity)).toBe(true);
    expect(thread.look(102 * MB, 0)).toBe(false);
    // At once only if it is much of the room that is left, and else after a while.
    expect(thread.look(350 * MB, 0)).toBe(true);
    nowMs += 50;
    expect(thread.look(100.5 * MB, 0)).toBe(false);
    expect(thread.look(102 * MB, 0)).toBe(true);
    thread.onOthersMemory();
    expect(thread.look(100 * MB, 0)).toBe(true);
    await thread.sample(100 * MB);
    thread.watch(10_000);
    expect(thread.look(100 * MB, 0)).toBe(true);
  });

  it('SupervisedThread tells of a new peak at once if that is much of the room that was left, and else after a while', async () => {
    thread.watch(10_000);
    expect(thread.isAtPeak).toBe(false);
    await thread.sample(100 * MB);
    expect(thread.isAtPeak).toBe(true);
    thread.tell();
    thread.onUnexplained(50 * MB);
    expect(thread.isAtPeak).toBe(false);
    thread.onUnexplained(500 * MB);
    expect(thread.isAtPeak).toBe(true);
    thread.onUnexplained(50 * MB);
    nowMs += 50;
    expect(thread.isAtPeak).toBe(true);
  });

  it('SupervisedThread counts once what it is charged with while it does not answer, and what it says of it then', async () => {
    thread.watch(10_000);
    await thread.sample(100 * MB);
    const before = thread.lastSample.heapBytes;
    const flags = new Int32Array(new SharedArrayBuffer(8));
    worker.postMessage(flags);
    while (Atomics.load(flags, 0) === 0) await sleep(1);
    const answered = thread.sample(135 * MB);
    thread.onUnexplained(35 * MB);
    Atomics.store(flags, 1, 1);
    Atomics.notify(flags, 1);
    await answered;
    expect(thread.lastSample.heapBytes - before).toBeGreaterThan(31 * MB);
    expect(thread.lastSample.unexplainedBytes).toBeLessThan(5 * MB);
    // It has answered by now: what it is charged with is not in its heap.
    thread.onUnexplained(10 * MB);
    await thread.sample(145 * MB);
    expect(thread.lastSample.unexplainedBytes).toBe(10 * MB);
  });

  it('SupervisedThread is looked at again when its answer should be here, and before that if it may be over its cap', async () => {
    thread.watch(10_000);
    await thread.sample(100 * MB);
    const { heapBytes, offHeapBytes } = thread.lastSample;
    thread.adjust(heapBytes + offHeapBytes + 20 * MB);
    thread.look(100 * MB, 0);
    expect(thread.lookAgainMs).toBe(10);
    let answered = thread.sample(100 * MB);
    expect(thread.lookAgainMs).toBe(30);
    nowMs += 15;
    expect(thread.lookAgainMs).toBe(15);
    thread.look(121 * MB, 0);
    expect(thread.lookAgainMs).toBe(10);
    await answered;
    expect(thread.lookAgainMs).toBe(10);
    nowMs += 1000;
    thread.look(100 * MB, 0);
    answered = thread.sample(100 * MB);
    nowMs += 31;
    expect(thread.lookAgainMs).toBe(10);
    await answered;
  });

  it('SupervisedThread that is in a native call is looked at as seldom as another', async () => {
    thread.watch(10_000);
    await thread.sample(100 * MB);
    const answered = thread.sample(100 * MB);
    for (let look = 0; look < 3; look++) {
      nowMs += 100;
      thread.look(100 * MB, 0);
    }
    expect(thread.lookAgainMs).toBe(50);
    await answered;
  });

  it('SupervisedThread is looked at again by what it says itself, where its process need not grow for that', async () => {
    thread.watch(10_000);
    await thread.sample(100 * MB);
    const stated = (): number => thread.lastSample.heapBytes + thread.lastSample.offHeapBytes;
    const before = stated();
    const flags = new Int32Array(new SharedArrayBuffer(8));
    worker.postMessage(flags);
    while (Atomics.load(flags, 0) === 0) await sleep(1);
    Atomics.store(flags, 1, 1);
    Atomics.notify(flags, 1);
    nowMs += 30;
    await thread.sample(100 * MB);
    const grownBytes = stated() - before;
    expect(grownBytes).toBeGreaterThan(30 * MB);
    thread.adjust(stated() + (4 / 3) * grownBytes);
    // So much may be hidden, and it is still below its cap.
    for (let look = 0; look < 2; look++) expect(thread.look(100 * MB, grownBytes)).toBe(false);
    expect(thread.lookAgainMs).toBe(30);
    expect(thread.look(100 * MB, 1.5 * grownBytes)).toBe(true);
    // It takes 4/3 as much as in those 30 ms, and may double its speed.
    expect(thread.lookAgainMs).toBeCloseTo(20);
  });

  it('SupervisedThread has to be asked when it can be over its cap, even below what its process had', async () => {
    thread.watch(10_000);
    await thread.sample(200 * MB);
    await thread.sample(100 * MB);
    const { heapBytes, offHeapBytes } = thread.lastSample;
    thread.adjust(heapBytes + offHeapBytes + 20 * MB);
    expect(thread.look(119 * MB, 0)).toBe(false);
    expect(thread.look(121 * MB, 0)).toBe(true);
  });

  it('SupervisedThread has to be asked when it can have used up its CPU time, and now and then', async () => {
    for (const [cpuMaxMs, dueAfterMs] of [
      [30, 30],
      [10_000, 126],
    ] as const) {
      thread.watch(cpuMaxMs);
      await thread.sample(100 * MB);
      nowMs += dueAfterMs - 1;
      expect(thread.look(100 * MB, 0)).toBe(false);
      nowMs++;
      expect(thread.look(100 * MB, 0)).toBe(true);
    }
  });

  it('SupervisedThread whose CPU time is renewed has all of it from then on', async () => {
    thread.watch(30);
    await thread.sample(100 * MB);
    nowMs += 29;
    thread.renew(40);
    expect(thread.look(100 * MB, 0)).toBe(true);
    await thread.sample(100 * MB);
    nowMs += 39;
    expect(thread.look(100 * MB, 0)).toBe(false);
    nowMs++;
    expect(thread.look(100 * MB, 0)).toBe(true);
  });

  it('SupervisedThread is calm until it has to be asked, from when it has answered and that has been told', async () => {
    thread.watch(10_000);
    expect(thread.calmUntil).toBe(-Infinity);
    thread.look(100 * MB, 0);
    const answered = thread.sample(100 * MB);
    expect(thread.calmUntil).toBe(-Infinity);
    await answered;
    expect([thread.isAtPeak, thread.calmUntil]).toEqual([true, -Infinity]);
    thread.tell();
    expect(thread.calmUntil).toBe(nowMs + 125);
    expect(thread.calmMs).toBe(50);
    expect(thread.calmBytes).toBe(101 * MB);
    thread.onUnexplained(64 * MB);
    expect(thread.calmBytes / MB).toBeGreaterThan(102);
    thread.onUnexplained(0);
    // An ended thread has left as much as it has room, but for half a MB.
    thread.look(100 * MB, thread.roomBytes - 0.5 * MB);
    expect(thread.calmBytes).toBe(100.5 * MB);
    thread.look(100 * MB, 0);
    // Another works, and may give back what this one takes.
    thread.look(100 * MB, Infinity);
    expect(thread.calmUntil).toBe(-Infinity);
    thread.look(100 * MB, 0);
    thread.watch(40);
    await thread.sample(100 * MB);
    thread.tell();
    expect(thread.calmUntil).toBe(nowMs + 40);
    thread.collect();
    expect(thread.calmUntil).toBe(-Infinity);
  });

  it('SupervisedThread is at no peak when its request is over, unless that is much of its room', async () => {
    thread.watch(10_000);
    await thread.sample(100 * MB);
    expect(thread.isAtPeak).toBe(true);
    thread.unwatch();
    expect(thread.isAtPeak).toBe(false);
    thread.adjust(2 * MB);
    expect(thread.isAtPeak).toBe(true);
  });

  it.runIf(process.platform === 'linux')(
    'SupervisedThread takes no thread for one in a native call that has only had no processor to answer',
    async () => {
      const tasks = taskNumbers();
      const busy = new Worker(
        `const { parentPort } = require('node:worker_threads');
        const { scryptSync } = require('node:crypto');
        parentPort.on('message', ({ flags, sleeps }) => {
          Atomics.store(flags, 0, 1);
          if (sleeps) require('node:child_process').spawnSync('sleep', ['2']);
          else scryptSync('x', 'salt', 64, { N: 2 ** 15, r: 8, p: 12, maxmem: 2 ** 27 });
        });
        parentPort.postMessage('here');`,
        { eval: true },
      );
      const task = newTask(tasks);
      await once(busy, 'message');
      const order = { lease: 2, heapMaxBytes: 1000 * MB } as LeaseOrder;
      const asked = new SupervisedThread(
        order,
        () => {},
        () => {},
        () => nowMs,
      );
      asked.attach(busy, task);
      const flags = new Int32Array(new SharedArrayBuffer(4));
      busy.postMessage({ flags, sleeps: false });
      while (Atomics.load(flags, 0) !== 1) await sleep(1);
      asked.askKernel();
      const before = asked.lastSample.cpuMs;
      // It would answer before it is in its call.
      await eventually(
        () => asked.askKernel() && asked.lastSample.cpuMs - before > 20,
        (isInCall) => isInCall,
      );
      void asked.sample();
      // No time has passed but on the clock.
      nowMs += 60;
      expect(asked.looksStuck()).toBe(false);
      await eventually(
        () => asked.looksStuck(),
        (isStuck) => isStuck,
      );
      // Nor does one answer that sleeps where nothing wakes it.
      await asked.sample();
      Atomics.store(flags, 0, 0);
      busy.postMessage({ flags, sleeps: true });
      while (Atomics.load(flags, 0) !== 1) await sleep(1);
      await sleep(200);
      void asked.sample();
      expect(asked.looksStuck()).toBe(false);
      nowMs += 60;
      expect(asked.looksStuck()).toBe(true);
      await busy.terminate();
    },
  );

  it('SupervisedThread knows one in a native call by its sleep, too, if that call had worked before', () => {
    const cpuMs = vi.spyOn(TaskStat.prototype, 'cpuMs').mockReturnValue(100);
    const isRunnable = vi.spyOn(TaskStat.prototype, 'isRunnable').mockReturnValue(true);
    try {
      const asked = new SupervisedThread(
        { lease: 2, heapMaxBytes: 1000 * MB } as LeaseOrder,
        () => {},
        () => {},
        () => nowMs,
      );
      asked.attach(worker, process.pid);
      void asked.sample();
      const looks: boolean[] = [];
      for (const [worked, runnable] of [
        [0, true],
        [5, false],
        [5, true],
        [9, false],
        [9, false],
      ] as const) {
        cpuMs.mockReturnValue(100 + worked);
        isRunnable.mockReturnValue(runnable);
        nowMs += 60;
        looks.push(asked.looksStuck());
      }
      // Without a processor; has just worked; without a processor; has just worked; has slept since.
      expect(looks).toEqual([false, false, false, false, true]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('SupervisedThread that is to end, and had answered before, is known for one in a native call when it does not end', () => {
    const cpuMs = vi.spyOn(TaskStat.prototype, 'cpuMs').mockReturnValue(100);
    vi.spyOn(TaskStat.prototype, 'isRunnable').mockReturnValue(true);
    try {
      const ended = new SupervisedThread(
        { lease: 2, heapMaxBytes: 1000 * MB } as LeaseOrder,
        () => {},
        () => {},
        () => nowMs,
      );
      ended.attach(worker, process.pid);
      ended.end();
      cpuMs.mockReturnValue(160);
      nowMs += 40;
      expect(ended.looksStuck()).toBe(false);
      nowMs += 20;
      expect(ended.looksStuck()).toBe(true);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it.runIf(process.platform === 'linux')(
    'SupervisedThread says how much one in a native call has worked, also when it is to end: no other is alone meanwhile',
    async () => {
      const tasks = taskNumbers();
      const busy = new Worker(
        `const { parentPort } = require('node:worker_threads');
        const { scryptSync } = require('node:crypto');
        parentPort.once('message', () => scryptSync('x', 'salt', 64, { N: 2 ** 15, r: 8, p: 16, maxmem: 2 ** 27 }));
        parentPort.postMessage('here');`,
        { eval: true },
      );
      const task = newTask(tasks);
      expect(task).not.toBeNull();
      await once(busy, 'message');
      const order = { lease: 2, heapMaxBytes: 1000 * MB } as LeaseOrder;
      const ended = new SupervisedThread(
        order,
        () => {},
        () => {},
      );
      ended.attach(busy, task);
      const before = ended.reading().cpuMs;
      busy.postMessage('go');
      ended.end();
      await eventually(
        () => ended.reading().cpuMs - before,
        (ms) => ms > 20,
      );
      // By the kernel's word alone: it has not been asked.
      expect(ended.lastSample.heapBytes).toBe(0);
      await busy.terminate();
    },
  );
});

describe.runIf(process.platform === 'linux')('TaskStat', () => {
  it('TaskStat tells what the thread itself is told', () => {
    const started = process.threadCpuUsage();
    const task = new TaskStat(process.pid);
    const before = task.cpuMs() as number;
    const faults = task.faults() as number;
    const touched = new Uint8Array(8 * MB).fill(1);
    while (process.threadCpuUsage(started).user < 50_000);
    const used = process.threadCpuUsage(started);
    expect((task.cpuMs() as number) - before).toBeCloseTo((used.user + used.system) / 1000, -1);
    expect((task.faults() as number) - faults).toBeGreaterThanOrEqual(touched.length / 4096 / 512);
    expect(task.isRunnable()).toBe(true);
    expect(new TaskStat(0).cpuMs()).toBeNull();
    expect(new TaskStat(0).isRunnable()).toBeNull();
  });
});

describe('LookPace', () => {
  let nowMs = 0;
  /** What a new one says after each of these looks: after so many ms it held so much of so much. */
  const paced = (...looks: [afterMs: number, mb: number, maxMb: number][]): number[] => {
    const pace = new LookPace(() => nowMs);
    return looks.map(([afterMs, mb, maxMb]) => {
      nowMs += afterMs;
      pace.see(mb * MB);
      return Math.round(pace.nextMs((maxMb - mb) * MB));
    });
  };

  it('LookPace looks sooner the less room is left, within bounds, while it is not known how fast it grows', () => {
    expect([-1, 0, 8, 100, 120, 1000].map((roomMb) => paced([0, 0, roomMb])[0])).toEqual([10, 10, 10, 25, 30, 50]);
    expect(paced([0, 12, 20], [10, 12, 20], [1000, 12, 20])).toEqual([10, 30, 10]);
  });

  it('LookPace lets what does not grow rest for 30 ms at least', () => {
    expect(paced([0, 12, 20], [10, 12, 20], [30, 11, 20])).toEqual([10, 30, 30]);
    expect(paced([0, 12, 200], [10, 12, 200])).toEqual([47, 47]);
  });

  it('LookPace lets what another sees first rest for longer, as long as it does not grow', () => {
    const pace = new LookPace(() => nowMs, AFTER_SUPERVISOR);
    const next = (afterMs: number, mb: number): number => {
      nowMs += afterMs;
      pace.see(mb * MB);
      return Math.round(pace.nextMs((200 - mb) * MB));
    };
    expect([next(0, 100), next(25, 100), next(201, 100), next(10, 150), next(10, 200)]).toEqual([25, 200, 200, 10, 10]);
  });

  it('LookPace looks often at what is over', () => {
    expect(paced([0, 22, 20], [10, 22, 20], [10, 21, 20])).toEqual([10, 10, 10]);
  });

  it('LookPace is there before what grows is at its maximum, at twice the speed that it had', () => {
    expect(paced([0, 12, 60], [10, 20, 60], [25, 40, 60])).toEqual([12, 25, 13]);
  });

  it('LookPace does not take what falls and rises again for growth', () => {
    expect(paced([0, 16, 24], [30, 12, 24], [30, 15, 24]).slice(1)).toEqual([30, 30]);
  });
});

describe('ThreadMeter', () => {
  it('ThreadMeter charges a request with what it was seen with, and not with what the one before it had', () => {
    const meter = new ThreadMeter();
    const seen = (heapBytes: number, unexplainedBytes: number): void => {
      meter.onSample({
        lease: 1,
        heapBytes,
        offHeapBytes: 0,
        unexplainedBytes,
        cpuMs: 1,
        running: 0,
        isStarting: false,
      });
    };
    meter.beginRequest();
    seen(20 * MB, 60 * MB);
    expect(meter.requestPeakBytes).toBe(80 * MB);
    meter.beginRequest();
    seen(12 * MB, 0);
    expect(meter.requestPeakBytes).toBe(12 * MB);
  });

  it('ThreadMeter charges a request with nothing that its thread took to start, whether its supervisor knows that it has or not', () => {
    const meter = new ThreadMeter();
    const seen = (unexplainedBytes: number, isStarting: boolean): void => {
      meter.onSample({
        lease: 1,
        heapBytes: 12 * MB,
        offHeapBytes: 0,
        unexplainedBytes,
        cpuMs: 1,
        running: 0,
        isStarting,
      });
    };
    seen(50 * MB, true);
    expect(meter.heldBytes).toBe(62 * MB);
    meter.endStart();
    meter.beginRequest();
    expect(meter.requestPeakBytes).toBe(12 * MB);
    seen(50 * MB, true);
    expect(meter.requestPeakBytes).toBe(12 * MB);
    seen(8 * MB, false);
    expect(meter.requestPeakBytes).toBe(20 * MB);
  });

  it('ThreadMeter charges a request that was over before a sample with what was seen last', () => {
    const meter = new ThreadMeter();
    meter.onSample({
      lease: 1,
      heapBytes: 12 * MB,
      offHeapBytes: 0,
      unexplainedBytes: 0,
      cpuMs: 1,
      running: 0,
      isStarting: false,
    });
    meter.beginRequest();
    expect(meter.requestPeakBytes).toBe(12 * MB);
  });
});
