import { expect, test } from 'vitest';
import { gonePage } from '../../packages/host/src/cell/death-page.ts';
import type { Obituary } from '../../packages/host/src/cell/obituary.ts';

const idle = (detail: string): Obituary => ({
  at: 0,
  servlet: 'shop',
  cell: 1,
  pid: 1,
  lease: 2,
  cause: 'idle',
  limit: 'cellIdleTimeoutMs',
  limitValue: 60_000,
  request: null,
  detail,
  peakHeapBytes: 0,
  peakOffHeapBytes: 0,
  peakRssBytes: 0,
  cpuMs: 0,
  deathMs: 0,
});

test('the page of a thread that had rested for long names the limit, and no request', () => {
  const { detail } = gonePage(idle(''), '/shop', true);
  expect(detail).toMatch(/^servlet shop, cause: idle\nlimit: cellIdleTimeoutMs = 60000 .*\nto raise it: .*$/);
});

test('what made room for another is told, and no limit that has nothing to do with it', () => {
  const { text, detail } = gonePage(idle('it made room for another visitor'), '/shop', true);
  expect(text).toContain('it made room for another visitor');
  expect(detail).toBe('servlet shop, cause: idle\nit made room for another visitor');
});
