import { describe, expect, test } from 'vitest';
import type { ContinuationManager } from '../../../packages/worker/src/manager/manager.ts';
import { createTimeoutManager } from '../../../packages/worker/src/manager/timeout.ts';
import { expiryOf, managerCases } from './common-cases.ts';
import { ManualClock } from './manual-clock.ts';

managerCases(
  'createTimeoutManager()',
  (options) => createTimeoutManager({ ...options, instanceTimeoutMs: 60_000, continuationTimeoutMs: 30_000 }),
  { keeps: true },
);

describe('createTimeoutManager()', () => {
  function setUp(times: { instanceTimeoutMs: number; continuationTimeoutMs: number }): {
    manager: ContinuationManager;
    clock: ManualClock;
  } {
    const clock = new ManualClock();
    return { manager: createTimeoutManager({ ...times, clock }), clock };
  }

  test('createTimeoutManager() expires a continuation that nobody visits in time', () => {
    const { manager, clock } = setUp({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 2000 });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'k', null, 1);
    clock.pass(1999);
    expect(manager.peek(instance, id, nonce)).toBe('k');
    clock.pass(1);
    expect(() => manager.lookup(instance, id, nonce)).toThrow('it has expired, or never was');
    expect(manager.count).toBe(0);
  });

  test('a visit starts the time anew; many visits at once are one; peek() is none', () => {
    const { manager, clock } = setUp({ instanceTimeoutMs: 60_000, continuationTimeoutMs: 2000 });
    const instance = manager.createInstance();
    const [id, nonce] = manager.store(instance, 'k', null, 1);
    for (let times = 0; times < 5; times++) {
      clock.pass(1500);
      for (let visits = 0; visits < 4; visits++) manager.lookup(instance, id, nonce);
    }
    clock.pass(1500);
    manager.peek(instance, id, nonce);
    clock.pass(500);
    expect(() => manager.lookup(instance, id, nonce)).toThrow('Cannot');
  });

  test('an instance expires with all that it has, when nobody has visited any of it', () => {
    const { manager, clock } = setUp({ instanceTimeoutMs: 3000, continuationTimeoutMs: 60_000 });
    const [rests, busy] = [manager.createInstance(), manager.createInstance()];
    const [id, nonce] = manager.store(rests, 'k', null, 1);
    const [busyId, busyNonce] = manager.store(busy, 'busy', null, 1);
    for (let times = 0; times < 4; times++) {
      clock.pass(1000);
      expect(manager.lookup(busy, busyId, busyNonce)).toBe('busy');
    }
    expect(expiryOf(() => manager.lookup(rests, id, nonce)).code).toBe('SERVLET_NO_INSTANCE');
    expect(manager.count).toBe(1);
  });

  test('adjustTimeout() gives one instance another time, from now on', () => {
    const { manager, clock } = setUp({ instanceTimeoutMs: 1000, continuationTimeoutMs: 600_000 });
    const instance = manager.createInstance();
    manager.adjustTimeout(instance, 10_000);
    const [id, nonce] = manager.store(instance, 'k', null, 1);
    clock.pass(9999);
    expect(manager.lookup(instance, id, nonce)).toBe('k');
    clock.pass(9999);
    expect(manager.lookup(instance, id, nonce)).toBe('k');
    clock.pass(10_000);
    expect(() => manager.lookup(instance, id, nonce)).toThrow('Cannot');
  });

  test('times that are none are refused', () => {
    expect(() => createTimeoutManager({ instanceTimeoutMs: 0, continuationTimeoutMs: 1 })).toThrow(RangeError);
  });
});
