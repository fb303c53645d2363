import { scryptSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MemoryWatch } from '../../../packages/host/src/cell/memory-watch.ts';
import { OwnMemory } from '../../../packages/host/src/cell/own-memory.ts';
import { residentBytes } from '../../../packages/host/src/cell/resident-bytes.ts';
import type { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';
import { NEWBORN } from '../../../packages/host/src/cell/unexplained-memory.ts';

const MB = 1 << 20;
/** Of this process, until the last test is over: what is collected in the middle of one would be missing there. */
const held: Buffer[] = [];

/** What a thread that starts, and takes nothing, is charged with when this process takes memory so. */
async function chargedAfter(take: (own: OwnMemory) => void, own: OwnMemory = new OwnMemory()): Promise<number> {
  const charged = Promise.withResolvers<number>();
  const starting = {
    isSuspect: true,
    isStarting: true,
    isAtPeak: false,
    heapMaxBytes: 1024 * MB,
    lastSample: { unexplainedBytes: 0 },
    sample: () => Promise.resolve(),
    reading: () => ({ ...NEWBORN, isSuspect: true }),
    onUnexplained: charged.resolve,
  } as unknown as SupervisedThread;
  const watch = new MemoryWatch(new Map([[1, starting]]), { onCharged() {}, onBreach() {} }, own, { bytes: 0 });
  watch.begin(starting, 0);
  take(own);
  watch.look(residentBytes(), true, [starting]);
  return (await charged.promise) / MB;
}

describe.skipIf(!existsSync('/proc/self/task'))('OwnMemory', () => {
  it('apart() lays what the supervisor takes to prepare modules to no thread that starts meanwhile', async () => {
    const take = (): number => held.push(Buffer.alloc(64 * MB, 1));
    expect(await chargedAfter(take)).toBeGreaterThan(56);
    expect(await chargedAfter((own) => own.apart(take))).toBeLessThan(8);
  });

  it('apart() takes from nobody’s charge what the supervisor has taken and given back again and again', async () => {
    // Takes 64 MB, and gives them back before it returns.
    const takeAndFree = (): Buffer => scryptSync('x', 'y', 32, { N: 1 << 16, r: 8, maxmem: 128 * MB });
    const charged = await chargedAfter((own) => {
      held.push(Buffer.alloc(64 * MB, 1));
      own.apart(() => Array.from({ length: 3 }, takeAndFree));
    });
    expect(charged).toBeGreaterThan(48);
    expect(charged).toBeLessThan(72);
  });

  it('OwnMemory lays what the supervisor’s heap grows by beyond its peak to no thread, and that once', async () => {
    let heapMb = 20;
    const own = new OwnMemory(() => heapMb * MB);
    const before = own.read();
    const grow = (mb: number): void => {
      held.push(Buffer.alloc(Math.max(0, mb - heapMb) * MB, 1));
      heapMb = mb;
    };
    expect(await chargedAfter(() => grow(84), own)).toBeLessThan(8);
    expect(own.read().bytes - before.bytes).toBe(64 * MB);
    expect(own.read().faults - before.faults).toBe(64 * 256);
    for (const mb of [30, 84]) {
      heapMb = mb;
      expect(own.read().bytes - before.bytes).toBe(64 * MB);
    }
  });

  it('apart() counts what helpers have touched of the supervisor’s heap, and what it touched itself once', () => {
    let heapMb = 20;
    const own = new OwnMemory(() => heapMb * MB);
    const before = own.read().bytes;
    // None of it is touched by this thread.
    own.apart(() => (heapMb = 40));
    expect((own.read().bytes - before) / MB).toBeCloseTo(20, 0);
    own.apart(() => {
      heapMb = 72;
      held.push(Buffer.alloc(32 * MB, 1));
    });
    expect((own.read().bytes - before) / MB).toBeCloseTo(52, 0);
  });
});
