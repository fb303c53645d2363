import type { Failure } from './failure.ts';

/** Supervisor to acceptor, on the control stream. Hostile input, since the guest shares the process. */
export type ToSupervisor =
  /** The cell is up and takes orders. */
  | { type: 'booted' }
  /** What it was told to do beforehand is done. */
  | { type: 'warmed-up' }
  /** What the threads hold and have used, and the CPU time in ms that it has cost so far to supervise them. */
  | { type: 'sample'; threads: ThreadSample[]; samplingMs: number }
  /** A thread is over a limit; it is being ended. */
  | { type: 'breach'; lease: number; cause: 'heap' | 'rss' | 'cpu'; value: number; max: number }
  /** A thread that is being ended is in a native call, and ends when that does. */
  | { type: 'stuck'; lease: number }
  /** Answer to `revoke` of that round: the request that the thread claimed last (0: none), and whether it is over. */
  | { type: 'revoked'; lease: number; round: number; last: number; isOver: boolean }
  /** Answer to `restore` of that round. */
  | { type: 'restored'; lease: number; round: number }
  /** The thread's heap is written; or why it is not. */
  | { type: 'heap-snapshot'; lease: number; problem: string | null }
  /** The thread is gone, and with it all that it held. `running`: the request that it ran (0: none). */
  | { type: 'exit'; lease: number; running: number; failure: Failure | null };

export interface ThreadSample {
  lease: number;
  heapBytes: number;
  offHeapBytes: number;
  /** Resident memory that no statistics show, as far as it is known to be this thread's. */
  unexplainedBytes: number;
  /** CPU time of the thread so far, in ms. */
  cpuMs: number;
  /** The request that it runs; 0: none. */
  running: number;
  /** It loads its servlet, as far as its supervisor knows: what no statistic shows was taken for that. */
  isStarting: boolean;
}
