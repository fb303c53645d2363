import { expect, test } from 'vitest';
import { deathPage, gonePage } from '../../packages/host/src/cell/death-page.ts';
import type { Obituary } from '../../packages/host/src/cell/obituary.ts';
import type { Exchange } from '../../packages/host/src/http/exchange.ts';

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

test.each([
  ['GET /shop;k=r0.1-2-abcdefgh.1.2.0123456789abcdefghijkl?card=1', 'GET /shop'],
  ['GET /shop;k=r0.1-2-abcdefgh.1.2.0123', 'GET /shop'],
  ['POST /shop;c=sealed%00;at=r0.1-2-abcdefgh/basket?card=1', 'POST /shop/basket'],
  ['GET /shop?card=1', 'GET /shop'],
])('%s, which a thread died of, is shown to the others as %s, and whole to who sent it', (request, others) => {
  const obituary: Obituary = { ...idle(''), cause: 'heap', limit: 'heapMb', limitValue: 64, request };
  expect(gonePage(obituary, '/shop', true).detail?.split('\n')[1]).toBe(`request: ${others}`);
  const guilty = { header: () => undefined } as unknown as Exchange;
  expect(deathPage(obituary, true, null, guilty).detail?.split('\n')[1]).toBe(`request: ${request}`);
});
