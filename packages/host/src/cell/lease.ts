import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  type Failure,
  FrameWriter,
  placeOfHome,
  type ProtocolError,
  readFailure,
  RunningRequest,
  type Ready,
  type ThreadSample,
  ToWorker,
  UnderWay,
  type Usage,
  writeRequest,
} from '@custodian/protocol';
import { type Closable, Custodian } from '../custodian.ts';
import type { Carrier, Exchange } from '../http/exchange.ts';
import { LeaseAsks } from '../service/lease-asks.ts';
import type { Holder, Services } from '../service/service.ts';
import type { Cell } from './cell.ts';
import type { HeldServlet } from './held-servlet.ts';
import type { DeathCause } from './obituary.ts';
import { Recall, type Recallable } from './recall.ts';
import { ThreadFrames } from './thread-frames.ts';
import { ThreadMeter } from './thread-meter.ts';
import { ToldHoldings } from './told-holdings.ts';

/** Pieces of a body from this size on are passed on without a copy. */
const UNCOPIED_MIN_BYTES = 8 * 1024;
/** Who takes so much of the room that its cap leaves within milliseconds may be over it within milliseconds. */
const BURST_SHARE = 1 / 4;
/** How long what a dead thread has sent may take to arrive. */
const LAST_FRAMES_MS = 200;
const EXIT_TO_CLOSE_MS = 1000;
/** To take down a heap of small objects takes some ten times as much as they do, beside them. */
const SNAPSHOT_SHARE = 16;
const SNAPSHOT_AFTER_MS = 2000;

/** Names this host in the addresses of continuations, for a load balancer in front of several. */
const REPLICA = 'r0';
/**
 * A place is drawn, not counted: a page of before a restart must not find another thread of the same numbers, nor may a
 * thread be named by who was never in it.
 */
const PLACE_TAG_BYTES = 6;

/** Who follows what becomes of a lease. */
export interface LeaseFollower {
  readonly servlet: HeldServlet;
  /** What the thread may ask for. */
  readonly services: Services;
  onReady(lease: Lease, ready: Ready): void;
  onLoadFailed(lease: Lease, failure: Failure): void;
  /** The thread is through with an exchange. `failure`: the servlet threw. */
  onAnswered(lease: Lease, exchange: Exchange, usage: Usage, failure: Failure | null): void;
  /** These exchanges were taken back unstarted. */
  onReturned(lease: Lease, exchanges: Exchange[]): void;
  /** The thread has used so much more CPU time, in ms, by what its supervisor has read. */
  onCpu(ms: number): void;
  /** The thread holds other continuations than before. */
  onHolding(lease: Lease): void;
  /** The thread makes an instance again. @returns false when another living thread has it */
  onAdopt(lease: Lease, home: string): boolean;
  /** It does not have it (any more). */
  onRelease(lease: Lease, home: string): void;
  /** A thread has died that had of the instance what was saved nowhere. */
  isLost(home: string): boolean;
  /** The thread's cell may have to be killed. */
  onCellDoubtful(): void;
  /** It is to end, or does: somebody must see to it that it does. */
  onEnding(lease: Lease): void;
  onLog(lease: Lease, level: number, text: string): void;
  /** What the thread asked for failed, for a reason of the service's own. */
  onServiceFault(lease: Lease, service: string, error: unknown): void;
  /** The thread is gone. `running`: the request that it ran, 0 for none, -1 when nobody knows. */
  onGone(lease: Lease, running: number): void;
}

/** A request that runs for longer is watched, and what waits behind it is taken back. */
export const GLANCE_MS = 20;
/** The CPU time that a shared thread may use is not renewed before such a share of it may be over. */
const RENEWED_SHARE = 1 / 4;
/** So long a shared thread is watched on. What its earlier requests have kept beside its heap is not the doing of those that it has then for ever. */
const WATCHED_MAX_MS = 5000;

