import { describe, expect, test } from 'vitest';
import { createLruManager } from '../../../packages/worker/src/manager/lru.ts';
import { managerCases } from './common-cases.ts';
import { ManualClock } from './manual-clock.ts';

managerCases('createLruManager()', createLruManager, { keeps: true });

describe('createLruManager()', () => {
  test('an untouched continuation outlives as many collections as it has lives, and goes at the next', () => {
    const clock = new ManualClock();
    const manager = createLruManager({ clock, checkIntervalMs: 1000, collectIntervalMs: 1000, lives: 3 });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'k', null, 1);
    clock.pass(3000);
    expect(manager.peek(instance, id, nonce)).toBe('k');
    clock.pass(1000);
    expect(manager.count).toBe(0);
  });

  test('a visit gives all lives back, and no more; a wrong nonce gives none', () => {
    const clock = new ManualClock();
    const manager = createLruManager({ clock, collectIntervalMs: 1000, lives: 3 });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'k', null, 1);
    for (let times = 0; times < 100; times++) manager.lookup(instance, id, nonce);
    clock.pass(2500);
    expect(() => manager.lookup(instance, id, 'A'.repeat(22))).toThrow('Cannot');
    clock.pass(1500);
    expect(manager.count).toBe(0);
  });

  test('while memory is short, every check costs a life', () => {
    const clock = new ManualClock();
    let isShort = false;
    const removed: number[] = [];
    const manager = createLruManager({
      clock,
      checkIntervalMs: 10,
      collectIntervalMs: 1e6,
      lives: 2,
      isShort: () => isShort,
      onCollected: (count) => removed.push(count),
    });
    manager.store(manager.createInstance(), 'k', null, 1);
    clock.pass(1000);
    expect([manager.count, removed]).toEqual([1, []]);
    isShort = true;
    clock.pass(30);
    expect([manager.count, removed]).toEqual([0, [0, 0, 1]]);
  });

  test.each([{ lives: -1 }, { lives: 1.5 }, { checkIntervalMs: 0 }, { collectIntervalMs: Number.NaN }])(
    'createLruManager() refuses %o',
    (options) => {
      expect(() => createLruManager(options)).toThrow(RangeError);
    },
  );
});
