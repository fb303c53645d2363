const HOUR_MS = 3_600_000;
/** Output may have so much of an hour. The rest is for errors alone: pages name them. */
const OUTPUT_SHARE = 3 / 4;

/** What servlets have a say in: what they print, and what they throw. */
export type LogKind = 'output' | 'errors';

/** What was dropped in an hour. */
export interface Dropped {
  lines: number;
  bytes: number;
}

interface Hour {
  since: number;
  bytes: number;
  dropped: Record<LogKind, Dropped>;
}

/** Who tells what is dropped. */
export interface DropTeller {
  /** The first of its kind in this hour. */
  onFirst(servlet: string, kind: LogKind): void;
  /** The hour is over, or the log is closed. */
  onOver(servlet: string, dropped: Dropped): void;
}

/** What servlets make the log longer by, in each hour: a disk is no place to fill for who may not write to it. */
export class OutputHours {
  readonly #maxBytesOf: (servlet: string) => number;
  readonly #teller: DropTeller;
  readonly #now: () => number;
  readonly #hours = new Map<string, Hour>();

  constructor(
    maxBytesOf: (servlet: string) => number,
    teller: DropTeller,
    now: () => number = () => performance.now(),
  ) {
    this.#maxBytesOf = maxBytesOf;
    this.#teller = teller;
    this.#now = now;
  }

  /** May it write a line of `bytes` in this hour? If not, that is counted. */
  mayWrite(servlet: string, kind: LogKind, bytes: number): boolean {
    const hour = this.#of(servlet);
    const share = kind === 'output' ? OUTPUT_SHARE : 1;
    if (hour.bytes < this.#maxBytesOf(servlet) * share) return true;
    const dropped = hour.dropped[kind];
    dropped.bytes += bytes;
    if (++dropped.lines === 1) this.#teller.onFirst(servlet, kind);
    return false;
  }

  /** It has made the log longer by so much. */
  add(servlet: string, bytes: number): void {
    this.#of(servlet).bytes += bytes;
  }

  /** Tells what was dropped in hours that are over: a servlet that is silent since does not ask. */
  sweep(): void {
    const now = this.#now();
    for (const [servlet, hour] of this.#hours) if (isOver(hour, now)) this.#end(servlet, hour);
  }

  /** Tells what was dropped so far. */
  close(): void {
    for (const [servlet, hour] of this.#hours) this.#end(servlet, hour);
  }

  #of(servlet: string): Hour {
    const now = this.#now();
    let hour = this.#hours.get(servlet);
    if (hour !== undefined && isOver(hour, now)) {
      this.#end(servlet, hour);
      hour = undefined;
    }
    if (hour === undefined) {
      const dropped = { output: { lines: 0, bytes: 0 }, errors: { lines: 0, bytes: 0 } };
      this.#hours.set(servlet, (hour = { since: now, bytes: 0, dropped }));
    }
    return hour;
  }

  #end(servlet: string, { dropped: { output, errors } }: Hour): void {
    this.#hours.delete(servlet);
    const lines = output.lines + errors.lines;
    if (lines > 0) this.#teller.onOver(servlet, { lines, bytes: output.bytes + errors.bytes });
  }
}

function isOver({ since }: Hour, now: number): boolean {
  return now - since >= HOUR_MS;
}
