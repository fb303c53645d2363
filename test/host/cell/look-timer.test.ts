import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LookTimer } from '../../../packages/host/src/cell/look-timer.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** When looks come that each set the timer as it is said, in ms from the first setting. */
function looksOf(settings: ((timer: LookTimer) => void)[], forMs: number): number[] {
  const from = performance.now();
  const looksMs: number[] = [];
  const timer: LookTimer = new LookTimer(() => {
    looksMs.push(performance.now() - from);
    timer.clear();
    settings[looksMs.length]?.(timer);
  });
  settings[0]?.(timer);
  vi.advanceTimersByTime(forMs);
  return looksMs;
}

it('LookTimer looks as soon as anybody wants to, and once', () => {
  const soon = (timer: LookTimer): void => {
    timer.within(50);
    timer.within(30);
    timer.within(40);
  };
  expect(looksOf([soon], 1000)).toEqual([30]);
});

it('LookTimer is set anew by each look, to the same time or another', () => {
  const set = (ms: number) => (timer: LookTimer) => timer.set(ms);
  expect(looksOf([set(30), set(30), set(30), set(10), set(30)], 1000)).toEqual([30, 60, 90, 100, 130]);
});

it('LookTimer can be put off', () => {
  const putOff = (timer: LookTimer): void => {
    timer.within(30);
    timer.set(250);
    timer.within(1000);
  };
  expect(looksOf([putOff], 2000)).toEqual([250]);
});

it('LookTimer that is cleared forgets when it was to look, not that it was to', () => {
  const from = performance.now();
  const looksMs: number[] = [];
  const timer = new LookTimer(() => looksMs.push(performance.now() - from));
  timer.within(20);
  timer.clear();
  timer.within(60);
  vi.advanceTimersByTime(1000);
  expect(looksMs).toEqual([60]);
});
