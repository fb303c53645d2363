import { type FrameWriter, type Holdings, ProtocolError, readHoldings, ToWorker } from '@custodian/protocol';

/** 50 instances with 20 continuations each take a quarter of it. */
const PAYLOAD_MAX_BYTES = 64 * 1024;

/** What a thread holds for visitors who may come back, as it tells it: how much whenever that changes, and of which instances when somebody looks. */
export class ToldHoldings {
  continuations = 0;
  /** What the thread thinks that they weigh. */
  continuationBytes = 0;
  /** How much of that nobody else has: 0 when the thread can be ended without loss. */
  unsavedCount = 0;
  /** The instances, as told last; null: never. */
  last: Holdings | null = null;
  /** When that was, as of `performance.now()`. */
  toldAt = 0;
  readonly #writer: FrameWriter;
  #asked: PromiseWithResolvers<void> | null = null;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Has the thread tell them, when it comes back to its event loop. Resolves when it has, or is gone. */
  ask(): Promise<void> {
    if (this.#asked === null) {
      this.#asked = Promise.withResolvers<void>();
      this.#writer.frame(ToWorker.TellHoldings, 0);
    }
    return this.#asked.promise;
  }

  /** What the thread says: hostile input. @throws ProtocolError */
  onCounted(buffer: Buffer, start: number, end: number): void {
    if (end - start < 12) throw new ProtocolError('Cannot read what a thread holds: it is cut short');
    this.continuations = buffer.readUInt32BE(start);
    this.continuationBytes = buffer.readUInt32BE(start + 4);
    this.unsavedCount = buffer.readUInt32BE(start + 8);
  }

  /** What the thread says: hostile input. `false`: nobody has asked. @throws ProtocolError */
  onTold(payload: Buffer): boolean {
    if (this.#asked === null) return false;
    if (payload.length > PAYLOAD_MAX_BYTES) throw new ProtocolError('Cannot read what a thread holds: it is too long');
    this.last = readHoldings(payload);
    this.toldAt = performance.now();
    this.#settle();
    return true;
  }

  /** The thread is gone. */
  close(): void {
    this.#settle();
  }

  #settle(): void {
    this.#asked?.resolve();
    this.#asked = null;
  }
}
