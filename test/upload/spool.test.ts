import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BodyBudget } from '../../packages/host/src/http/body-budget.ts';
import { Spool, SpoolClosedError, SpoolFullError, type SpoolPlace } from '../../packages/host/src/upload/spool.ts';
import { descriptorsOf } from '../support/process-tree.ts';

const MB = 1 << 20;
const directory = mkdtempSync(join(tmpdir(), 'custodian-spool-'));
afterAll(() => rmSync(directory, { recursive: true }));

class Place implements SpoolPlace {
  readonly directory = directory;
  readonly memory = new BodyBudget(MB);
  used = 0;
  readonly max: number;

  constructor(max = Infinity) {
    this.max = max;
  }

  reserve(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.used -= bytes;
  }
}

async function contentOf(spool: Spool, start = 0, end = spool.bytes): Promise<string> {
  return Buffer.concat(await Array.fromAsync(spool.read(start, end))).toString('latin1');
}

describe('Spool', () => {
  it('Spool keeps little in memory, and more in a file without a name', async () => {
    const place = new Place();
    const spool = new Spool('test', place, 10_000);
    await spool.append(Buffer.from('a'.repeat(6000)));
    expect([spool.isOnDisk, place.used, await contentOf(spool, 5990)]).toEqual([false, 0, 'a'.repeat(10)]);
    expect(spool.memoryUse()).toBeLessThanOrEqual(10_000);
    await spool.append(Buffer.from('b'.repeat(6000)));
    expect([spool.isOnDisk, place.used, spool.memoryUse(), spool.bytes]).toEqual([true, 12_000, 0, 12_000]);
    expect(readdirSync(directory)).toEqual([]);
    await spool.append(Buffer.from('c'.repeat(100_000)));
    expect(await contentOf(spool)).toBe('a'.repeat(6000) + 'b'.repeat(6000) + 'c'.repeat(100_000));
    expect(await contentOf(spool, 5999, 6001)).toBe('ab');
    expect(await contentOf(spool, 7, 7)).toBe('');
    await spool.close();
    expect(place.used).toBe(0);
  });

  it('Spool stays within its memory when it grows in small pieces', async () => {
    const spool = new Spool('test', new Place(), 10_000);
    for (let count = 0; count < 1000; count += 1) await spool.append(Buffer.from('0123456789'));
    expect([spool.isOnDisk, spool.memoryUse(), await contentOf(spool)]).toEqual([
      false,
      10_000,
      '0123456789'.repeat(1000),
    ]);
    await spool.close();
  });

  it('Spool goes to disk at once when the memory of all bodies is spent', async () => {
    const place = new Place();
    place.memory.heldBytes = MB + 1;
    const spool = new Spool('test', place, 10_000);
    await spool.append(Buffer.from('abc'));
    expect([spool.isOnDisk, await contentOf(spool)]).toEqual([true, 'abc']);
    expect(spool.hold(5)).toBe(false);
    await spool.close();
    expect(place.memory.heldBytes).toBe(MB + 1);
  });

  it('Spool refuses what its place has no room for', async () => {
    const place = new Place(15_000);
    const spool = new Spool('test', place, 1000);
    await spool.append(Buffer.alloc(10_000));
    await expect(spool.append(Buffer.alloc(10_000))).rejects.toThrow(SpoolFullError);
    await spool.close();
    expect(place.used).toBe(0);
  });

  it('Spool.close() at any moment leaves no descriptor, no name and no reservation', async () => {
    const place = new Place();
    const before = descriptorsOf(process.pid).length;
    for (let turns = 0; turns < 30; turns += 1) {
      const spool = new Spool('test', place, 100);
      const appended = spool
        .append(Buffer.alloc(70_000))
        .then(() => contentOf(spool))
        .catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      await spool.close();
      await spool.close();
      const result: unknown = await appended;
      expect(typeof result === 'string' || result instanceof SpoolClosedError).toBe(true);
    }
    expect([place.used, place.memory.heldBytes, readdirSync(directory)]).toEqual([0, 0, []]);
    expect(descriptorsOf(process.pid).length).toBe(before);
  });

  it('Spool cannot be used when it is closed', async () => {
    const spool = new Spool('test', new Place(), 100);
    await spool.append(Buffer.alloc(10));
    await spool.close();
    await expect(spool.append(Buffer.alloc(1))).rejects.toThrow(SpoolClosedError);
    await expect(contentOf(spool, 0, 10)).rejects.toThrow(SpoolClosedError);
  });
});
