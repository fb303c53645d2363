import { describe, expect, test } from 'vitest';
import { relievePressure, setAccountCap } from '../../../packages/worker/src/account.ts';
import { createThresholdLruManager, setThreadCap } from '../../../packages/worker/src/manager/threshold-lru.ts';
import { managerCases } from './common-cases.ts';
import { ManualClock } from './manual-clock.ts';

const heapBytes = (): number => 0;
managerCases('createThresholdLruManager()', (options) => createThresholdLruManager({ ...options, heapBytes }), {
  keeps: true,
});

describe('createThresholdLruManager()', () => {
  test('light continuations live for hours, whatever the process weighs', () => {
    const clock = new ManualClock();
    const ballast = Buffer.alloc(100 << 20);
    const manager = createThresholdLruManager({ clock, heapBytes });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'k', null, 500);
    clock.pass(3.9 * 3600_000);
    expect(manager.lookup(instance, id, nonce)).toBe('k');
    expect(ballast.length).toBeGreaterThan(manager.bytes);
  });

  test('over the maximum, those that nobody visits go first, and within minutes', () => {
    const clock = new ManualClock();
    const manager = createThresholdLruManager({ clock, heapBytes, maxBytes: 1000 });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'visited', null, 600);
    manager.store(instance, 'heavy', null, 600);
    for (let seconds = 0; seconds < 180; seconds++) {
      clock.pass(1000);
      manager.lookup(instance, id, nonce);
    }
    expect([manager.count, manager.bytes]).toEqual([1, 600]);
  });

  test('a burst far over the maximum does not wait for a check: the least recently visited go at once, the newest stays', () => {
    const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes, maxBytes: 1000 });
    const instance = manager.createInstance();
    const kept = Array.from({ length: 15 }, (_, index) => manager.store(instance, index, null, 100));
    manager.lookup(instance, ...kept[0]!);
    const [id, nonce] = manager.store(instance, 'newest', null, 100);
    expect(manager.bytes).toBeLessThanOrEqual(1000);
    expect(manager.lookup(instance, id, nonce)).toBe('newest');
    expect(manager.lookup(instance, ...kept[0]!)).toBe(0);
    expect(() => manager.lookup(instance, ...kept[1]!)).toThrow('Cannot');
    const [hugeId, hugeNonce] = manager.store(instance, 'huge', null, 100_000);
    expect([manager.count, manager.lookup(instance, hugeId, hugeNonce)]).toEqual([1, 'huge']);
  });

  test('what a page shares with a later one is freed with the later one: until then, others go', () => {
    const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes, maxBytes: 1000 });
    const [ann, bob] = [manager.createInstance(), manager.createInstance()];
    // 500 of them both pages of Ann's keep.
    const first = manager.store(ann, { release: () => 100 }, null, 600);
    const second = manager.store(ann, { release: () => 600 }, null, 100);
    const other = manager.store(bob, 'other', null, 600);
    manager.lookup(ann, ...second);
    expect(manager.bytes).toBe(1300);
    const newest = manager.store(bob, 'newest', null, 300);
    expect(manager.bytes).toBe(900);
    for (const gone of [() => manager.lookup(ann, ...first), () => manager.lookup(bob, ...other)])
      expect(gone).toThrow('Cannot');
    manager.lookup(bob, ...newest);
    manager.clear(ann);
    expect(manager.bytes).toBe(300);
  });

  test('who makes room stops when there is room, by what was freed and not by what had been charged', () => {
    const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes, maxBytes: 1000 });
    const [ann, bob] = [manager.createInstance(), manager.createInstance()];
    manager.store(ann, { release: () => 10 }, null, 810);
    manager.store(ann, { release: () => 810 }, null, 10);
    for (let count = 0; count < 7; count++) manager.store(bob, count, null, 100);
    // Both of Ann's are gone, and none of Bob's.
    expect([manager.count, manager.bytes]).toEqual([7, 700]);
  });

  test('a thread that is near its cap after a collection keeps half of what they may weigh, of those visited last', () => {
    const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes, maxBytes: 1000 });
    const pages = Array.from({ length: 12 }, (_, index) => {
      const instance = manager.createInstance();
      return [instance, ...manager.store(instance, index, null, 100)] as const;
    });
    manager.lookup(...pages[0]!);
    expect(relievePressure()).toBe(false);
    setAccountCap(1);
    try {
      relievePressure();
      expect(manager.bytes).toBe(500);
      expect(manager.lookup(...pages[0]!)).toBe(0);
      expect(manager.lookup(...pages[11]!)).toBe(11);
      expect(() => manager.lookup(...pages[1]!)).toThrow('Cannot');
      expect(manager.hasInstance(pages[1]![0])).toBe(false);
      // It has nothing more to give.
      expect(relievePressure()).toBe(false);
    } finally {
      setAccountCap(Infinity);
    }
  });

  test('a page that weighs more than all may weigh keeps its links, the first and the last', () => {
    const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes, maxBytes: 1000 });
    const instance = manager.createInstance();
    manager.store(instance, { continuation: {} }, null, 900);
    const continuation = {};
    const links = [5000, 100, 100].map((bytes) => manager.store(instance, { continuation }, null, bytes));
    expect(manager.count).toBe(3);
    for (const link of links) expect(manager.lookup(instance, ...link)).toEqual({ continuation });
  });

  test('a thread near its cap makes room, however light its continuations are', () => {
    const clock = new ManualClock();
    const manager = createThresholdLruManager({ clock, heapBytes: () => 48 << 20 });
    manager.store(manager.createInstance(), 'k', null, 1);
    clock.pass(25 * 5000);
    expect(manager.count).toBe(0);
  });

  test('garbage is no reason to make room: near its cap a thread collects it, and looks again', () => {
    const clock = new ManualClock();
    let garbage = 40 << 20;
    let collections = 0;
    const manager = createThresholdLruManager({
      clock,
      heapBytes: () => (8 << 20) + garbage,
      collectGarbage: () => {
        collections++;
        garbage = 0;
      },
    });
    manager.store(manager.createInstance(), 'k', null, 1);
    for (let minutes = 0; minutes < 30; minutes++) {
      garbage = 40 << 20;
      clock.pass(60_000);
    }
    expect(manager.count).toBe(1);
    expect(collections).toBeLessThanOrEqual(31);
  });

  test('what all may weigh is a quarter of the thread’s cap, if nothing else is said', () => {
    setThreadCap(4 << 20);
    try {
      const manager = createThresholdLruManager({ clock: new ManualClock(), heapBytes });
      const instance = manager.createInstance();
      // Half as much again is tolerated until the next check.
      const kept = Array.from({ length: 15 }, (_, index) => manager.store(instance, index, null, 100 << 10));
      expect(manager.count).toBe(15);
      manager.store(instance, 'more', null, 100 << 10);
      expect(manager.count).toBe(10);
      expect(() => manager.lookup(instance, ...kept[0]!)).toThrow('Cannot');
    } finally {
      setThreadCap(50 << 20);
    }
  });

  test('createThresholdLruManager() refuses a maximum that is none', () => {
    expect(() => createThresholdLruManager({ maxBytes: -1 })).toThrow(RangeError);
  });
});
