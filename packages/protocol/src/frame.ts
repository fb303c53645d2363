// For whoever compiles against the published declarations.
/// <reference types="node" preserve="true" />
/**
 * Frames over a byte stream: `u32 length | u8 type | u32 request id | payload`, integers big-endian.
 * `length` counts everything after itself. Both ends batch: frames written in one turn leave in one write.
 */

/** Bytes before a frame's payload. */
export const FRAME_HEAD_BYTES = 9;

/** The largest payload a frame may carry; larger bodies travel as chunks. */
export const FRAME_PAYLOAD_MAX_BYTES: number = 1 << 20;

/** Memory smaller than this is not worth keeping. */
const ASSEMBLY_MIN_BYTES = 1024;

/** The peer sent bytes that are not the protocol; the stream can't be trusted any further. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'CUSTODIAN_PROTOCOL';
}

/** Gets each frame in order. The payload is `buffer[start, end)`; it is the chunk's memory: copy what is kept if the chunk's is used again. */
export type FrameHandler = (type: number, id: number, buffer: Buffer, start: number, end: number) => void;

/** Cuts a stream of arbitrary chunks into frames. */
export class FrameReader {
  readonly #onFrame: FrameHandler;
  readonly #reusesMemory: boolean;
  #pending: Buffer | null = null;
  #pendingBytes = 0;
  /** What the last frame was put together in. */
  #spare: Buffer | null = null;

  /** `reusesMemory`: frames that came in pieces are put together in the same memory again and again. */
  constructor(onFrame: FrameHandler, options: { reusesMemory?: boolean } = {}) {
    this.#onFrame = onFrame;
    this.#reusesMemory = options.reusesMemory ?? false;
  }

