import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { UnderWay } from '@custodian/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';

it('UnderWay holds what a Map would, oldest first, whatever comes and goes', () => {
  const steps = fc.array(fc.record({ isAdded: fc.boolean(), id: fc.integer({ min: 1, max: 12 }) }), { maxLength: 80 });
  fc.assert(
    fc.property(steps, (taken) => {
      const underWay = new UnderWay<string>();
      const map = new Map<number, string>();
      for (const [at, { isAdded, id }] of taken.entries()) {
        const isNew = isAdded && !map.has(id);
        if (isNew) map.set(id, `${id} at ${at}`);
        if (isNew) underWay.add(id, `${id} at ${at}`);
        expect(isAdded || underWay.delete(id)).toBe(isAdded || map.delete(id));
        expect(underWay.size).toBe(map.size);
        expect(underWay.entries()).toEqual([...map]);
        expect(underWay.values()).toEqual([...map.values()]);
        expect(underWay.oldest).toBe([...map.values()][0]);
        expect([underWay.has(id), underWay.get(id)]).toEqual([map.has(id), map.get(id)]);
      }
      underWay.clear();
      expect([underWay.size, underWay.oldest, underWay.values()]).toEqual([0, undefined, []]);
    }),
  );
});

it('UnderWay hands out lists that stay as they were when it changes', () => {
  const underWay = new UnderWay<string>();
  for (const id of [1, 2, 3]) underWay.add(id, `request ${id}`);
  const seen: number[] = [];
  for (const [id] of underWay.entries()) {
    seen.push(id);
    underWay.delete(id);
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(underWay.size).toBe(0);
});

it('UnderWay lets go of what has passed through it without a full collection, also when it is old itself', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  const underWay = new UnderWay<{ request: number[] }>();
  let id = 0;
  const pass = (count: number): void => {
    for (const last = id + count; id < last; id++) {
      underWay.add(id, { request: Array.from({ length: 50 }, () => id) });
      underWay.delete(id - 16);
    }
  };
  pass(1000);
  for (let round = 0; round < 3; round++) collect({ type: 'minor' });
  const before = oldBytes();
  // Some 50 MB.
  pass(100_000);
  expect(oldBytes() - before).toBeLessThan(5 * 2 ** 20);
});

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? NaN;
}
