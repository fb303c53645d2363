import type { Exchange } from '../http/exchange.ts';
import type { Limits } from '../limits.ts';
import type { Cell } from './cell.ts';
import { GLANCE_MS, type Lease } from './lease.ts';

const SWEEP_MS = 10;
/** Nothing is to be done about any lease sooner. */
const CALM_SWEEP_MS = 200;
const IDLE_SWEEP_MS = 1000;
/** One that takes memory as fast as it can has some 10 MB by then: its cell is looked at, which costs a few microseconds. */
const BURST_MS = 5;
/** A timer may go off so much before its time; who was not quite due then would need another one. */
const TIMER_EARLY_MS = 1;
/** After so long it is asked whether the only request of a thread has begun at all. */
const LEFTOVER_MS = 200;
/** A thread that has not ended so long after it was told to takes its cell with it. */
const END_GRACE_MS = 250;
/** One that has done nothing wrong, and keeps nobody waiting, has longer: with the cell would go what its other threads hold. */
const ORDERLY_END_GRACE_MS = 5000;

/** Whose threads are watched. */
export interface Watched {
  readonly limits: Limits;
  /** A request in a shared thread that takes too long: the thread goes on with the others. */
  refuseLate(lease: Lease, exchange: Exchange): void;
}

/**
 * The clocks of everything that runs, outside of all of it. Sweeps when a request that has just begun becomes a long one, less often
 * while there are only long ones, else once a second. What a thread is doing is told by its supervisor; when that does not answer, the cell is killed.
 */
export class Watchdog {
  readonly #pools = new Map<Lease, Watched>();
  readonly #cells = new Set<Cell>();
  readonly #onIdleSweep: () => void;
  #timer: NodeJS.Timeout | null = null;
  #lastIdleSweep = 0;
  /** In so many ms from when that was said; Infinity: none has been since the last sweep began. */
  #nextMs = Infinity;
  #isShut = false;

  constructor(onIdleSweep: () => void) {
    this.#onIdleSweep = onIdleSweep;
    this.#sweepWithin(IDLE_SWEEP_MS);
  }

