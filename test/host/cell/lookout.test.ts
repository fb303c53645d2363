import type { ThreadSample } from '@custodian/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Lookout } from '../../../packages/host/src/cell/lookout.ts';
import type { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';

const MB = 1 << 20;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Stands in for a thread whose samples come at once. */
class StandIn {
  isWatched = true;
  isAsked = false;
  hasMoved = false;
  isEnding = false;
  isAtPeak = false;
  isDue = false;
  calmMs = 30;
  calmUntil = Infinity;
  calmBytes = 101 * MB;
  lookAgainMs = 30;
  /** When, in ms. */
  readonly lookedAt: number[] = [];
  readonly seenAt: number[] = [];
  readonly sampledAt: number[] = [];

  look(): boolean {
    this.lookedAt.push(performance.now() - from);
    return this.isDue;
  }

  see(): void {
    this.seenAt.push(performance.now() - from);
  }

  async sample(): Promise<void> {
    this.sampledAt.push(performance.now() - from);
  }

  tell(): ThreadSample {
    this.isAtPeak = false;
    this.hasMoved = false;
    return {} as ThreadSample;
  }
}

let from = 0;

/** A lookout at these threads, in a process with as much memory as `process` says. */
function lookoutAt(...threads: StandIn[]): {
  lookout: Lookout;
  process: { mb: number; isCalm: boolean };
  reportedAt: number[];
  /** Looks of any kind. */
  wokenAt: number[];
} {
  from = performance.now();
  const process = { mb: 100, isCalm: true };
  const reportedAt: number[] = [];
  const wokenAt: number[] = [];
  const lookout = new Lookout(
    new Map(threads.map((thread, lease) => [lease, thread as unknown as SupervisedThread])),
    {
      memory: { look: () => {}, see: () => {}, isCalmAt: () => process.isCalm },
      keptHeaps: { bytes: 0 },
      cpuMs: () => 0,
      rssBytes() {
        wokenAt.push(performance.now() - from);
        return process.mb * MB;
      },
    },
    () => reportedAt.push(performance.now() - from),
  );
  lookout.setActive(true);
  return { lookout, process, reportedAt, wokenAt };
}

it('Lookout looks at a thread as a whole again when its calm is over: all are due, the process has more, or there is news', async () => {
  const thread = new StandIn();
  const { lookout, process } = lookoutAt(thread);
  lookout.look();
  await vi.advanceTimersByTimeAsync(100);
  expect([thread.lookedAt, thread.seenAt]).toEqual([[0], [30, 60, 90]]);
  process.mb = 102;
  thread.calmBytes = 103 * MB;
  await vi.advanceTimersByTimeAsync(50);
  expect([thread.lookedAt, thread.seenAt.slice(3)]).toEqual([[0, 120], [150]]);
  lookout.onNews();
  await vi.advanceTimersByTimeAsync(50);
  expect([thread.lookedAt.slice(2), thread.seenAt.slice(4)]).toEqual([[180], []]);
  thread.hasMoved = true;
  await vi.advanceTimersByTimeAsync(30);
  expect(thread.lookedAt.slice(3)).toEqual([210]);
});

it('Lookout is there when a thread has used up its CPU time, however calm it is', async () => {
  const thread = new StandIn();
  const { lookout } = lookoutAt(thread);
  thread.calmUntil = from + 75;
  lookout.look();
  await vi.advanceTimersByTimeAsync(80);
  expect([thread.seenAt, thread.lookedAt]).toEqual([
    [30, 60],
    [0, 76],
  ]);
});

it('Lookout is not calm with two threads, nor while something may be found in memory', async () => {
  const threads = [new StandIn(), new StandIn()];
  lookoutAt(...threads).lookout.look();
  await vi.advanceTimersByTimeAsync(100);
  for (const { lookedAt, seenAt } of threads) expect([lookedAt, seenAt]).toEqual([[0, 30, 60, 90], []]);
  const thread = new StandIn();
  const { lookout, process } = lookoutAt(thread);
  process.isCalm = false;
  lookout.look();
  await vi.advanceTimersByTimeAsync(100);
  expect([thread.lookedAt, thread.seenAt]).toEqual([[0, 30, 60, 90], []]);
});

it('Lookout is not calm in a process that has more than is known to be calm', async () => {
  const thread = new StandIn();
  thread.calmBytes = 99 * MB;
  lookoutAt(thread).lookout.look();
  await vi.advanceTimersByTimeAsync(100);
  expect([thread.lookedAt, thread.seenAt]).toEqual([[0, 30, 60, 90], []]);
});

it('Lookout samples all threads every 250 ms while something runs, and a little sooner where one is asked anyhow', async () => {
  const threads = [new StandIn(), new StandIn()] as const;
  threads[1].isWatched = false;
  threads[0].calmUntil = -Infinity;
  const { lookout, reportedAt } = lookoutAt(...threads);
  lookout.look();
  await vi.advanceTimersByTimeAsync(470);
  expect(threads.map(({ sampledAt }) => sampledAt)).toEqual([[270], [270]]);
  threads[0].isDue = true;
  await vi.advanceTimersByTimeAsync(30);
  threads[0].isDue = false;
  await vi.advanceTimersByTimeAsync(300);
  expect(threads.map(({ sampledAt }) => sampledAt.slice(1))).toEqual([
    [480, 750],
    [480, 750],
  ]);
  expect(reportedAt).toEqual([0, 270, 480, 750]);
});

it('Lookout reports a peak once', async () => {
  const thread = new StandIn();
  const { lookout, reportedAt } = lookoutAt(thread);
  thread.isAtPeak = true;
  lookout.look();
  await vi.advanceTimersByTimeAsync(200);
  expect(reportedAt).toEqual([0]);
});

it('Lookout looks no sooner than all are due when nothing is watched any longer, unless one has just started', async () => {
  for (const hasStarted of [false, true]) {
    const thread = new StandIn();
    const { lookout, wokenAt } = lookoutAt(thread);
    lookout.look();
    await vi.advanceTimersByTimeAsync(265);
    wokenAt.length = 0;
    thread.isWatched = false;
    lookout.onNews();
    if (hasStarted) lookout.onStarted();
    lookout.onRequestOver();
    await vi.advanceTimersByTimeAsync(300);
    expect(wokenAt).toEqual(hasStarted ? [275, 502] : [502]);
    expect(thread.sampledAt.slice(-2)).toEqual([251, 502]);
  }
});

it('Lookout tells of the others, and again and again, while one does not answer, and is not calm', async () => {
  const thread = new StandIn();
  const { lookout, reportedAt } = lookoutAt(thread);
  const answer = Promise.withResolvers<void>();
  Object.assign(thread, { isDue: true, sample: () => ((thread.isAsked = true), answer.promise) });
  lookout.look();
  await vi.advanceTimersByTimeAsync(700);
  expect(thread.seenAt).toEqual([]);
  expect(reportedAt.map(Math.round)).toEqual([0, 210, 420, 630]);
  thread.isDue = false;
  thread.isAsked = false;
  answer.resolve();
  await vi.advanceTimersByTimeAsync(100);
  expect(thread.seenAt.length).toBeGreaterThan(1);
});

it('Lookout reports at once that the process has grown by 16 MB', async () => {
  const thread = new StandIn();
  const { lookout, process, reportedAt } = lookoutAt(thread);
  lookout.look();
  await vi.advanceTimersByTimeAsync(10);
  process.mb += 15;
  await vi.advanceTimersByTimeAsync(30);
  process.mb += 2;
  await vi.advanceTimersByTimeAsync(40);
  expect(reportedAt).toEqual([0, 60]);
});