  /** Bytes of an incomplete frame that are held until the rest arrives. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @throws ProtocolError when a frame declares a length out of bounds. */
  push(chunk: Buffer): void {
    let at = 0;
    while (this.#pending !== null) {
      // Complete the frame that an earlier chunk began: first its head, then, once its length is known, the rest.
      const need = this.#pendingBytes < FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES : this.#lengthOf(this.#pending, 0);
      const take = Math.min(need - this.#pendingBytes, chunk.length - at);
      if (this.#pending.length < need) this.#pending = this.#larger(this.#pending, need);
      chunk.copy(this.#pending, this.#pendingBytes, at, at + take);
      this.#pendingBytes += take;
      at += take;
      if (this.#pendingBytes < need) return;
      if (need === FRAME_HEAD_BYTES && this.#lengthOf(this.#pending, 0) !== FRAME_HEAD_BYTES) continue;
      const whole = this.#pending;
      this.#pending = null;
      this.#pendingBytes = 0;
      this.#onFrame(whole[4] as number, whole.readUInt32BE(5), whole, FRAME_HEAD_BYTES, need);
      if (this.#reusesMemory && whole.length >= (this.#spare?.length ?? ASSEMBLY_MIN_BYTES)) this.#spare = whole;
    }
    while (chunk.length - at >= FRAME_HEAD_BYTES) {
      const bytes = this.#lengthOf(chunk, at);
      if (chunk.length - at < bytes) break;
      this.#onFrame(chunk[at + 4] as number, chunk.readUInt32BE(at + 5), chunk, at + FRAME_HEAD_BYTES, at + bytes);
      at += bytes;
    }
    if (at < chunk.length) {
      this.#pendingBytes = chunk.length - at;
      this.#pending = this.#memory(this.#pendingBytes);
      chunk.copy(this.#pending, 0, at);
    }
  }

  #memory(bytes: number): Buffer {
    const spare = this.#spare;
    if (spare !== null && spare.length >= bytes) {
      this.#spare = null;
      return spare;
    }
    return Buffer.allocUnsafeSlow(bytes);
  }

  #larger(pending: Buffer, bytes: number): Buffer {
    const larger = this.#memory(bytes);
    pending.copy(larger, 0, 0, this.#pendingBytes);
    return larger;
  }

  /** The whole frame's size in bytes, its length field included. */
  #lengthOf(buffer: Buffer, at: number): number {
    const length = buffer.readUInt32BE(at);
    if (length < FRAME_HEAD_BYTES - 4 || length > FRAME_PAYLOAD_MAX_BYTES + FRAME_HEAD_BYTES - 4) {
      throw new ProtocolError(`Cannot read a frame: its length is ${length}`);
    }
    return length + 4;
  }
}

/** What a {@link FrameWriter} writes to: the part of `net.Socket` that it needs. */
export interface ByteSink {
  write(bytes: Uint8Array, done: () => void): boolean;
}

/** Room for one chunk of a body and some small frames. */
const SLAB_BYTES = 66 * 1024;
/** Slabs that are kept for reuse: as many as a body's window may have under way. */
const SPARE_MAX_COUNT = 4;

/**
 * Collects frames and writes them in one piece. The writer flushes itself at the end of the turn (`setImmediate`);
 * `flush()` does it now.
 */
export class FrameWriter {
  readonly #sink: ByteSink;
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  readonly #spares: Buffer[] = [];
  #used = 0;
  #inFlightBytes = 0;
  #isScheduled = false;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Bytes handed over to the sink, or waiting for it, that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#inFlightBytes + this.#used;
  }

  /**
   * Opens a frame with room for `payloadMax` bytes and returns where its payload begins in {@link buffer}. Write the
   * payload there, then call {@link end} with where it ends. Nothing else may happen to the writer in between.
   */
  begin(type: number, id: number, payloadMax: number): number {
    this.#reserve(FRAME_HEAD_BYTES + payloadMax);
    const start = this.#used;
    this.#slab[start + 4] = type;
    this.#slab.writeUInt32BE(id, start + 5);
    return start + FRAME_HEAD_BYTES;
  }

  /** The slab that the open frame lies in. */
  get buffer(): Buffer {
    return this.#slab;
  }

  end(payloadEnd: number): void {
    this.#slab.writeUInt32BE(payloadEnd - this.#used - 4, this.#used);
    this.#used = payloadEnd;
    this.#schedule();
  }

  /** A whole frame from bytes; `payload` is copied. */
  frame(type: number, id: number, payload?: Uint8Array): void {
    const start = this.begin(type, id, payload?.length ?? 0);
    if (payload !== undefined) this.#slab.set(payload, start);
    this.end(start + (payload?.length ?? 0));
  }

  /** A whole frame whose large payload is not copied: it must not change any more. */
  frameUncopied(type: number, id: number, payload: Uint8Array): void {
    const start = this.begin(type, id, 0);
    this.#slab.writeUInt32BE(payload.length + FRAME_HEAD_BYTES - 4, start - FRAME_HEAD_BYTES);
    this.#used = start;
    this.flush();
    this.#inFlightBytes += payload.length;
    this.#sink.write(payload, () => {
      this.#inFlightBytes -= payload.length;
    });
  }

  /** A frame whose payload is one u32. */
  frameU32(type: number, id: number, value: number): void {
    const start = this.begin(type, id, 4);
    this.#slab.writeUInt32BE(value, start);
    this.end(start + 4);
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#used === 0) return;
    const slab = this.#slab;
    const bytes = this.#used;
    this.#slab = this.#spares.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#used = 0;
    this.#inFlightBytes += bytes;
    this.#sink.write(slab.subarray(0, bytes), () => {
      this.#inFlightBytes -= bytes;
      // Larger ones were for one frame.
      if (slab.length === SLAB_BYTES && this.#spares.length < SPARE_MAX_COUNT) this.#spares.push(slab);
    });
  }

  readonly #flushSoon = (): void => this.flush();

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flushSoon);
  }

  #reserve(bytes: number): void {
    if (this.#slab.length - this.#used >= bytes) return;
    if (this.#used > 0) {
      this.flush();
      this.#schedule();
      if (this.#slab.length >= bytes) return;
    }
    this.#slab = Buffer.allocUnsafeSlow(bytes);
  }
}