/** A thread of a cell, from its start to its end, as the acceptor sees it: its channel and what runs there. */
export class Lease implements Carrier, Closable, Holder, Recallable {
  readonly number: number;
  readonly cell: Cell;
  readonly custodian: Custodian;
  readonly isSequential: boolean;
  /** The first two parts of the address of every continuation that the thread holds. */
  readonly place: string;
  /** The thread's memory cap. */
  heapMaxBytes: number;
  readonly startedAt: number = performance.now();
  state: 'starting' | 'ready' | 'stalled' | 'ending' | 'gone' = 'starting';
  /** What the thread has not answered yet, oldest first. */
  readonly exchanges: UnderWay<Exchange> = new UnderWay();
  /** When an exchange was answered last, or the first one was given to an idle thread. */
  progressAt = 0;
  /** What its cell had when it was looked at last before the request whose clocks go. */
  #beforeBytes = 0;
  answeredCount = 0;
  deathCause: DeathCause | null = null;
  deathDetail = '';
  failure: Failure | null = null;
  /** It has loaded, or is loading, a version of the servlet that is to begin nothing more. */
  isOutdated = false;
  /** Its supervisor found it over one of its own limits. */
  isBreached = false;
  isWatched = false;
  #watchedAt = 0;
  /** Since when its CPU time counts, and whether it has answered something since. */
  #cpuFrom = 0;
  #isCpuOld = false;
  /** The request that its supervisor saw it at, last. */
  seenRunning = 0;
  /** Its servlet is there. */
  isLoaded = false;
  readonly meter: ThreadMeter = new ThreadMeter();
  /** What the thread holds for visitors who may come back. */
  readonly holdings: ToldHoldings;
  /** The older version of the servlet that it runs; null: what it was when the thread began. */
  readonly version: string | null;
  /** Instances that were born elsewhere and made again here. */
  readonly adopted: Set<string> = new Set();
  readonly #channel: Socket;
  readonly #writer: FrameWriter;
  readonly #follower: LeaseFollower;
  readonly #recall = new Recall(this);
  #heapSnapshot: PromiseWithResolvers<void> | null = null;
  #nextId = 1;
  readonly #frames: ThreadFrames;
  /** null: the thread has asked for nothing yet. */
  #asks: LeaseAsks | null = null;
  #endingSince = 0;
  #exit: { running: number } | null = null;
  #isChannelClosed = false;

