import { type ContinuationToken, homeOf, placeOfHome } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import type { Lease } from './lease.ts';
import type { Obituary } from './obituary.ts';

const EPITAPHS_MAX_COUNT = 2000;

/** Where the continuations of one servlet are: the threads that hold them, who waits for one, and which have died. */
export class Places {
  readonly #leases = new Map<string, Lease>();
  /** Instances that another thread has than the one that they were born in. */
  readonly #moved = new Map<string, Lease>();
  readonly #waiting = new Map<Lease, Exchange[]>();
  readonly #epitaphs = new Map<string, Obituary>();

  add(lease: Lease): void {
    this.#leases.set(lease.place, lease);
  }

  /** The thread of that place, while it lives. */
  find(place: string): Lease | undefined {
    return this.#leases.get(place);
  }

  /** The thread that has the instance, or is asked whether it can make it again. */
  holderOf(token: ContinuationToken): Lease | undefined {
    const moved = this.#moved.size === 0 ? undefined : this.#moved.get(homeOf(token));
    return moved ?? this.#leases.get(token.place);
  }

  holderOfHome(home: string): Lease | undefined {
    return this.#moved.get(home) ?? this.#leases.get(placeOfHome(home) ?? '');
  }

  /** What is asked for an instance goes to this thread from now on. */
  move(home: string, lease: Lease): void {
    this.#moved.set(home, lease);
  }

  /** Not any more, unless the thread has made it again, or is still asked for it by another request. */
  moveBack(home: string, lease: Lease): void {
    if (this.#moved.get(home) !== lease || lease.adopted.has(home)) return;
    for (const exchange of lease.exchanges.values()) if (exchange.home === home) return;
    this.#moved.delete(home);
  }

  /** What an instance's last thread died of, if it took with it what was saved nowhere. */
  epitaph(token: ContinuationToken): Obituary | undefined {
    return this.#epitaphs.get(homeOf(token)) ?? this.#epitaphs.get(token.place);
  }

  isLost(home: string): boolean {
    return this.#epitaphs.has(home) || this.#epitaphs.has(placeOfHome(home) ?? '');
  }

  hasWaiting(lease: Lease): boolean {
    return this.#waiting.has(lease);
  }

  waitingCount(lease: Lease): number {
    return this.#waiting.get(lease)?.length ?? 0;
  }

  wait(lease: Lease, exchange: Exchange): void {
    exchange.queuedAt = performance.now();
    const waiting = this.#waiting.get(lease);
    if (waiting === undefined) this.#waiting.set(lease, [exchange]);
    else waiting.push(exchange);
  }

  /** The next one that waits for the lease, unless `mayRun` says that it must go on waiting. */
  next(lease: Lease, mayRun: (exchange: Exchange) => boolean): Exchange | null {
    const waiting = this.#waiting.get(lease);
    while (waiting !== undefined) {
      const [first] = waiting;
      if (first === undefined) {
        this.#waiting.delete(lease);
        return null;
      }
      if (!first.isDone && !mayRun(first)) return null;
      waiting.shift();
      if (waiting.length === 0) this.#waiting.delete(lease);
      if (!first.isDone) return first;
      if (waiting.length === 0) return null;
    }
    return null;
  }

  /** Those who have waited for too long, who then wait no more. */
  takeLate(now: number, timeoutMs: number): Exchange[] {
    const late: Exchange[] = [];
    for (const [lease, waiting] of this.#waiting) {
      const stay = waiting.filter((exchange) => !exchange.isDone && now - exchange.queuedAt <= timeoutMs);
      late.push(...waiting.filter((exchange) => !exchange.isDone && !stay.includes(exchange)));
      if (stay.length === 0) this.#waiting.delete(lease);
      else this.#waiting.set(lease, stay);
    }
    return late;
  }

  /** The thread is gone: returns who waited for it. `epitaph`: what to tell those who come for its continuations. */
  remove(lease: Lease, epitaph: Obituary | null): Exchange[] {
    this.#leases.delete(lease.place);
    for (const [home, holder] of this.#moved) if (holder === lease) this.#moved.delete(home);
    if (epitaph !== null) for (const name of [lease.place, ...lease.adopted]) this.#bury(name, epitaph);
    const waiting = this.#waiting.get(lease) ?? [];
    this.#waiting.delete(lease);
    return waiting.filter((exchange) => !exchange.isDone);
  }

  #bury(name: string, epitaph: Obituary): void {
    if (this.#epitaphs.size >= EPITAPHS_MAX_COUNT) {
      const [oldest] = this.#epitaphs.keys();
      this.#epitaphs.delete(oldest as string);
    }
    this.#epitaphs.set(name, epitaph);
  }
}
