import { LastCollection } from '@custodian/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { HeapCap } from '../../../packages/host/src/cell/heap-cap.ts';

const CAP = 100 << 20;
const MB = 1 << 20;

describe('HeapCap', () => {
  let last: LastCollection;
  let questions: number[];
  let asksForAll: boolean[];
  let nowMs: number;
  let request: number;
  let cap: HeapCap;

  beforeEach(() => {
    last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
    questions = [];
    asksForAll = [];
    nowMs = 1000;
    request = 1;
    cap = new HeapCap(
      CAP,
      last,
      () => {
        const { question, isWhole } = last.asked;
        questions.push(question);
        asksForAll.push(isWhole);
      },
      () => request,
      () => nowMs,
    );
  });

  /** The thread comes to its event loop and collects. */
  const collected = (liveMb: number, isWhole = true): void => {
    last.begin(questions.at(-1) as number);
    last.end(questions.at(-1) as number, liveMb * MB, isWhole);
  };

  test('asks a thread to collect when it is near its cap, and not again at once', () => {
    expect(cap.breachedBy(60 * MB, 0)).toBeNull();
    expect(questions).toEqual([]);
    expect(cap.breachedBy(75 * MB, 5)).toBeNull();
    expect(cap.breachedBy(80 * MB, 10)).toBeNull();
    expect(questions).toHaveLength(1);
    collected(72);
    expect(cap.breachedBy(75 * MB, 20)).toBeNull();
    expect(questions).toHaveLength(1);
    nowMs += 201;
    expect(cap.breachedBy(87 * MB, 30)).toBeNull();
    expect(questions).toHaveLength(2);
  });

  test('tells a thread what it is charged with beside its statistics, as that is no room for its garbage', () => {
    cap.onUnexplained(30 * MB, 10 * MB, 0);
    expect(last.unexplainedBytes).toBe(30 * MB);
    cap.onExplained(20 * MB);
    expect(last.unexplainedBytes).toBe(20 * MB);
  });

  test('takes what a thread has collected by itself for an answer', () => {
    expect(cap.breachedBy(110 * MB, 0)).toBeNull();
    expect(last.asked).toEqual({ question: 1, isWhole: true });
    last.begin(1);
    last.end(1, 104 * MB, true);
    expect(cap.breachedBy(105 * MB, 5)).toBe(104 * MB);
  });

  test('asks for all garbage only of a thread that is over, or is charged with what its statistics do not show', () => {
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    collected(74, false);
    expect(cap.breachedBy(101 * MB, 10)).toBeNull();
    collected(50);
    expect(cap.breachedBy(50 * MB, 20)).toBeNull();
    nowMs += 1000;
    cap.onUnexplained(10 * MB, 10 * MB, 20);
    cap.onUnexplained(80 * MB, 10 * MB, 20);
    expect(asksForAll).toEqual([false, true, true]);
  });

  test('ends nobody for what may be garbage: before all of it was collected', () => {
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    collected(104, false);
    expect(cap.breachedBy(104 * MB, 10)).toBeNull();
    expect(asksForAll).toEqual([false, true]);
    collected(104);
    expect(cap.breachedBy(104 * MB, 20)).toBe(104 * MB);
  });

  test('counts no collection of the young towards those after which it was over with what no statistic shows', () => {
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    expect(cap.onUnexplained(45 * MB, 75 * MB, 0)).toBeNull();
    for (const isWhole of [false, true, true, true]) {
      const asked: number = questions.length;
      collected(75, isWhole);
      expect(cap.breachedBy(75 * MB, 20)).toBeNull();
      nowMs += 20;
      const isLast = asked === 4;
      expect(cap.onUnexplained(45 * MB, 75 * MB, 20)).toBe(isLast ? 120 * MB : null);
    }
    expect(asksForAll).toEqual([false, true, true, true]);
  });

  test('asks nobody again who has filled less than half of what the last collection left', () => {
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    collected(72);
    expect(cap.breachedBy(80 * MB, 10)).toBeNull();
    nowMs += 201;
    expect(cap.breachedBy(85 * MB, 30)).toBeNull();
    expect(questions).toHaveLength(1);
  });

  test('asks a thread to collect that is charged with much which its statistics do not show, and not again before it is more', () => {
    cap.onUnexplained(45 * MB, 10 * MB, 0);
    expect(questions).toEqual([]);
    cap.onUnexplained(55 * MB, 10 * MB, 0);
    expect(questions).toHaveLength(1);
    collected(10);
    cap.breachedBy(10 * MB, 10);
    cap.onUnexplained(54 * MB, 10 * MB, 10);
    nowMs += 201;
    cap.onUnexplained(76 * MB, 10 * MB, 10);
    expect(questions).toHaveLength(1);
    cap.onUnexplained(78 * MB, 10 * MB, 10);
    expect(questions).toHaveLength(2);
  });

  test('takes what its statistics show and what they do not for one, when garbage is gone from both', () => {
    expect(cap.breachedBy(60 * MB, 0)).toBeNull();
    expect(cap.onUnexplained(45 * MB, 60 * MB, 0)).toBeNull();
    expect(cap.breachedBy(60 * MB, 10)).toBeNull();
    expect(questions).toHaveLength(1);
    for (const round of [1, 2, 3]) {
      // What was told before the collection, or right after it, may be garbage that is gone.
      collected(58);
      expect(cap.breachedBy(58 * MB, 20)).toBeNull();
      expect(cap.onUnexplained(45 * MB, 58 * MB, 20)).toBeNull();
      expect(questions).toHaveLength(round);
      nowMs += 20;
      expect(cap.onUnexplained(45 * MB, 58 * MB, 20)).toBe(round < 3 ? null : 103 * MB);
    }
  });

  test('lets a thread live whose unexplained memory was garbage, or whose heap was', () => {
    for (const [liveMb, unexplainedMb] of [
      [58, 10],
      [10, 45],
    ] as const) {
      nowMs += 1000;
      expect(cap.onUnexplained(45 * MB, 60 * MB, 0)).toBeNull();
      expect(cap.breachedBy(60 * MB, 0)).toBeNull();
      expect(cap.isOpen).toBe(true);
      collected(liveMb);
      expect(cap.breachedBy(liveMb * MB, 10)).toBeNull();
      nowMs += 20;
      expect(cap.onUnexplained(unexplainedMb * MB, liveMb * MB, 10)).toBeNull();
      expect(cap.breachedBy(liveMb * MB, 20)).toBeNull();
    }
  });

  test('is pending while a thread is over, or has not collected yet', () => {
    expect(cap.isPending).toBe(false);
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    expect(cap.isPending).toBe(true);
    collected(60);
    expect(cap.breachedBy(60 * MB, 10)).toBeNull();
    expect(cap.isPending).toBe(false);
    expect(cap.breachedBy(101 * MB, 20)).toBeNull();
    expect(cap.isPending).toBe(true);
  });

  test('ends a thread that is over after it has collected, and says by how much', () => {
    expect(cap.breachedBy(110 * MB, 0)).toBeNull();
    collected(104);
    expect(cap.breachedBy(104 * MB, 10)).toBe(104 * MB);
  });

  test('lets a thread live whose garbage is over again before anybody has looked', () => {
    for (let round = 0; round < 50; round++) {
      expect(cap.breachedBy(150 * MB, round * 40)).toBeNull();
      collected(10);
    }
    expect(questions.length).toBeGreaterThan(40);
  });

  test('ends at once what is far over in a loop, by its CPU time and not by the clock', () => {
    expect(cap.breachedBy(130 * MB, 0)).toBeNull();
    nowMs += 10_000;
    expect(cap.breachedBy(130 * MB, 2)).toBeNull();
    expect(cap.breachedBy(150 * MB, 10)).toBe(150 * MB);
  });

  test('takes a twentieth and 8 MB of a large cap for far over, and a quarter of a small one', () => {
    for (const [capMb, fineMb, farMb] of [
      [20, 24, 26],
      [50, 60, 61],
      [200, 217, 219],
    ] as const) {
      cap = new HeapCap(
        capMb * MB,
        last,
        () => {},
        () => 1,
      );
      expect([capMb, cap.breachedBy(fineMb * MB, 0), cap.breachedBy(fineMb * MB, 10)]).toEqual([capMb, null, null]);
      expect([capMb, cap.breachedBy(farMb * MB, 10)]).toEqual([capMb, farMb * MB]);
    }
  });

  test('lets a thread finish a turn that is over by little, for a while', () => {
    expect(cap.breachedBy(75 * MB, 0)).toBeNull();
    expect(cap.breachedBy(110 * MB, 400)).toBeNull();
    expect(cap.breachedBy(110 * MB, 600)).toBeNull();
    expect(cap.breachedBy(110 * MB, 651)).toBe(110 * MB);
  });

  test('waits for a collection that has begun', () => {
    expect(cap.breachedBy(130 * MB, 0)).toBeNull();
    last.begin(questions.at(-1) as number);
    expect(cap.breachedBy(130 * MB, 100)).toBeNull();
    last.end(questions.at(-1) as number, 20 * MB, true);
    expect(cap.breachedBy(130 * MB, 120)).toBeNull();
  });

  test('ends a thread beyond all excuse, whatever it says of itself', () => {
    for (let round = 0; round < 5; round++) {
      expect(cap.breachedBy(180 * MB, round)).toBeNull();
      collected(1);
    }
    expect(cap.breachedBy(190 * MB, 10)).toBe(190 * MB);
  });

  /** Charged with so much, as it is found over its cap. */
  const excused = (mb: number, cpuMs: number): boolean => {
    expect(cap.onUnexplained(mb * MB, 10 * MB, cpuMs)).toBeNull();
    return cap.excuses(mb * MB, cpuMs);
  };

  test('excuses what may be garbage that has come since it was looked at, until a collection has not helped', () => {
    for (let round = 0; round < 3; round++) {
      expect(excused(120, 0)).toBe(true);
      collected(10);
      expect(cap.breachedBy(10 * MB, 10)).toBeNull();
      expect(excused(120, 10)).toBe(true);
      nowMs += 20;
      expect(cap.onUnexplained(5 * MB, 10 * MB, 10)).toBeNull();
    }
    expect(excused(120, 10)).toBe(true);
    collected(10);
    expect(cap.breachedBy(10 * MB, 20)).toBeNull();
    nowMs += 20;
    expect(excused(120, 20)).toBe(false);
  });

  test('excuses what was found over long after a collection, in which it has not been looked at', () => {
    cap.collect(0);
    collected(10);
    expect(cap.breachedBy(10 * MB, 10)).toBeNull();
    nowMs += 200;
    expect(excused(120, 10)).toBe(true);
  });

  test('takes for proof what was told before a second request began, though later ones have begun when it settles', () => {
    for (const isToldAtOnce of [false, true]) {
      cap.collect(0);
      collected(10);
      expect(cap.breachedBy(10 * MB, 10)).toBeNull();
      if (isToldAtOnce) cap.onUnexplained(80 * MB, 10 * MB, 10);
      request += 5;
      nowMs += 20;
      expect(excused(120, 10)).toBe(!isToldAtOnce);
      cap.onUnexplained(0, 10 * MB, 10);
    }
  });

  test('takes nothing off what a collection has left, nor off what came before, that is only not sure', () => {
    cap.collect(0);
    collected(10);
    expect(cap.breachedBy(10 * MB, 10)).toBeNull();
    cap.beforeBytes = 70 * MB;
    cap.onUnexplained(0, 10 * MB, 10, 80 * MB);
    expect(cap.beforeBytes).toBe(70 * MB);
    nowMs += 20;
    expect(excused(120, 10)).toBe(false);
  });

  test('excuses what was less at any time since a collection, and takes the least of it for what that has left', () => {
    for (let round = 0; round < 5; round++) {
      cap.collect(0);
      collected(10);
      expect(cap.breachedBy(10 * MB, 10)).toBeNull();
      // Some of it goes a moment later.
      for (const mb of [60, 40, 90]) cap.onUnexplained(mb * MB, 10 * MB, 10);
      nowMs += 20;
      expect(excused(120, 10)).toBe(true);
    }
  });

  test('excuses what was found over after a collection, between which and that several requests have begun', () => {
    for (let round = 0; round < 5; round++) {
      cap.collect(0);
      collected(10);
      expect(cap.breachedBy(10 * MB, 10)).toBeNull();
      // The next one may be the request that it is told of; what it has taken is not garbage of others.
      request += round === 4 ? 1 : 2;
      nowMs += 20;
      expect(excused(120, 10)).toBe(round < 4);
      cap.onUnexplained(0, 10 * MB, 10);
    }
  });

  test('gives who is over by what came before its request as long as one that is little over, until that is collected', () => {
    cap.beforeBytes = 90 * MB;
    expect(excused(185, 0)).toBe(true);
    expect(excused(185, 250)).toBe(true);
    expect(cap.breachedBy(10 * MB, 250)).toBeNull();
    // That it takes itself.
    expect(excused(195, 250)).toBe(false);
    expect(excused(185, 251)).toBe(false);
    collected(10);
    expect(cap.breachedBy(10 * MB, 260)).toBeNull();
    expect(cap.beforeBytes).toBe(0);
    expect(excused(185, 260)).toBe(true);
    expect(excused(190, 260)).toBe(false);
  });

  test('takes nothing for what came before a request that the thread was not charged with since', () => {
    cap.beforeBytes = 90 * MB;
    expect(cap.onUnexplained(20 * MB, 10 * MB, 0)).toBeNull();
    expect(excused(125, 0)).toBe(true);
    expect(excused(125, 9)).toBe(false);
    expect(cap.beforeBytes).toBe(20 * MB);
  });

  test('counts the requests that have begun from when it asked, however late it sees that the thread has collected', () => {
    cap.collect(0);
    collected(10);
    cap.beforeBytes = 90 * MB;
    request += 5;
    expect(cap.breachedBy(10 * MB, 10)).toBeNull();
    expect(cap.beforeBytes).toBe(90 * MB);
    nowMs += 20;
    expect(excused(120, 10)).toBe(true);
  });

  test('excuses nobody who does not come back to collect, and nothing beyond all excuse', () => {
    expect(excused(120, 0)).toBe(true);
    expect(excused(120, 8)).toBe(true);
    expect(excused(120, 9)).toBe(false);
    last.begin(questions.at(-1) as number);
    expect(excused(120, 9)).toBe(true);
    expect(excused(190, 9)).toBe(false);
  });

  test('excuses what a collection of the young has left, and asks for all', () => {
    cap.collect(0, false);
    collected(10, false);
    expect(cap.breachedBy(10 * MB, 10)).toBeNull();
    nowMs += 20;
    expect(excused(120, 10)).toBe(true);
    collected(10);
    expect(cap.breachedBy(10 * MB, 10)).toBeNull();
    nowMs += 20;
    expect(excused(120, 10)).toBe(false);
  });

  test('gives who has not come to a question no more time for the next, which is for more than that or none', () => {
    cap.collect(0, false);
    cap.collect(5, false);
    expect(questions).toEqual([1]);
    cap.collect(5);
    cap.collect(6);
    expect(questions).toEqual([1, 2]);
    expect(excused(120, 8)).toBe(true);
    expect(excused(120, 9)).toBe(false);
  });
});
