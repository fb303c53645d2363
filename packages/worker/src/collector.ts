import type { MessagePort } from 'node:worker_threads';
import type { CollectorMessage, LastCollection } from '@custodian/protocol';
import { heldMemory, relievePressure } from './account.ts';

type GarbageCollection = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;

/** V8's `gc` (flag --expose-gc of the cell), which guests don't get. */
const collectGarbage: GarbageCollection = (globalThis as { gc?: GarbageCollection }).gc ?? (() => {});
const { max } = Math;
/** So many bytes of bodies may become garbage before the young generation is swept. */
const MOVED_MAX_BYTES = 16 << 20;
/** For so long after it was asked a thread looks itself, at each turn of its event loop, whether it should collect. */
const ALERT_MS = 1000;
/** Then it collects at this share of its cap, or when this share of it is garbage. */
const ALERT_FROM_SHARE = 0.85;
const ALERT_GARBAGE_SHARE = 0.25;

/**
 * Garbage counts as held until it is collected, and V8 lets 64 MB of buffers pile up before it looks. A thread near
 * its cap therefore collects when its supervisor asks; for a while after that by itself, since one that makes garbage
 * in every turn can make more than its cap between two looks of the supervisor; and after so much of bodies has passed.
 */
export class Collector {
  // Kept from the servlet, which may replace it.
  readonly #afterTurn: typeof setImmediate = setImmediate;
  readonly #minor: () => void = minorCollection();
  readonly #collectAll: () => void = collectFunction();
  readonly #port: MessagePort;
  readonly #last: LastCollection;
  readonly #onCap: (bytes: number) => void;
  #movedBytes = 0;
  #alertUntil = 0;
  #isAlert = false;
  #alertFromBytes = 0;

  /** `port`: the supervisor asks there, and gets its question back. `onCap`: the thread's cap is another. */
  constructor(port: MessagePort, last: LastCollection, onCap: (bytes: number) => void) {
    this.#port = port;
    this.#last = last;
    this.#onCap = onCap;
    port.on('message', (message: CollectorMessage) => this.#onMessage(message, relievePressure));
    port.unref();
  }

  /**
   * Within a turn of the event loop that takes long: answers the supervisor if it has asked. The servlet is not told of pressure there.
   * @param receive `receiveMessageOnPort`: only a thread has any use for its module
   */
  catchUp(receive: (port: MessagePort) => { message: unknown } | undefined): void {
    for (;;) {
      const received = receive(this.#port) as { message: CollectorMessage } | undefined;
      if (received === undefined) return;
      this.#onMessage(received.message, () => false);
    }
  }

  #onMessage(message: CollectorMessage, relieve: () => boolean): void {
    if ('heapMaxBytes' in message) return this.#onCap(message.heapMaxBytes);
    const { question } = message;
    this.#last.begin(question);
    this.#collect();
    try {
      if (relieve()) this.#collect();
    } finally {
      // Whatever the servlet does to what runs there: what it holds is told.
      const { heapBytes, offHeapBytes } = heldMemory();
      this.#last.end(question, heapBytes + offHeapBytes);
    }
    this.#alert();
    this.#port.postMessage(question);
  }

  /** A piece of a body has passed. */
  moved(bytes: number): void {
    this.#movedBytes += bytes;
    if (this.#movedBytes < MOVED_MAX_BYTES) return;
    this.#movedBytes = 0;
    this.#minor();
  }

  #collect(): void {
    this.#collectAll();
    const { heapBytes, offHeapBytes, maxBytes } = heldMemory();
    const liveBytes = heapBytes + offHeapBytes;
    this.#alertFromBytes = max(maxBytes * ALERT_FROM_SHARE, liveBytes + maxBytes * ALERT_GARBAGE_SHARE);
  }

  #alert(): void {
    this.#alertUntil = performance.now() + ALERT_MS;
    if (this.#isAlert) return;
    this.#isAlert = true;
    this.#afterTurn(this.#look).unref();
  }

  /** Unreferenced, it does not keep the loop turning: it comes after whatever wakes it. */
  readonly #look = (): void => {
    const { heapBytes, offHeapBytes } = heldMemory();
    if (heapBytes + offHeapBytes > this.#alertFromBytes) this.#collect();
    this.#isAlert = performance.now() < this.#alertUntil;
    if (this.#isAlert) this.#afterTurn(this.#look).unref();
  };
}

function minorCollection(): () => void {
  return () => collectGarbage({ type: 'minor', execution: 'sync' });
}

/**
 * Collects all garbage. V8 gives back the memory of buffers on another thread and counts it until the next collection,
 * however small: without one, what was just collected still shows as held.
 */
export function collectFunction(): () => void {
  return () => {
    collectGarbage({ type: 'major', execution: 'sync' });
    collectGarbage({ type: 'minor', execution: 'sync' });
  };
}
