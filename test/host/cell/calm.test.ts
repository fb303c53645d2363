import { expect, it } from 'vitest';
import { Calm } from '../../../packages/host/src/cell/calm.ts';

const MB = 1 << 20;

function threadAt(request: number, calmUntil: number, calmMs = 30): { running: { current: number } } & CalmTimes {
  return { running: { current: request }, calmUntil, calmMs };
}

interface CalmTimes {
  calmUntil: number;
  calmMs: number;
}

it('Calm holds until the first thing is due, while the process has what it had and each thread is at what it was at', () => {
  const [one, other] = [threadAt(1, 200), threadAt(7, 150, 50)];
  const calm = new Calm();
  expect(calm.holds(100 * MB, 0)).toBe(false);
  calm.begin([one, other], 100 * MB, 300);
  expect(calm.lookMs).toBe(30);
  expect([99, 100, 101].map((mb) => calm.holds(mb * MB, 149))).toEqual([true, true, true]);
  expect([98.9, 101.1].map((mb) => calm.holds(mb * MB, 149))).toEqual([false, false]);
  expect(calm.holds(100 * MB, 150)).toBe(false);
  other.running.current = 0;
  expect(calm.holds(100 * MB, 149)).toBe(false);
  other.running.current = 7;
  expect(calm.holds(100 * MB, 149)).toBe(true);
  calm.end();
  expect(calm.holds(100 * MB, 149)).toBe(false);
});

it('Calm does not begin where something is due that is no thread of these, or has to be looked at in one of them', () => {
  const calm = new Calm();
  calm.begin([threadAt(1, 200)], 100 * MB, 50);
  expect([49, 50].map((now) => calm.holds(100 * MB, now))).toEqual([true, false]);
  calm.begin([threadAt(1, 200), threadAt(2, -Infinity)], 100 * MB, 50);
  expect(calm.holds(100 * MB, 0)).toBe(false);
});
