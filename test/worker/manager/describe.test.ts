import { expect, test } from 'vitest';
import { createLruManager } from '../../../packages/worker/src/manager/lru.ts';
import { createNoneManager } from '../../../packages/worker/src/manager/none.ts';
import { requestClock } from '../../../packages/worker/src/request-clock.ts';

test('describe() tells the newest 50 instances, newest first, with what they weigh and how old they are', () => {
  const manager = createLruManager();
  requestClock.startedAt = performance.now() - 60_000;
  for (let count = 0; count < 60; count++) {
    const instance = manager.createInstance();
    manager.store(instance, 'k', null, 100);
  }
  requestClock.startedAt = performance.now();
  for (let count = 0; count < 25; count++) manager.store(60, 'k', null, 10);
  const { instances, newest } = manager.describe?.() ?? { instances: 0, newest: [] };
  manager.close();
  expect([instances, newest.length, newest.at(-1)?.number]).toEqual([60, 50, 11]);
  const [first] = newest;
  expect(first).toMatchObject({ number: 60, continuations: 26, bytes: 350 });
  expect(first?.newest.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => 26 - index));
  expect(first?.ageMs).toBeGreaterThanOrEqual(60_000);
  expect(first?.newest[0]?.ageMs).toBeLessThan(10_000);
});

test('a manager that keeps nothing has nothing to describe', () => {
  expect(createNoneManager()).not.toHaveProperty('describe');
});
