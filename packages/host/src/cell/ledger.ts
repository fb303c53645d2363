import type { DeathCause, Obituary } from './obituary.ts';

/** One request, as it was charged. */
export interface RequestRecord {
  /** When it was answered, in ms since 1970. */
  at: number;
  servlet: string;
  method: string;
  url: string;
  status: number;
  /** CPU time in its thread, in ms. In `unit: 'servlet'`, where requests overlap, the thread's time meanwhile. */
  cpuMs: number;
  /** From its start in the thread to its answer, in ms. */
  wallMs: number;
  /** From its arrival to its last byte, in ms. */
  totalMs: number;
  /** Largest memory of its thread that was seen meanwhile: heap and off-heap. */
  peakBytes: number;
  bytesIn: number;
  bytesOut: number;
}

/** What a servlet has cost so far. */
export interface Account {
  requests: number;
  failures: number;
  /** Of its requests, as their threads tell it. */
  cpuMs: number;
  /** Of its threads from their starts on, as it was read from outside of them now and then: what a thread does between two requests is in it too. */
  threadCpuMs: number;
  wallMs: number;
  /** From arrivals to last bytes. */
  totalMs: number;
  bytesIn: number;
  bytesOut: number;
  peakBytes: number;
  kills: number;
  /** What its guests had fetched for them, what of it failed, and the bytes of bodies that were sent and received. */
  fetches: number;
  fetchFailures: number;
  fetchBytesOut: number;
  fetchBytesIn: number;
  /** Its deaths, by cause. */
  deaths: Partial<Record<DeathCause, number>>;
  /** How many requests took so long from arrival to last byte: one count for each of {@link DURATION_BOUNDS_MS}, and one for more. */
  durationCounts: number[];
}

/** Upper bounds of the classes of durations that an account counts, in ms. */
export const DURATION_BOUNDS_MS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** How long the last requests took, in ms; 0 when there were none. */
export interface Latency {
  count: number;
  p50Ms: number;
  p99Ms: number;
}

const RECENT_MAX_COUNT = 1024;
const OBITUARIES_MAX_COUNT = 1000;

/** Charges every request to its servlet and keeps the last requests and the last deaths. */
export class Ledger {
  readonly accounts: Map<string, Account> = new Map();
  /** The last ones. */
  readonly obituaries: Obituary[] = [];
  /** How many there have been. */
  buriedCount = 0;
  /** Requests that the host itself answered, by code: `LIMIT_BODY`, `REQUEST_MALFORMED`, … */
  readonly refusals: Map<string, number> = new Map();
  readonly #recent: (RequestRecord | undefined)[] = Array.from({ length: RECENT_MAX_COUNT });
  #count = 0;

  account(servlet: string): Account {
    let account = this.accounts.get(servlet);
    if (account === undefined) {
      account = {
        requests: 0,
        failures: 0,
        cpuMs: 0,
        threadCpuMs: 0,
        wallMs: 0,
        totalMs: 0,
        bytesIn: 0,
        bytesOut: 0,
        peakBytes: 0,
        kills: 0,
        fetches: 0,
        fetchFailures: 0,
        fetchBytesOut: 0,
        fetchBytesIn: 0,
        deaths: {},
        durationCounts: Array.from({ length: DURATION_BOUNDS_MS.length + 1 }, () => 0),
      };
      this.accounts.set(servlet, account);
    }
    return account;
  }

  /** The place of the next record: the oldest one, to be filled anew. A record a request would be garbage at every one. */
  blank(): RequestRecord {
    return (this.#recent[this.#count % RECENT_MAX_COUNT] ??= {
      at: 0,
      servlet: '',
      method: '',
      url: '',
      status: 0,
      cpuMs: 0,
      wallMs: 0,
      totalMs: 0,
      peakBytes: 0,
      bytesIn: 0,
      bytesOut: 0,
    });
  }

  /** Charges what {@link blank} was filled with. */
  charge(record: RequestRecord): void {
    const account = this.account(record.servlet);
    account.requests++;
    if (record.status >= 500) account.failures++;
    account.cpuMs += record.cpuMs;
    account.wallMs += record.wallMs;
    account.totalMs += record.totalMs;
    account.bytesIn += record.bytesIn;
    account.bytesOut += record.bytesOut;
    if (record.peakBytes > account.peakBytes) account.peakBytes = record.peakBytes;
    account.durationCounts[durationClass(record.totalMs)]!++;
    this.#count++;
  }

  bury(obituary: Obituary): void {
    const account = this.account(obituary.servlet);
    account.kills++;
    account.deaths[obituary.cause] = (account.deaths[obituary.cause] ?? 0) + 1;
    this.buriedCount++;
    this.obituaries.push(obituary);
    if (this.obituaries.length > OBITUARIES_MAX_COUNT) this.obituaries.shift();
  }

  refuse(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  /** The last requests, oldest first. */
  get recent(): readonly RequestRecord[] {
    const start = Math.max(0, this.#count - RECENT_MAX_COUNT);
    return Array.from({ length: this.#count - start }, (_, index) => ({
      ...(this.#recent[(start + index) % RECENT_MAX_COUNT] as RequestRecord),
    }));
  }

  /** How long those of the last requests took that were the servlet's; `null` for those of all. */
  latency(servlet: string | null): Latency {
    const times: number[] = [];
    const count = Math.min(this.#count, RECENT_MAX_COUNT);
    for (let index = 0; index < count; index++) {
      const record = this.#recent[index] as RequestRecord;
      if (servlet === null || record.servlet === servlet) times.push(record.totalMs);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
    return { count: times.length, p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}

function durationClass(ms: number): number {
  let index = 0;
  while (index < DURATION_BOUNDS_MS.length && ms > (DURATION_BOUNDS_MS[index] as number)) index++;
  return index;
}
