import { expect, it } from 'vitest';
import { Calm } from '../../../packages/host/src/cell/calm.ts';

const MB = 1 << 20;

interface StandIn {
  hasMoved: boolean;
  isEnding: boolean;
  calmMs: number;
  calmUntil: number;
  seenMb: number[];
  see(bytes: number): void;
}

/** Of a thread, and a calm time in which its process may have 101 MB, and which lasts until `until` as far as others go. */
function calmWith(thread: Partial<StandIn>, until = 300): { calm: Calm; thread: StandIn } {
  const standIn: StandIn = {
    hasMoved: false,
    isEnding: false,
    calmMs: 30,
    calmUntil: 200,
    seenMb: [],
    see(bytes) {
      this.seenMb.push(bytes / MB);
    },
    ...thread,
  };
  const calm = new Calm();
  calm.begin(standIn, 101 * MB, until);
  return { calm, thread: standIn };
}

it('Calm lasts until the first thing is due, and looks again in time for that', () => {
  expect(new Calm().nextMs(100 * MB, 0)).toBeNull();
  for (const { calm } of [calmWith({ calmUntil: 200 }, 300), calmWith({ calmUntil: 300 }, 200)])
    expect([0, 160, 161, 170.4, 195, 200, 0].map((now) => calm.nextMs(100 * MB, now))).toEqual([
      30,
      30,
      40,
      31,
      10,
      null,
      null,
    ]);
  const slow = calmWith({ calmMs: 50 }).calm;
  expect([0, 149, 152].map((now) => slow.nextMs(100 * MB, now))).toEqual([50, 50, 49]);
  const fast = calmWith({ calmMs: 12 }).calm;
  expect([0, 165, 181, 190].map((now) => fast.nextMs(100 * MB, now))).toEqual([12, 12, 12, 11]);
  expect(calmWith({ calmUntil: -Infinity }).calm.nextMs(100 * MB, 0)).toBeNull();
});

it('Calm is over when the process has more than it may, or the thread is at something else', () => {
  const { calm, thread } = calmWith({});
  expect([50, 100, 101].map((mb) => calm.nextMs(mb * MB, 0))).toEqual([30, 30, 30]);
  expect(thread.seenMb).toEqual([50, 100, 101]);
  const other = calmWith({}).calm;
  expect([101.1, 100].map((mb) => other.nextMs(mb * MB, 0))).toEqual([null, null]);
  thread.hasMoved = true;
  expect(calm.nextMs(100 * MB, 0)).toBeNull();
  expect(calmWith({ isEnding: true }).calm.nextMs(100 * MB, 0)).toBeNull();
});

it('Calm that is ended has to begin again', () => {
  const { calm, thread } = calmWith({});
  calm.end();
  expect(calm.nextMs(100 * MB, 0)).toBeNull();
  calm.begin(thread, 121 * MB, 300);
  expect(calm.nextMs(120 * MB, 0)).toBe(30);
});
