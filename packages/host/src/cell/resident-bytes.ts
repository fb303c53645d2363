import { numberAt, ProcFile, readOpenProcFile } from './proc-file.ts';

export const PAGE_BYTES = 4096;

/** Pages that are resident (proc_pid_statm(5)). */
const residentPages = numberAt(1, 7);
const own = new ProcFile('/proc/self/statm', residentPages);

/** Resident memory of the process whose `/proc/<pid>/statm` this open file is. @throws Error when the process is gone */
export function residentBytesIn(statm: number): number {
  const pages = readOpenProcFile(statm, residentPages);
  if (pages === null) throw new Error('Cannot read how much memory a process has: its statm has another form');
  return pages * PAGE_BYTES;
}

/**
 * Resident memory of this process. From the file that has nothing else, where there is one: Node reads another, for which
 * the kernel adds up the times of all threads.
 */
export function residentBytes(): number {
  try {
    return own.read() * PAGE_BYTES;
  } catch {
    return process.memoryUsage.rss();
  }
}
