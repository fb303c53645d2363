import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { readFailure } from '../../packages/protocol/src/failure.ts';

test('readFailure() keeps no more of a long text than it shows', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const read = (): string[] => {
    const { name, message } = readFailure(JSON.stringify({ name: 'Error', message: 'x'.repeat(1 << 20) }));
    // As an obituary does.
    return [`${name}: ${message}`];
  };
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 100 }, read);
  collect();
  expect(kept.every(([detail]) => (detail as string).length < 17_000)).toBe(true);
  expect((process.memoryUsage().heapUsed - before) >> 20).toBeLessThan(10);
});
