import type { LimitName } from '../limits.ts';

/** Why a thread or a cell died. */
export type DeathCause =
  /** The thread held more V8 heap and off-heap memory than its cap. */
  | 'heap'
  /** The cell's resident memory grew over its wall. */
  | 'rss'
  /** A request used more CPU time than it may. */
  | 'cpu'
  /** A request took longer than it may. */
  | 'wall'
  /** Nobody has asked for it for too long. */
  | 'idle'
  /** The thread ended by itself: `process.exit`, an error that nobody caught, a failure to load. */
  | 'crash'
  /** The process ended by itself: an abort, a signal of its own. */
  | 'abort'
  /** It sent what is not the protocol. */
  | 'protocol'
  /** The host was stopped while it ran. */
  | 'drain'
  /** Somebody ended it. */
  | 'operator';

/** What is left of a thread or a cell that died. */
export interface Obituary {
  /** When, in ms since 1970. */
  at: number;
  servlet: string;
  /** Number of the cell, and its process id. */
  cell: number;
  pid: number;
  /** Number of the lease, and so of its thread, in the cell; `null` when the whole cell died. */
  lease: number | null;
  cause: DeathCause;
  /** The limit that was hit. */
  limit: LimitName | null;
  limitValue: number | null;
  /** The request that was running, as `GET /greedy`. */
  request: string | null;
  /** More about it: an error's message, a signal. */
  detail: string;
  peakHeapBytes: number;
  peakOffHeapBytes: number;
  peakRssBytes: number;
  cpuMs: number;
  /** From the breach being seen to the thread or process being gone. */
  deathMs: number;
}

const LIMIT_OF_CAUSE: Partial<Record<DeathCause, LimitName>> = {
  heap: 'heapMb',
  rss: 'rssMb',
  cpu: 'cpuMs',
  wall: 'wallMs',
  idle: 'cellIdleTimeoutMs',
};

/** The limit that a cause of death comes from, if it is one. */
export function limitOfCause(cause: DeathCause): LimitName | null {
  return LIMIT_OF_CAUSE[cause] ?? null;
}

/** One line for a log. */
export function obituaryLine(obituary: Obituary): string {
  const who = obituary.lease === null ? `cell ${obituary.cell}` : `thread ${obituary.lease} of cell ${obituary.cell}`;
  const limit = obituary.limit === null ? '' : ` (${obituary.limit} ${obituary.limitValue})`;
  const request = obituary.request === null ? '' : ` at ${obituary.request}`;
  return `${obituary.servlet}: ${who} died of ${obituary.cause}${limit}${request}${obituary.detail === '' ? '' : `: ${obituary.detail}`}`;
}
