import type { Persistence } from './suspending.ts';

/** Acceptor to supervisor, on the control stream. */
export type ToCell =
  /** Start a thread on a channel and load the servlet in it. */
  | { type: 'lease'; order: LeaseOrder }
  /**
   * Sample this thread often: a request has been running for longer than a glance. `beforeBytes`: what the cell had when it was looked at
   * last before the request; 0: not known.
   */
  | { type: 'watch'; lease: number; cpuMs: number; beforeBytes: number }
  /** It is watched still, and has so much CPU time from now on: another request that it had was answered. */
  | { type: 'renew'; lease: number; cpuMs: number }
  /** That request is over. */
  | { type: 'unwatch'; lease: number }
  /** The thread is stalled: let it start no further request, and say which one it claimed last. */
  | { type: 'revoke'; lease: number; round: number }
  /** The stalled request is over: the thread may start requests again. */
  | { type: 'restore'; lease: number; round: number }
  /** End the thread now, whatever it does. */
  | { type: 'kill'; lease: number }
  /** The thread's cap is another from now on. */
  | { type: 'adjust'; lease: number; heapMaxBytes: number }
  /** Have the thread collect its garbage. */
  | { type: 'collect'; lease: number }
  /** Write the thread's heap to that file. */
  | { type: 'heap-snapshot'; lease: number; file: string }
  /** Nobody needs the cell yet: let it do beforehand what its first servlet would wait for. */
  | { type: 'warm-up' }
  /** Requests are coming in (or not): sample all threads from time to time. */
  | { type: 'active'; isActive: boolean };

/** The home of a guest in its cell. */
export interface GuestOrder {
  /** The thread's own directory for temporary files; the one above it belongs to the servlet's threads in this cell. */
  tempDir: string;
  /** What the files of the servlet's threads there may take together. */
  tempMaxBytes: number;
  /** Its `fetch` goes by way of the acceptor; else it has none. */
  hasFetch: boolean;
}

/** All that a thread needs to know to run one servlet. */
export interface LeaseOrder {
  lease: number;
  /** The descriptor, in the cell, of the thread's channel. */
  channelFd: number;
  /** `file:` URL of the servlet's module. */
  servletUrl: string;
  servletName: string;
  /** What the operator asked for; null: what the module says. */
  persistence: Persistence | null;
  /** The file that has the code of an older version, which is to be run; null: what the servlet is now. */
  versionFile: string | null;
  /** What is run now is to be kept, for pages that are answered after it was edited. */
  keepsVersion: boolean;
  /** The first two parts of the address of every continuation that the thread will hold: replica and cell. */
  place: string;
  unit: 'connection' | 'instance' | 'servlet';
  /** Cap on V8 heap plus off-heap memory, in bytes. */
  heapMaxBytes: number;
  /** Node's permission flags for the thread; empty for a trusted servlet. */
  execArgv: string[];
  /** What a guest's thread is given besides; null for a trusted servlet. */
  guest: GuestOrder | null;
  isDevelopment: boolean;
  /** Of console output; what is over is dropped. */
  logMaxBytesPerSecond: number;
  /** `file:` URLs, ending in a slash, of the packages that are compiled as the servlet's own modules are. */
  compiledPackages: readonly string[];
}
