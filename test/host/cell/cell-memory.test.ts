import { expect, it } from 'vitest';
import { CellMemory } from '../../../packages/host/src/cell/cell-memory.ts';
import { HEAP_FLAGS, KeptHeaps } from '../../../packages/host/src/cell/kept-heap.ts';
import { ThreadMeter } from '../../../packages/host/src/cell/thread-meter.ts';

const MB = 1 << 20;

function memoryOf(baseMb: number): CellMemory {
  const memory = new CellMemory({ leases: new Map(), openedCount: 0 });
  memory.baseBytes = baseMb * MB;
  return memory;
}

it('CellMemory is pressed near its wall, and again when half of the room is gone that it had since', () => {
  const memory = memoryOf(236);
  expect(memory.wallBytes()).toBe(300 * MB);
  const pressedAt = (...roomMb: number[]): number[] => roomMb.filter((mb) => memory.becomesPressed(mb * MB));
  expect(pressedAt(250, 97, 95, 90, 48)).toEqual([95]);
  expect(pressedAt(47, 30, 24, 23)).toEqual([47, 23]);
  // A collection has helped, a little and then altogether.
  expect(pressedAt(60, 31, 30, 80, 41, 40)).toEqual([30, 40]);
  expect(pressedAt(250, 97, 96)).toEqual([96]);
});

it('CellMemory takes a third of a low wall for near', () => {
  const memory = memoryOf(0);
  memory.ownWallBytes = 100 * MB;
  expect([50, 34, 33].filter((mb) => memory.becomesPressed(mb * MB))).toEqual([33]);
});

it('CellMemory leaves room for what V8 keeps of ended threads, as long as it does and no more than there were heaps', () => {
  let nowMs = 0;
  const leases = new Map<number, { heapMaxBytes: number; meter: ThreadMeter }>();
  const memory = new CellMemory({ leases, openedCount: 0 }, () => nowMs);
  memory.baseBytes = 100 * MB;
  const room = (): number => memory.wallBytes() / MB;
  const gone = (rssMb: number): number => {
    memory.sample = () => rssMb * MB;
    memory.onThreadGone(50 * MB, 10 * MB);
    return room();
  };
  expect(room()).toBe(164);
  expect(gone(90)).toBe(164);
  expect(gone(140)).toBe(204);
  expect(gone(400)).toBe(214);
  expect(memory.keptHeapBytes).toBe(HEAP_FLAGS.length === 0 ? 30 * MB : 0);
  nowMs = 12_000;
  expect(memory.keptHeapBytes).toBe(0);
  expect(room()).toBe(164);
  // Another one holds 20 MB of it.
  const meter = new ThreadMeter();
  meter.heapBytes = 20 * MB;
  leases.set(1, { heapMaxBytes: 30 * MB, meter });
  expect(gone(150) - 54 - 164 + 4).toBe(30);
  expect(gone(400) - 54 - 164 + 4).toBe(80);
  // Several end right behind one another.
  leases.clear();
  expect(gone(400)).toBe(244);
});

it('CellMemory leaves room for heap snapshots while they are taken, and then for what they left, once for those of one time', () => {
  const memory = memoryOf(100);
  let rssMb = 120;
  memory.sample = () => rssMb * MB;
  const room = (): number => memory.wallBytes() / MB - 164;
  memory.onSnapshot(300 * MB);
  rssMb = 200;
  memory.onSnapshot(300 * MB);
  expect(room()).toBe(600);
  rssMb = 320;
  memory.onSnapshotOver();
  expect(room()).toBe(600);
  rssMb = 270;
  memory.onSnapshotOver();
  expect(room()).toBe(150);
  // A later one has the pages of those.
  memory.onSnapshot(300 * MB);
  rssMb = 280;
  memory.onSnapshotOver();
  expect(room()).toBe(160);
  // No more than it may have: the rest was somebody else's.
  memory.onSnapshot(40 * MB);
  rssMb = 400;
  memory.onSnapshotOver();
  expect(room()).toBe(200);
});

it('KeptHeaps knows what ended threads have left, for some seconds, and nothing where it goes back at once', () => {
  let nowMs = 0;
  const kept = new KeptHeaps(true, () => nowMs);
  expect(kept.bytes).toBe(0);
  kept.add(30 * MB);
  nowMs = 11_000;
  kept.add(10 * MB);
  nowMs = 22_999;
  expect(kept.bytes).toBe(40 * MB);
  nowMs = 23_000;
  expect(kept.bytes).toBe(0);
  kept.add(5 * MB);
  expect(kept.bytes).toBe(5 * MB);
  const none = new KeptHeaps(false, () => nowMs);
  none.add(30 * MB);
  expect(none.bytes).toBe(0);
});
