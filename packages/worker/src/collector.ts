import type { MessagePort } from 'node:worker_threads';
import type { CollectorMessage, LastCollection } from '@custodian/protocol';
import { CollectionPace } from './collection-pace.ts';
import { heldMemory, isUnderPressure, relievePressure } from './account.ts';

type GarbageCollection = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;

/** V8's `gc` (flag --expose-gc of the cell), which guests don't get. */
const collectGarbage: GarbageCollection = (globalThis as { gc?: GarbageCollection }).gc ?? (() => {});
/** So many bytes of bodies may become garbage before the young generation is swept. */
const MOVED_MAX_BYTES = 16 << 20;
/** For so long after it has collected or was asked to, a thread looks itself, at each turn of its event loop, whether it should. */
const ALERT_MS = 1000;

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
  readonly #pace = new CollectionPace();
  #movedBytes = 0;
  #alertUntil = 0;
  #isLooking = false;

  /** `port`: the supervisor says there that it has asked something, and gets the question's number back. `onCap`: the thread's cap is another. */
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
    if (message !== 'asked') return this.#onCap(message.heapMaxBytes);
    const { question, isWhole } = this.#last.asked;
    // It may have collected by itself meanwhile. While it looks at each turn, that tells when it must.
    const isOpen = this.#last.ended < question;
    let wasWhole = false;
    this.#last.begin(question);
    if (isOpen && (isWhole || !this.#isAlert)) wasWhole = this.#collect(isWhole);
    try {
      if (mayRelieve && isUnderPressure()) {
        wasWhole ||= this.#collectWhole();
        if (relievePressure()) this.#collectWhole();
      }
    } finally {
      // Whatever the servlet does to what runs there: what it holds is told.
      if (isOpen) this.#last.end(question, heldBytes(), wasWhole);
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

  /** Collects all garbage, or what is young where that helps. Returns whether it was all. */
  #collect(isWhole: boolean): boolean {
    if (isWhole || this.#pace.isWholeNext) return this.#collectWhole();
    this.#minor();
    const bytes = heldBytes();
    this.#pace.onCollected(bytes, false);
    return bytes > heldMemory().maxBytes && this.#collectWhole();
  }

  #collectWhole(): true {
    this.#collectAll();
    this.#pace.onCollected(heldBytes(), true);
    return true;
  }

  get #isAlert(): boolean {
    return performance.now() < this.#alertUntil;
  }

  #alert(): void {
    this.#alertUntil = performance.now() + ALERT_MS;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#pace.begin(heldBytes(), heldMemory().maxBytes);
    this.#afterTurn(this.#onTurn).unref();
  }

  /** Unreferenced, it does not keep the loop turning: it comes after whatever wakes it. */
  readonly #onTurn = (): void => {
    if (this.#pace.onTurn()) {
      this.#isLooking = this.#isAlert;
      if (!this.#isLooking) return;
      const { heapBytes, offHeapBytes, maxBytes } = heldMemory();
      if (this.#pace.onLook(heapBytes + offHeapBytes, maxBytes, this.#last.unexplainedBytes)) this.#collectDue();
    }
    this.#afterTurn(this.#onTurn).unref();
  };

  /** By itself, which is an answer to what was asked meanwhile. */
  #collectDue(): void {
    const { question, isWhole } = this.#last.asked;
    const isOpen = this.#last.ended < question;
    if (isOpen) this.#last.begin(question);
    const wasWhole = this.#collect(isOpen && isWhole);
    if (isOpen) this.#last.end(question, heldBytes(), wasWhole);
    this.#alert();
  }
}

function heldBytes(): number {
  const { heapBytes, offHeapBytes } = heldMemory();
  return heapBytes + offHeapBytes;
}

function minorCollection(): () => void {
  return () => collectGarbage({ type: 'minor', execution: 'sync' });
}

/** Collects all garbage. */
export function collectFunction(): () => void {
  return () => collectGarbage({ type: 'major', execution: 'sync' });
}
