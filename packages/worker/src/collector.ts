import type { MessagePort } from 'node:worker_threads';
import type { CollectorMessage, LastCollection } from '@custodian/protocol';
import { heldMemory, isUnderPressure, relievePressure } from './account.ts';

type GarbageCollection = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;

/** V8's `gc` (flag --expose-gc of the cell), which guests don't get. */
const collectGarbage: GarbageCollection = (globalThis as { gc?: GarbageCollection }).gc ?? (() => {});
const { max, min } = Math;
/** So many bytes of bodies may become garbage before the young generation is swept. */
const MOVED_MAX_BYTES = 16 << 20;
/** For so long after it was asked a thread looks itself, at each turn of its event loop, whether it should collect. */
const ALERT_MS = 1000;
/** Then it collects before the turn that would bring it over its cap, or when this share of that is garbage. */
const ALERT_GARBAGE_SHARE = 0.25;
/** So much of its cap is taken for a turn's before it is known; of what a turn has brought this share is forgotten in each that follows. */
const TURN_SHARE = 0.15;
const FORGOTTEN_SHARE = 1 / 16;
/** Only what is young is collected, which costs a fifth, as long as that makes such a share of the room that collecting all would. */
const SWEPT_SHARE = 0.25;
/** When it has not, all is collected once before it is tried again, then twice, and so on. */
const WHOLE_MAX_COUNT = 8;

/**
 * Garbage counts as held until it is collected, and V8 lets 64 MB of buffers pile up before it looks. A thread near
 * its cap therefore collects when its supervisor asks; for a while after that by itself, since one that makes garbage
 * in every turn can make more than its cap between two looks of the supervisor; and after so much of bodies has passed.
 * It collects what is young, and all where that does not help, or when the supervisor has to know what is no garbage.
 */
export class Collector {
  // Kept from the servlet, which may replace it.
  readonly #afterTurn: typeof setImmediate = setImmediate;
  readonly #minor: () => void = minorCollection();
  readonly #collectAll: () => void = collectFunction();
  readonly #port: MessagePort;
  readonly #answer: (question: number) => void;
  readonly #last: LastCollection;
  readonly #onCap: (bytes: number) => void;
  #movedBytes = 0;
  #alertUntil = 0;
  #isAlert = false;
  /** So often all is collected before only the young is tried again; and so often after the next try, if that fails. */
  #wholeCount = 1;
  #nextWholeCount = 1;
  /** Was all collected last? */
  #wasWhole = true;
  /** What that left, or less that was seen since: no more is no garbage. */
  #liveBytes = 0;
  /** The least that was seen since anything was collected. */
  #lowestBytes = 0;
  #seenBytes = 0;
  /** What a turn brings. */
  #turnBytes = 0;

  /** `port`: the supervisor asks there, and gets its question back. `onCap`: the thread's cap is another. */
  constructor(port: MessagePort, last: LastCollection, onCap: (bytes: number) => void) {
    this.#port = port;
    // As it is now: the servlet may replace the prototype's.
    this.#answer = port.postMessage.bind(port);
    this.#last = last;
    this.#onCap = onCap;
    port.on('message', (message: CollectorMessage) => this.#onMessage(message, true));
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
      this.#onMessage(received.message, false);
    }
  }

  #onMessage(message: CollectorMessage, mayRelieve: boolean): void {
    if ('heapMaxBytes' in message) return this.#onCap(message.heapMaxBytes);
    const { question, isWhole } = message;
    this.#last.begin(question);
    if (isWhole) this.#collectWhole();
    else this.#collect();
    try {
      if (mayRelieve && isUnderPressure()) {
        if (!this.#wasWhole) this.#collectWhole();
        if (relievePressure()) this.#collectWhole();
      }
    } finally {
      // Whatever the servlet does to what runs there: what it holds is told.
      this.#last.end(question, heldBytes(), this.#wasWhole);
    }
    this.#alert();
    this.#answer(question);
  }

  /** A piece of a body has passed. */
  moved(bytes: number): void {
    this.#movedBytes += bytes;
    if (this.#movedBytes < MOVED_MAX_BYTES) return;
    this.#movedBytes = 0;
    this.#minor();
  }

  #collect(): void {
    if (this.#wholeCount > 0) return this.#collectWhole();
    this.#minor();
    this.#wasWhole = false;
    // What is freed counts until the next buffer is made.
    this.#lowestBytes = heldBytes();
    if (this.#lowestBytes > heldMemory().maxBytes) this.#collectWhole();
  }

  #collectWhole(): void {
    this.#collectAll();
    this.#wasWhole = true;
    this.#wholeCount = max(0, this.#wholeCount - 1);
    this.#liveBytes = heldBytes();
    this.#lowestBytes = this.#liveBytes;
  }

  /** Collecting the young has made so much room, all would have made `wholeBytes`. */
  #learn(sweptBytes: number, wholeBytes: number): void {
    const isWorthIt = sweptBytes > wholeBytes * SWEPT_SHARE;
    this.#wholeCount = isWorthIt ? 0 : this.#nextWholeCount;
    this.#nextWholeCount = isWorthIt ? 1 : min(WHOLE_MAX_COUNT, this.#nextWholeCount * 2);
  }

  #alert(): void {
    this.#alertUntil = performance.now() + ALERT_MS;
    if (this.#isAlert) return;
    this.#isAlert = true;
    this.#seenBytes = heldBytes();
    this.#turnBytes = heldMemory().maxBytes * TURN_SHARE;
    this.#afterTurn(this.#look).unref();
  }

  /** Unreferenced, it does not keep the loop turning: it comes after whatever wakes it. */
  readonly #look = (): void => {
    const { heapBytes, offHeapBytes, maxBytes } = heldMemory();
    const bytes = heapBytes + offHeapBytes;
    this.#turnBytes = max(bytes - this.#seenBytes, this.#turnBytes * (1 - FORGOTTEN_SHARE));
    this.#seenBytes = bytes;
    this.#lowestBytes = min(this.#lowestBytes, bytes);
    this.#liveBytes = min(this.#liveBytes, bytes);
    const fromBytes = max(maxBytes - this.#turnBytes, this.#liveBytes + maxBytes * ALERT_GARBAGE_SHARE);
    if (bytes > fromBytes) {
      if (!this.#wasWhole) this.#learn(fromBytes - this.#lowestBytes, fromBytes - this.#liveBytes);
      this.#collect();
      this.#seenBytes = heldBytes();
    }
    this.#isAlert = performance.now() < this.#alertUntil;
    if (this.#isAlert) this.#afterTurn(this.#look).unref();
  };
}

function heldBytes(): number {
  const { heapBytes, offHeapBytes } = heldMemory();
  return heapBytes + offHeapBytes;
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
