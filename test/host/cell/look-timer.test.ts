import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LookTimer } from '../../../packages/host/src/cell/look-timer.ts';

/** When looks come that each set the timer as it is said, in ms from the first setting. */
function looksOf(...settings: ((timer: LookTimer) => void)[]): number[] {
  const from = performance.now();
  const looksMs: number[] = [];
  const timer: LookTimer = new LookTimer(() => {
    looksMs.push(performance.now() - from);
    settings[looksMs.length]?.(timer);
  });
  settings[0]?.(timer);
  return looksMs;
}

const set = (ms: number) => (timer: LookTimer) => timer.set(ms);
const within =
  (...all: number[]) =>
  (timer: LookTimer) => {
    for (const ms of all) timer.within(ms);
  };

describe('LookTimer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const advanced = (looksMs: number[]): number[] => {
    vi.advanceTimersByTime(5000);
    return looksMs;
  };

  it('LookTimer looks as soon as anybody wants to, and once', () => {
    expect(advanced(looksOf(within(50, 30, 40)))).toEqual([30]);
  });

  it('LookTimer is set anew by each look, to the same time or another', () => {
    expect(advanced(looksOf(set(30), set(30), within(30), set(10), within(30)))).toEqual([30, 60, 90, 100, 130]);
  });

  it('LookTimer can be put off', () => {
    const putOff = (timer: LookTimer): void => {
      timer.within(30);
      timer.set(250);
      timer.within(1000);
    };
    expect(advanced(looksOf(putOff))).toEqual([250]);
  });

  it('LookTimer is not early by parts of a millisecond', () => {
    expect(advanced(looksOf(set(30.2), set(30.6), within(9.01)))).toEqual([31, 62, 72]);
  });

  it('LookTimer forgets when it was to look, where it is looked before', () => {
    const lookNow = (timer: LookTimer): void => {
      timer.within(20);
      timer.forget();
      timer.within(60);
    };
    expect(advanced(looksOf(lookNow))).toEqual([60]);
  });

  it('LookTimer goes on after a look that has failed', () => {
    const [from, looksMs] = [performance.now(), [] as number[]];
    const timer: LookTimer = new LookTimer(() => {
      looksMs.push(performance.now() - from);
      if (looksMs.length < 3) throw new Error('no look');
      timer.set(10);
    });
    timer.within(30);
    for (let failure = 0; failure < 2; failure++) expect(() => vi.advanceTimersByTime(50)).toThrow('no look');
    vi.advanceTimersByTime(50);
    expect(looksMs).toEqual([30, 80, 130, 140, 150]);
  });
});

it("LookTimer is set to the same time again and again with Node's own timers", async () => {
  const looksMs = looksOf(set(5), set(5), set(5), within(5), set(5), (timer) => setTimeout(() => timer.set(5), 1));
  await vi.waitUntil(() => looksMs.length === 6);
  for (const [at, ms] of looksMs.entries()) expect(ms - (looksMs[at - 1] ?? 0)).toBeGreaterThan(3.5);
});
