import type { ThreadReading } from '../../packages/host/src/cell/unexplained-memory.ts';

/** Of a thread that has nothing and does nothing. */
export const EMPTY_READING: Readonly<ThreadReading> = {
  committedBytes: 0,
  offHeapBytes: 0,
  freeHeapBytes: 0,
  faults: 0,
  cpuMs: 0,
  isSuspect: false,
  isEnding: false,
};
