const HOUR_MS = 3_600_000;

interface Hour {
  since: number;
  bytes: number;
  dropped: number;
}

/** What servlets make the log longer by, in each hour: a disk is no place to fill for who may not write to it. */
export class OutputHours {
  readonly #maxBytesOf: (servlet: string) => number;
  readonly #now: () => number;
  readonly #hours = new Map<string, Hour>();

  constructor(maxBytesOf: (servlet: string) => number, now: () => number = () => performance.now()) {
    this.#maxBytesOf = maxBytesOf;
    this.#now = now;
  }

  /** May it write more in this hour? If not, that is counted. */
  mayWrite(servlet: string): boolean {
    const hour = this.#of(servlet);
    if (hour.bytes < this.#maxBytesOf(servlet)) return true;
    hour.dropped++;
    return false;
  }

  /** It has written so much. @returns is that the last that it may in this hour? */
  add(servlet: string, bytes: number): boolean {
    const hour = this.#of(servlet);
    const maxBytes = this.#maxBytesOf(servlet);
    const wasBelow = hour.bytes < maxBytes;
    hour.bytes += bytes;
    return wasBelow && hour.bytes >= maxBytes;
  }

  /** Lines that were dropped in an hour that is over; once. */
  takeDropped(servlet: string): number {
    const hour = this.#of(servlet);
    if (hour.bytes >= this.#maxBytesOf(servlet)) return 0;
    const { dropped } = hour;
    hour.dropped = 0;
    return dropped;
  }

  #of(servlet: string): Hour {
    const now = this.#now();
    let hour = this.#hours.get(servlet);
    if (hour === undefined) this.#hours.set(servlet, (hour = { since: now, bytes: 0, dropped: 0 }));
    if (now - hour.since >= HOUR_MS) Object.assign(hour, { since: now, bytes: 0 });
    return hour;
  }
}
