import { RunningRequest } from '@custodian/protocol';
import { expect, test } from 'vitest';

test('RunningRequest knows the last request that was claimed, also when that is over', () => {
  const running = new RunningRequest(new SharedArrayBuffer(RunningRequest.BYTES));
  expect([running.current, running.last]).toEqual([0, 0]);
  running.start(7);
  expect([running.current, running.last]).toEqual([7, 7]);
  running.finish();
  expect([running.current, running.last]).toEqual([0, 7]);
  running.revoke();
  expect(running.start(8)).toBe(false);
  expect([running.current, running.last]).toEqual([0, 7]);
  running.restore();
  running.start(RunningRequest.ID_MAX);
  expect([running.current, running.last]).toEqual([RunningRequest.ID_MAX, RunningRequest.ID_MAX]);
});
