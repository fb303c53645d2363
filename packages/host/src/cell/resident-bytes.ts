import { ProcFile, readOpenProcFile } from './proc-file.ts';

export const PAGE_BYTES = 4096;

const own = new ProcFile('/proc/self/statm', /^\d+(?: \d+){6}\n$/);

/** Resident memory of the process whose `/proc/<pid>/statm` this open file is. @throws Error when the process is gone */
export function residentBytesIn(statm: number): number {
  return bytesOf(readOpenProcFile(statm));
}

/**
 * Resident memory of this process. From the file that has nothing else, where there is one: Node reads another, for which
 * the kernel adds up the times of all threads.
 */
export function residentBytes(): number {
  try {
    return bytesOf(own.read());
  } catch {
    return process.memoryUsage.rss();
  }
}

const bytesOf = (statm: string): number => Number(statm.split(' ', 2)[1]) * PAGE_BYTES;
