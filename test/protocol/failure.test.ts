import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { type Failure, failureOf, readFailure } from '../../packages/protocol/src/failure.ts';

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

test('failureOf() and readFailure() keep the first errors of an AggregateError, and no more in all', () => {
  const many = Array.from({ length: 100 }, (_, n) => new RangeError(`no ${n}`));
  const count = ({ cause, errors = [] }: Failure): number =>
    1 + [...errors, ...(cause === undefined ? [] : [cause])].reduce((sum, each) => sum + count(each), 0);
  const failure = failureOf(new AggregateError(many, 'none'));
  expect(failure.errors?.map(({ message }) => message)).toEqual([
    'no 0',
    'no 1',
    'no 2',
    'no 3',
    'no 4',
    'no 5',
    'no 6',
    'no 7',
  ]);
  expect(readFailure(JSON.stringify(failure))).toEqual(failure);
  const within = (depth: number): object => ({
    message: 'x',
    errors: depth === 0 ? many : [within(depth - 1), within(depth - 1)],
  });
  expect(count(readFailure(JSON.stringify(within(8))))).toBeLessThan(20);
  // Others mean something else by that name.
  expect(failureOf(Object.assign(new Error('form'), { errors: ['field'] })).errors).toBeUndefined();
  expect(readFailure('{"errors":7}').errors).toBeUndefined();
});
