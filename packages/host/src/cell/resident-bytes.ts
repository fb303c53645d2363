import { closeSync, openSync, readSync } from 'node:fs';

const buffer: Buffer = Buffer.allocUnsafeSlow(128);
const PAGE_BYTES = 4096;

/** Resident memory of the process whose `/proc/<pid>/statm` this open file is. @throws Error when the process is gone */
export function residentBytesIn(statm: number): number {
  const length = readSync(statm, buffer, 0, buffer.length, 0);
  return Number(buffer.toString('latin1', 0, length).split(' ')[1]) * PAGE_BYTES;
}

/**
 * Resident memory of this process. From the file that has nothing else, where there is one: Node reads another, for which
 * the kernel adds up the times of all threads. It is not kept open, since a trusted servlet may close any descriptor.
 */
export function residentBytes(): number {
  try {
    const file = openSync('/proc/self/statm', 'r');
    try {
      return residentBytesIn(file);
    } finally {
      closeSync(file);
    }
  } catch {
    return process.memoryUsage.rss();
  }
}
