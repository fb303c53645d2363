import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Lease } from '../../../packages/host/src/cell/lease.ts';
import { Watchdog } from '../../../packages/host/src/cell/watchdog.ts';
import { resolveLimits } from '../../../packages/host/src/limits.ts';

const watched = { limits: resolveLimits({}), refuseLate: (): void => {} };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A lease whose request began so many ms ago; what is asked of it, and when; and when its cell's memory is looked at, at each sweep. */
function leaseOf({ takesRoom, agoMs = 0 }: { takesRoom: boolean; agoMs?: number }): {
  lease: Lease;
  asked: string[];
  sweptMs: number[];
} {
  const asked: string[] = [];
  const sweptMs: number[] = [];
  const from = performance.now();
  const ask = (what: string): void => void asked.push(`${what} ${performance.now() - from}`);
  const lease = {
    state: 'ready',
    isIdle: false,
    isSequential: true,
    isWatched: false,
    progressAt: from - agoMs,
    busySince: from - agoMs,
    exchanges: { size: 2 },
    oldest: null,
    cell: {
      isGone: false,
      leases: new Map(),
      setActive: (): void => {},
      holdToWall(): number {
        sweptMs.push(performance.now() - from);
        return 1 << 30;
      },
      memory: { pace: { nextMs: (): number => 50 } },
    },
    takesRoom: (): boolean => takesRoom,
    renewInMs: (): number => Infinity,
    renew: (): void => {},
    watch(): void {
      if (!this.isWatched) ask('watch');
      this.isWatched = true;
    },
    revoke(): void {
      if (this.state === 'ready') ask('revoke');
      this.state = 'stalled';
    },
  };
  return { lease: lease as unknown as Lease, asked, sweptMs };
}

test('Watchdog watches a request after 20 ms, and after 5 ms if its cell grows; what waits behind it is taken back after 20 ms', () => {
  for (const takesRoom of [false, true]) {
    const watchdog = new Watchdog(() => {});
    const { lease, asked } = leaseOf({ takesRoom });
    watchdog.follow(lease, watched);
    vi.advanceTimersByTime(30);
    // A timer may be early by 1 ms, and is taken for one that is.
    expect(asked).toEqual([takesRoom ? 'watch 5' : 'watch 19', 'revoke 19']);
    watchdog.close();
  }
});

test('Watchdog sweeps once for each thing that is due, though timers know no parts of a millisecond', () => {
  const watchdog = new Watchdog(() => {});
  const { lease, sweptMs } = leaseOf({ takesRoom: false, agoMs: 0.5 });
  watchdog.follow(lease, watched);
  vi.advanceTimersByTime(60);
  expect(sweptMs).toEqual([5, 19]);
  watchdog.close();
});

test('Watchdog sweeps though requests go on to be given to a thread that takes its time', () => {
  const watchdog = new Watchdog(() => {});
  const { lease, sweptMs } = leaseOf({ takesRoom: false });
  lease.isWatched = true;
  for (let requests = 0; requests < 10; requests++) {
    watchdog.follow(lease, watched);
    vi.advanceTimersByTime(4);
  }
  expect(sweptMs[0]).toBe(10);
  expect(sweptMs.length).toBeGreaterThan(2);
  watchdog.close();
});

test('Watchdog sweeps soon for what an idle sweep has begun', () => {
  const { lease, sweptMs } = leaseOf({ takesRoom: false });
  const watchdog: Watchdog = new Watchdog(() => watchdog.follow(lease, watched));
  vi.advanceTimersByTime(1010);
  expect(sweptMs).toEqual([1005]);
  watchdog.close();
});

/** When it is swept beside a lease like that, whose request began at 0. */
function sweptBeside(state: object, forMs: number): number[] {
  const watchdog = new Watchdog(() => {});
  const { lease, sweptMs } = leaseOf({ takesRoom: false });
  Object.assign(lease, { exchanges: new Map(), revoke: () => {}, end: () => {}, isWatched: true }, state);
  lease.cell.memory.pace.nextMs = () => Infinity;
  watchdog.follow(lease, { ...watched, limits: resolveLimits({ wallMs: 450, loadTimeoutMs: 450 }) });
  vi.advanceTimersByTime(forMs);
  watchdog.close();
  return sweptMs;
}

test('Watchdog sweeps every 200 ms beside what takes its time, and when that is late', () => {
  const from = performance.now();
  const running = { isHeadSent: false, isDone: false, hasBody: false, startedAt: from, progressAt: from };
  const ofFour = (state: object): number[] => sweptBeside(state, 900).slice(0, 4);
  expect(ofFour({ state: 'stalled', oldest: running })).toEqual([10, 210, 410, 449]);
  expect(ofFour({ state: 'stalled', oldest: { ...running, isHeadSent: true } })).toEqual([10, 210, 410, 610]);
  const isShared = { isSequential: false, state: 'stalled', oldest: null };
  expect(ofFour({ ...isShared, renewInMs: () => 50 })).toEqual([10, 60, 110, 160]);
  expect(ofFour({ state: 'starting', startedAt: performance.now() })).toEqual([10, 210, 410, 449]);
});
