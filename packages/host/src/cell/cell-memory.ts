import { closeSync, openSync } from 'node:fs';
import { KEPT_HEAP_MS, KeptHeaps } from './kept-heap.ts';
import type { Lease } from './lease.ts';
import { LookPace, type LookTimes } from './look-pace.ts';
import { residentBytesIn } from './resident-bytes.ts';
import { SnapshotRoom } from './snapshot-room.ts';

/** Resident memory that a cell may have beyond its base and the caps of its threads: code, stacks, free pages. */
const PER_THREAD_BYTES = 24 << 20;
const SLACK_BYTES = 64 << 20;
/**
 * So far below its wall, or by such a share of a low one, a process is near it. Garbage that is nobody's until then must not be beyond
 * all excuse for the one who is watched next.
 */
const NEAR_BYTES = 96 << 20;
const NEAR_SHARE = 1 / 3;
/** What a thread that has ended leaves: pages that the allocator keeps. */
const PER_ENDED_THREAD_BYTES = 4 << 20;
/** What a cell that was warmed up, or is being, has more when its first thread starts: what the one that does it leaves. */
const WARM_BYTES = 32 << 20;

/** The supervisor is the first to see what its threads take, and each of its reports is followed by a look. */
export const AFTER_SUPERVISOR: LookTimes = { quietMs: 200, maxMs: 200, staleMs: 400 };

/** The threads of the process, and how many it has had. */
export interface CellThreads {
  readonly leases: ReadonlyMap<number, Pick<Lease, 'heapMaxBytes' | 'meter'>>;
  readonly openedCount: number;
}

/** Resident memory of a cell's process, by the kernel, and the wall that it is killed above. In bytes. */
export class CellMemory {
  peakBytes = 0;
  /** The operator's wall; 0: derived from what its threads may hold. */
  ownWallBytes = 0;
  /** Before any servlet was loaded. */
  baseBytes = 0;
  /** When to look again. */
  readonly pace: LookPace = new LookPace(undefined, AFTER_SUPERVISOR);
  readonly #threads: CellThreads;
  #statm = -1;
  #lastWallBytes: number | null = null;
  /** What it was when it was looked at last, and how much more than the time before. */
  seenBytes = 0;
  grownBytes = 0;
  #keptBytes = 0;
  #keptUntil = 0;
  /** The most that the caps of its threads came to at a time, until then. */
  #capBytes = 0;
  readonly #snapshots = new SnapshotRoom();
  readonly #keptHeaps: KeptHeaps;
  readonly #now: () => number;
  /** At so much room it is pressed. */
  #pressedBytes = Infinity;

  constructor(threads: CellThreads, now: () => number = () => performance.now()) {
    this.#threads = threads;
    this.#now = now;
    this.#keptHeaps = new KeptHeaps(undefined, now);
  }

  /** Of that process, from now on. Where there is no /proc the wall does not stand, as `custodian doctor` says. */
  open(pid: number): void {
    try {
      this.#statm = openSync(`/proc/${pid}/statm`, 'r');
    } catch {
      this.#statm = -1;
    }
  }

  /** The process is gone. Its wall is what it was. */
  close(): void {
    this.#lastWallBytes ??= this.wallBytes();
    if (this.#statm >= 0) closeSync(this.#statm);
    this.#statm = -1;
  }

  /** How far it is below its wall now; less than 0: over it. */
  look(): number {
    const rssBytes = this.sample();
    this.pace.see(rssBytes);
    this.grownBytes = rssBytes - this.seenBytes;
    this.seenBytes = rssBytes;
    return this.wallBytes() - rssBytes;
  }

  /**
   * It has so much room. Is it near its wall for the first time, or with half of the room gone that it had at the most since it was last? Shared buffers
   * that became garbage between two looks at a thread show nowhere else.
   */
  becomesPressed(roomBytes: number): boolean {
    const nearBytes = Math.min(NEAR_BYTES, this.wallBytes() * NEAR_SHARE);
    if (roomBytes > Math.min(nearBytes, this.#pressedBytes)) {
      this.#pressedBytes = Math.max(this.#pressedBytes, roomBytes / 2);
      return false;
    }
    this.#pressedBytes = roomBytes / 2;
    return true;
  }

  measureBase(): void {
    this.baseBytes = this.sample();
  }

  onWarmUp(): void {
    this.baseBytes += WARM_BYTES;
  }

  /** A thread's heap is being taken down, for which it may have so much more. */
  onSnapshot(maxBytes: number): void {
    this.#snapshots.begin(maxBytes, this.sample());
  }

  onSnapshotOver(): void {
    this.#snapshots.end(this.sample());
  }

  /** A thread with such a cap and heap is gone, and no longer among the others. What is there beyond what those hold is kept of its heap, and of those that ended before it. */
  onThreadGone(heapMaxBytes: number, heapBytes: number): void {
    this.#keptHeaps.add(heapBytes);
    let capBytes = heapMaxBytes;
    let restBytes = this.sample() - this.baseBytes;
    for (const lease of this.#threads.leases.values()) {
      capBytes += lease.heapMaxBytes;
      restBytes -= lease.meter.heldBytes;
    }
    const now = this.#now();
    this.#capBytes = now < this.#keptUntil ? Math.max(this.#capBytes, capBytes) : capBytes;
    // A later heap takes its pages from there first, so that no more is kept than there ever were heaps at a time.
    this.#keptBytes = Math.min(Math.max(0, restBytes), this.#capBytes);
    this.#keptUntil = now + KEPT_HEAP_MS;
  }

  /** What a thread's heap may take of what the process has already, so that it does not show. */
  get keptHeapBytes(): number {
    return this.#keptHeaps.bytes;
  }

  /** How much it is now; 0 where the system does not say. */
  sample(): number {
    if (this.#statm < 0) return 0;
    try {
      const bytes = residentBytesIn(this.#statm);
      if (bytes > this.peakBytes) this.peakBytes = bytes;
      return bytes;
    } catch {
      // Between its death and the news of it.
      return 0;
    }
  }

  /** What it is killed above: the operator's wall, or what its base, its threads' caps and what is kept of ended ones come to. */
  wallBytes(): number {
    if (this.#lastWallBytes !== null) return this.#lastWallBytes;
    if (this.ownWallBytes > 0) return this.ownWallBytes + this.#snapshots.bytes;
    const { leases, openedCount } = this.#threads;
    let wall = (this.baseBytes || SLACK_BYTES) + SLACK_BYTES + this.#snapshots.bytes;
    for (const lease of leases.values()) wall += lease.heapMaxBytes + PER_THREAD_BYTES;
    // A servlet that takes memory of another kind must not be killed for it.
    if (this.#now() < this.#keptUntil) wall += this.#keptBytes;
    return wall + (openedCount - leases.size) * PER_ENDED_THREAD_BYTES;
  }
}
