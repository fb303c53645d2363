import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Cell } from '../../../packages/host/src/cell/cell.ts';
import { WarmCells } from '../../../packages/host/src/cell/warm-cells.ts';
import { Custodian } from '../../../packages/host/src/custodian.ts';

let directory: string;
let custodian: Custodian;
let cells: WarmCells;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'warm-cells-'));
  const path = (name: string): string => join(directory, name);
  const site = { emptyDir: path('empty'), cacheDir: path('cache'), tempDir: path('temp') };
  for (const each of Object.values(site)) mkdirSync(each);
  custodian = new Custodian('root', null);
  cells = new WarmCells({ custodian, ...site, jail: null }, 1);
  await cells.prepare('trusted');
});

afterEach(async () => {
  await custodian.shutdownAll();
  rmSync(directory, { recursive: true });
});

function take(): Cell {
  return cells.take('trusted', { files: [], packages: [], tempMaxBytes: 0 }, true);
}

it('WarmCells starts no spare cell while the one that was taken last begins, though that one was taken instead of one that is dead', async () => {
  const first = take();
  first.kill('abort');
  await first.gone;
  const second = take();
  await sleep(400);
  expect(cells.waiting).toEqual([]);
  second.onLeaseReady();
  await expect.poll(() => cells.waiting.length, { timeout: 600 }).toBe(1);
});

it('WarmCells does not wait for ever for a cell that does not begin', async () => {
  take();
  await expect.poll(() => cells.waiting.length, { timeout: 2000 }).toBe(1);
});

it('WarmCells replaces a cell that has begun, though another was taken since', async () => {
  take().onLeaseReady();
  await sleep(50);
  take();
  await expect.poll(() => cells.waiting.length, { timeout: 500 }).toBe(1);
});