  /** Something has begun on a lease: its start, or a request. */
  follow(lease: Lease, pool: Watched): void {
    this.#sweepWithin(lease.isWatched ? SWEEP_MS : BURST_MS);
    if (this.#pools.has(lease)) return;
    this.#pools.set(lease, pool);
    this.#cells.add(lease.cell);
    lease.cell.setActive(true);
  }

  close(): void {
    this.#isShut = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** What was set to no more than that is not put off by one request after another. */
  #sweepWithin(ms: number): void {
    if (this.#isShut || ms >= this.#nextMs) return;
    // Node goes on to wake up for one that does not keep the process alive.
    if (this.#timer !== null) clearTimeout(this.#timer.ref());
    this.#nextMs = ms;
    // Node cuts off what is less than 1 ms, and who is not quite due would need another sweep.
    this.#timer = setTimeout(() => this.#sweep(), Math.ceil(ms));
    this.#timer.unref();
  }

  #sweep(): void {
    this.#nextMs = Infinity;
    const now = performance.now() + TIMER_EARLY_MS;
    const pressed = new Set<Cell>();
    // Short requests right behind one another fill memory as well.
    const rooms = new Map<Cell, number>();
    for (const [lease, pool] of this.#pools) {
      if (!rooms.has(lease.cell)) rooms.set(lease.cell, lease.cell.holdToWall());
      if (lease.state === 'gone') this.#pools.delete(lease);
      else if (lease.state === 'ending') {
        if (lease.endingMs > (lease.isOrderlyEnd ? ORDERLY_END_GRACE_MS : END_GRACE_MS))
          lease.cell.kill(lease.deathCause ?? 'crash', lease);
        pressed.add(lease.cell);
      } else if (lease.isIdle) this.#pools.delete(lease);
      else if (this.#look(lease, pool, now)) pressed.add(lease.cell);
    }
    let nextMs = this.#pools.size > 0 ? CALM_SWEEP_MS : IDLE_SWEEP_MS;
    for (const [lease, { limits }] of this.#pools) nextMs = Math.min(nextMs, dueMs(lease, limits, now));
    for (const cell of pressed) nextMs = Math.min(nextMs, cell.memory.pace.nextMs(rooms.get(cell) as number));
    if (now - this.#lastIdleSweep >= IDLE_SWEEP_MS) {
      this.#lastIdleSweep = now;
      for (const cell of this.#cells) {
        if (cell.isGone) this.#cells.delete(cell);
        else {
          if (!rooms.has(cell)) cell.holdToWall();
          if (![...cell.leases.values()].some((lease) => this.#pools.has(lease))) cell.setActive(false);
        }
      }
      this.#onIdleSweep();
    }
    this.#sweepWithin(nextMs);
  }

  /** Looks at a lease's clocks. `true`: it takes its time, so its cell's memory is looked at as well. */
  #look(lease: Lease, pool: Watched, now: number): boolean {
    const { limits } = pool;
    if (lease.state === 'starting') {
      if (now - lease.startedAt > limits.loadTimeoutMs) lease.end('wall', 'it was not loaded in time');
      return true;
    }
    const waitingMs = now - lease.busySince;
    if (waitingMs < BURST_MS) return false;
    if (waitingMs < GLANCE_MS && !lease.isWatched && !lease.takesRoom()) return false;
    lease.watch(Math.max(1, limits.cpuMs - (now - lease.progressAt)));
    lease.renew(limits.cpuMs);
    if (waitingMs < GLANCE_MS) return true;
    if (lease.isSequential) {
      // A request alone may stand behind something that an earlier one has left behind.
      if (lease.exchanges.size > 1 || waitingMs >= LEFTOVER_MS) lease.revoke();
      const { oldest } = lease;
      if (oldest === null) {
        // Nothing runs, yet the thread does not come back for what was moved: something it has left behind keeps it busy.
        if (waitingMs > limits.wallMs) lease.end('wall', 'it is busy between requests');
      } else if (isLate(oldest, lease.progressAt, now, limits.wallMs)) lease.end('wall');
    } else {
      for (const exchange of lease.exchanges.values()) {
        if (!exchange.isHeadSent && !exchange.isDone && runningMs(exchange, 0, now) > limits.wallMs)
          pool.refuseLate(lease, exchange);
      }
    }
    return true;
  }
}

/** In how many ms something may have to be done about it. */
function dueMs(lease: Lease, limits: Limits, now: number): number {
  const waitingMs = now - lease.busySince;
  if (lease.state === 'ready' && (waitingMs < GLANCE_MS || !lease.isWatched))
    return Math.max(1, (waitingMs < BURST_MS ? BURST_MS : GLANCE_MS) - waitingMs);
  if (!lease.isWatched || lease.state === 'ending' || lease.state === 'gone') return SWEEP_MS;
  return Math.max(SWEEP_MS, Math.min(CALM_SWEEP_MS, leftMs(lease, limits, now)));
}

/** How long one that is watched has until it is late. */
function leftMs(lease: Lease, { wallMs, loadTimeoutMs, cpuMs }: Limits, now: number): number {
  if (lease.state === 'starting') return loadTimeoutMs - (now - lease.startedAt);
  if (!lease.isSequential) {
    const running = Array.from(lease.exchanges.values()).filter((exchange) => !exchange.isHeadSent && !exchange.isDone);
    return Math.min(lease.renewInMs(cpuMs), ...running.map((exchange) => wallMs - runningMs(exchange, 0, now)));
  }
  const { oldest, progressAt } = lease;
  const waitingMs = now - progressAt;
  // Nothing is behind it yet.
  const leftoverMs = lease.state === 'ready' ? LEFTOVER_MS - waitingMs : Infinity;
  if (oldest === null) return Math.min(leftoverMs, wallMs - waitingMs);
  if (oldest.isDone) return Math.min(leftoverMs, wallMs - (now - oldest.doneAt));
  return oldest.isHeadSent ? leftoverMs : Math.min(leftoverMs, wallMs - runningMs(oldest, progressAt, now));
}

/** Has a request had more than its time: to begin its answer, or to end when nobody is left to read it? */
function isLate(exchange: Exchange, progressAt: number, now: number, wallMs: number): boolean {
  if (exchange.isDone) return now - exchange.doneAt > wallMs;
  return !exchange.isHeadSent && runningMs(exchange, progressAt, now) > wallMs;
}

/** How long a request has run without waiting for its client, whose time is limited elsewhere. */
function runningMs(exchange: Exchange, progressAt: number, now: number): number {
  if (exchange.isAwaitingBody) return 0;
  const startedAt = Math.max(exchange.startedAt, progressAt);
  return now - (exchange.hasBody ? Math.max(startedAt, exchange.movedAt) : startedAt);
}