  constructor(
    number: number,
    channel: Socket,
    cell: Cell,
    isSequential: boolean,
    heapMaxBytes: number,
    follower: LeaseFollower,
    version: string | null = null,
  ) {
    this.version = version;
    this.number = number;
    this.cell = cell;
    this.isSequential = isSequential;
    this.place = `${REPLICA}.${cell.number}-${number}-${randomBytes(PLACE_TAG_BYTES).toString('base64url')}`;
    this.heapMaxBytes = heapMaxBytes;
    this.#channel = channel;
    this.#follower = follower;
    this.#writer = new FrameWriter(channel);
    this.holdings = new ToldHoldings(this.#writer);
    this.custodian = new Custodian(`lease ${number} of cell ${cell.number}`, cell.custodian);
    this.custodian.own(this);
    this.#frames = new ThreadFrames(channel, this.#writer, {
      exchanges: this.exchanges,
      holdings: this.holdings,
      onReady: (ready) => this.#onReady(ready),
      onLoadFailed: (failure) => this.#onLoadFailed(failure),
      onAnswered: (exchange, usage, failure) => this.#onAnswered(exchange, usage, failure),
      onNotStarted: (id) => this.#recall.onNotStarted(id),
      onNobodys: (id, isOver) => this.#recall.onNobodys(id, isOver),
      onHolding: () => follower.onHolding(this),
      onAsk: (type, id, buffer, start, end) => this.#onAsk(type, id, buffer, start, end),
      onLog: (level, text) => follower.onLog(this, level, text),
      onMalformed: (error) => this.onMalformed(error),
    });
    channel.once('close', () => {
      this.#isChannelClosed = true;
      // A thread without its channel is of no use, whether it has ended or closed it.
      this.#beginEnding();
      this.#goneWhenAll();
    });
  }

  get label(): string {
    return `thread ${this.number}`;
  }

  get servletName(): string {
    return this.#follower.servlet.name;
  }

  get isIdle(): boolean {
    return this.state === 'ready' && this.exchanges.size === 0;
  }

  /** It ends because there is nothing left for it to do. */
  get isOrderlyEnd(): boolean {
    return (this.deathCause === 'drain' || this.deathCause === 'idle') && this.exchanges.size === 0;
  }

  /** ms since the thread was told to end; 0 while it was not. */
  get endingMs(): number {
    return this.#endingSince === 0 ? 0 : performance.now() - this.#endingSince;
  }

  get oldest(): Exchange | null {
    return this.exchanges.oldest ?? null;
  }

  /** Since when it is at what it is at; of requests that share it, at the oldest. */
  get busySince(): number {
    return this.isSequential ? this.progressAt : (this.oldest?.startedAt ?? this.progressAt);
  }

  run(exchange: Exchange): void {
    const id = this.#nextId;
    this.#nextId = id === RunningRequest.ID_MAX ? 1 : id + 1;
    exchange.requestId = id;
    exchange.startedAt = performance.now();
    if (exchange.givenAt === 0) exchange.givenAt = exchange.startedAt;
    if (this.exchanges.size === 0) this.#beginRequest(exchange.startedAt);
    this.exchanges.add(id, exchange);
    writeRequest(this.#writer, id, {
      method: exchange.method,
      url: exchange.url,
      clientIp: exchange.connection.clientIp,
      hostIp: exchange.connection.hostIp,
      hostPort: exchange.connection.hostPort,
      rawHeaders: exchange.decodedHeaders,
      hasBody: exchange.hasBody,
      hasForm: exchange.hasForm,
      isSecure: exchange.connection.isSecure,
    });
    exchange.carriedBy(this);
  }

  // -- What an exchange asks of its carrier --------------------------------------------------------------------------

  sendBody(exchange: Exchange, chunk: Uint8Array): void {
    if (this.exchanges.get(exchange.requestId) !== exchange) return;
    if (chunk.length >= UNCOPIED_MIN_BYTES) this.#writer.frameUncopied(ToWorker.Body, exchange.requestId, chunk);
    else this.#writer.frame(ToWorker.Body, exchange.requestId, chunk);
  }

  endBody(exchange: Exchange): void {
    if (this.exchanges.get(exchange.requestId) === exchange) this.#writer.frame(ToWorker.BodyEnd, exchange.requestId);
  }

  abort(exchange: Exchange): void {
    if (this.exchanges.get(exchange.requestId) !== exchange) return;
    this.#writer.frame(ToWorker.Abort, exchange.requestId);
    this.#asks?.onClientGone(exchange.requestId);
  }

  endClient(exchange: Exchange): void {
    if (this.exchanges.get(exchange.requestId) === exchange) this.#writer.frame(ToWorker.ClientEnd, exchange.requestId);
  }

  grant(exchange: Exchange, bytes: number): void {
    if (this.exchanges.get(exchange.requestId) === exchange)
      this.#writer.frameU32(ToWorker.Credit, exchange.requestId, bytes);
  }

  // -- Whose instances it has ----------------------------------------------------------------------------------------

  holds(home: string): boolean {
    return this.adopted.has(home) || placeOfHome(home) === this.place;
  }

  adopt(home: string): boolean {
    if (this.holds(home)) return true;
    if (!this.#follower.onAdopt(this, home)) return false;
    this.adopted.add(home);
    return true;
  }

  release(home: string): void {
    if (this.adopted.delete(home)) this.#follower.onRelease(this, home);
  }

  isLost(home: string): boolean {
    return this.#follower.isLost(home);
  }

  // -- What the watchdog does ----------------------------------------------------------------------------------------

  /** It may use so much CPU time from now on. */
  watch(cpuMs: number): void {
    if (this.isWatched) return;
    this.isWatched = true;
    this.#watchedAt = performance.now();
    this.#countCpu();
    this.cell.send({ type: 'watch', lease: this.number, cpuMs, beforeBytes: this.#beforeBytes });
  }

  /** It is watched on, and has answered something meanwhile: it may use so much CPU time again. */
  renew(cpuMs: number): void {
    if (this.renewInMs(cpuMs) > 0) return;
    this.#countCpu();
    this.cell.send({ type: 'renew', lease: this.number, cpuMs });
  }

  /** In how many ms that is due; Infinity: it is not. */
  renewInMs(cpuMs: number): number {
    if (!this.isWatched || !this.#isCpuOld) return Infinity;
    return Math.max(0, this.#cpuFrom + cpuMs * RENEWED_SHARE - performance.now());
  }

  #countCpu(): void {
    this.#cpuFrom = performance.now();
    this.#isCpuOld = false;
  }

  /** Had its cell grown by a good part of what its cap leaves, when it was looked at last? Or may the thread take the rest of it without any growth? */
  takesRoom(): boolean {
    const { memory } = this.cell;
    const roomBytes = this.heapMaxBytes - this.meter.heldBytes;
    return memory.grownBytes > roomBytes * BURST_SHARE || memory.keptHeapBytes > roomBytes * (1 - BURST_SHARE);
  }

  /** The thread takes its time: it is given nothing more, and what waits behind the running request is asked back. */
  revoke(): void {
    if (this.state !== 'ready') return;
    this.state = 'stalled';
    this.#recall.ask();
  }

  /** The thread's memory cap is another from now on. One that holds more is asked to collect, and ended if that does not help. */
  adjust(heapMaxBytes: number): void {
    this.heapMaxBytes = heapMaxBytes;
    void this.cell.bound();
    this.cell.send({ type: 'adjust', lease: this.number, heapMaxBytes });
  }

  /** The thread collects its garbage when it comes back to its event loop. */
  collect(): void {
    this.cell.send({ type: 'collect', lease: this.number });
  }

  /** Writes the thread's heap to a file. @throws Error when the thread ends first, or is at one already */
  writeHeapSnapshot(file: string): Promise<void> {
    if (this.state === 'gone') return Promise.reject(new Error('the thread is gone'));
    if (this.#heapSnapshot !== null) return Promise.reject(new Error('the thread is at one already'));
    const { promise } = (this.#heapSnapshot = Promise.withResolvers<void>());
    const { memory } = this.cell;
    memory.onSnapshot(this.heapMaxBytes * SNAPSHOT_SHARE);
    const isOver = (): void => void setTimeout(() => memory.onSnapshotOver(), SNAPSHOT_AFTER_MS).unref();
    promise.then(isOver, isOver);
    this.cell.send({ type: 'heap-snapshot', lease: this.number, file });
    return promise;
  }

  /** Ends the thread. Its exchanges are decided when it is gone. */
  end(cause: DeathCause, detail = ''): void {
    if (this.state === 'gone' || this.state === 'ending') return;
    this.deathCause ??= cause;
    if (this.deathDetail === '') this.deathDetail = detail;
    this.#beginEnding();
    this.cell.send({ type: 'kill', lease: this.number });
  }

  /** The lease is given up in good order, with nothing running. */
  close(): void {
    this.end('drain');
  }

  // -- What its recall does ------------------------------------------------------------------------------------------

  sendRound(type: 'revoke' | 'restore', round: number): void {
    this.cell.send({ type, lease: this.number, round });
  }

  reopen(): void {
    this.state = 'ready';
  }

  onReturned(exchanges: Exchange[]): void {
    this.#follower.onReturned(this, exchanges);
  }

  // -- What the supervisor says --------------------------------------------------------------------------------------

  onSample(sample: ThreadSample): void {
    this.seenRunning = Number(sample.running);
    this.#recall.onSample();
    const usedMs = this.meter.onSample(sample);
    if (usedMs > 0) this.#follower.onCpu(usedMs);
  }

  onBreach(cause: 'heap' | 'rss' | 'cpu', value: number): void {
    // That it ends without a cause is the end of its channel, which may show before the reason does.
    if (this.state === 'gone' || this.deathCause !== null) return;
    if (cause !== 'heap' && cause !== 'rss' && cause !== 'cpu') return;
    if (cause === 'heap') this.meter.seeRequest(value);
    this.isBreached = true;
    this.deathCause = cause;
    this.deathDetail = cause === 'cpu' ? `${Math.round(value)} ms of CPU time` : `${(value / 1048576).toFixed(1)} MB`;
    this.#beginEnding();
  }

  onHeapSnapshot(problem: string | null): void {
    const waiting = this.#heapSnapshot;
    this.#heapSnapshot = null;
    if (problem === null) waiting?.resolve();
    else waiting?.reject(new Error(problem));
  }

  onRevoked(round: number, last: number, isOver: boolean): void {
    this.#recall.onRevoked(round, last, isOver);
  }

  onRestored(round: number): void {
    this.#recall.onRestored(round);
  }

  onThreadExit(running: number, failure: Failure | null): void {
    this.failure ??= failure === null ? null : readFailure(JSON.stringify(failure));
    this.#exit ??= { running };
    // It has not come to take its end of the channel, so that nobody closes it: its process has no descriptor left, say.
    if (this.#channel.bytesRead === 0) this.#channel.destroy();
    // What the thread sent before it died may still be on its way; a channel that stays open says that it did not die.
    setTimeout(() => {
      if (this.state !== 'gone' && !this.#isChannelClosed) this.cell.kill('protocol', this);
    }, EXIT_TO_CLOSE_MS).unref();
    this.#goneWhenAll();
  }

  onCellDoubtful(): void {
    this.#follower.onCellDoubtful();
  }

  /** Its cell is being killed: it takes nothing more. */
  onCellEnding(): void {
    this.#beginEnding();
  }

  onCellGone(): void {
    this.deathCause ??= this.cell.deathCause;
    this.#exit ??= { running: -1 };
    setTimeout(() => this.#gone(-1), LAST_FRAMES_MS).unref();
    this.#goneWhenAll();
  }

  // -- What the thread says ------------------------------------------------------------------------------------------

  #onReady(ready: Ready): boolean {
    if (this.state !== 'starting') return false;
    this.state = 'ready';
    this.isLoaded = true;
    this.meter.endStart();
    if (this.isWatched) this.#unwatch();
    this.cell.onLeaseReady();
    this.#follower.onReady(this, ready);
    return true;
  }

  #onLoadFailed(failure: Failure): boolean {
    if (this.state !== 'starting') return false;
    this.#follower.onLoadFailed(this, failure);
    return true;
  }

  #onAnswered(exchange: Exchange, usage: Usage, failure: Failure | null): void {
    this.exchanges.delete(exchange.requestId);
    exchange.carrier = null;
    this.#asks?.onRequestOver(exchange.requestId);
    this.answeredCount++;
    this.cell.answeredCount++;
    this.#isCpuOld = true;
    if (this.isWatched && !this.#isBusyStill) this.#unwatch();
    this.#recall.restoreWhenBack();
    this.#follower.onAnswered(this, exchange, usage, failure);
    this.#beginRequest(performance.now());
  }

  /** Another request, which shares the thread with the one that was answered, takes its time. */
  get #isBusyStill(): boolean {
    if (this.isSequential || this.exchanges.size === 0) return false;
    const now = performance.now();
    return now - this.busySince >= GLANCE_MS && now - this.#watchedAt < WATCHED_MAX_MS;
  }

  /** What the oldest request uses is counted from now on. */
  #beginRequest(now: number): void {
    this.progressAt = now;
    this.meter.beginRequest();
    this.#beforeBytes = this.cell.memory.seenBytes;
  }

  #unwatch(): void {
    this.isWatched = false;
    this.cell.send({ type: 'unwatch', lease: this.number });
  }

  #beginEnding(): void {
    if (this.state === 'gone' || this.state === 'ending') return;
    this.state = 'ending';
    this.#asks?.close();
    this.#endingSince = performance.now();
    this.#follower.onEnding(this);
  }

  #onAsk(type: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    if (this.state === 'ending') return false;
    this.#asks ??= new LeaseAsks(this.#writer, {
      services: this.#follower.services,
      servlet: this.#follower.servlet,
      holder: this,
      exchange: (request) => this.exchanges.get(request) ?? null,
      onMalformed: (error) => this.onMalformed(error),
      onFault: (service, error) => this.#follower.onServiceFault(this, service, error),
    });
    this.#asks.onFrame(type, id, buffer, start, end);
    return true;
  }

  /** The channel can't be read any further, and the thread that broke it shares its process with the supervisor. */
  onMalformed(error: ProtocolError): void {
    this.deathDetail = error.message;
    this.cell.kill('protocol', this);
    this.#channel.destroy();
  }

  #goneWhenAll(): void {
    if (this.#exit !== null && this.#isChannelClosed) this.#gone(this.#exit.running);
  }

  #gone(running: number): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.onHeapSnapshot('the thread is gone');
    this.holdings.close();
    this.deathCause ??= this.cell.deathCause ?? 'crash';
    this.#frames.close();
    this.#channel.destroy();
    this.cell.onLeaseGone(this);
    void this.custodian.shutdownAll().catch(() => {});
    this.#follower.onGone(this, running);
  }
}
