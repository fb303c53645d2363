/* oxlint-disable vitest/no-conditional-expect -- random bytes are frames or an error, and each has its own claim */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FRAME_HEAD_BYTES,
  FRAME_PAYLOAD_MAX_BYTES,
  FrameReader,
  FrameWriter,
  ProtocolError,
} from '../../packages/protocol/src/index.ts';
import { cutAt, cuts } from '../support/random-chunks.ts';

interface Frame {
  type: number;
  id: number;
  payload: Buffer;
}

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }).map((bytes) => Buffer.alloc(bytes, 7)) },
  ),
});

/** What the writer makes of frames, each written in one of its ways. */
function written(frames: readonly Frame[]): Buffer {
  const pieces: Buffer[] = [];
  const sink = {
    write: (bytes: Uint8Array, done: () => void) => {
      // Copied at once and given back: the writer may use its memory again.
      pieces.push(Buffer.from(bytes));
      done();
      return true;
    },
  };
  const writer = new FrameWriter(sink);
  frames.forEach(({ type, id, payload }, index) => {
    if (index % 3 === 0) writer.frameUncopied(type, id, payload);
    else writer.frame(type, id, payload);
    if (index % 5 === 0) writer.flush();
  });
  writer.flush();
  expect(writer.bufferedBytes).toBe(0);
  return Buffer.concat(pieces);
}

/** Comparing texts is a hundred times faster than comparing buffers. */
function textOf({ type, id, payload }: Frame): string {
  return `${type} ${id} ${payload.toString('latin1')}`;
}

function read(chunks: Iterable<Buffer>, options?: { reusesMemory: boolean }): { frames: Frame[]; pending: number } {
  const frames: Frame[] = [];
  const reader = new FrameReader(
    (type, id, buffer, start, end) => frames.push({ type, id, payload: Buffer.from(buffer.subarray(start, end)) }),
    options,
  );
  for (const chunk of chunks) reader.push(chunk);
  return { frames, pending: reader.pendingBytes };
}

describe('FrameReader', () => {
  it.each([false, true])(
    'FrameReader reads what FrameWriter wrote, however it is cut (reusesMemory: %s)',
    (reusesMemory) => {
      fc.assert(
        fc.property(fc.array(frame, { maxLength: 12 }), cuts, (frames, at) => {
          const bytes = written(frames);
          const found = read(cutAt(bytes, at), { reusesMemory });
          expect(found.frames.map(textOf)).toEqual(frames.map(textOf));
          expect(found.pending).toBe(0);
        }),
        { numRuns: 150 },
      );
    },
  );

  it('FrameReader reads frames that come byte by byte', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
        const small = frames.filter(({ payload }) => payload.length < 1000);
        const bytes = written(small);
        expect(read(Array.from(bytes, (byte) => Buffer.of(byte))).frames).toEqual(small);
      }),
      { numRuns: 50 },
    );
  });

  it('FrameReader answers random bytes with frames or a ProtocolError, and never holds more than one frame', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (chunks) => {
        const reader = new FrameReader(() => {});
        for (const chunk of chunks) {
          try {
            reader.push(Buffer.from(chunk));
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            return;
          }
          expect(reader.pendingBytes).toBeLessThanOrEqual(FRAME_PAYLOAD_MAX_BYTES + FRAME_HEAD_BYTES);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('FrameReader refuses a length out of bounds as soon as it can be read', () => {
    for (const length of [0, 4, FRAME_PAYLOAD_MAX_BYTES + FRAME_HEAD_BYTES, 0xffffffff]) {
      const head = Buffer.alloc(FRAME_HEAD_BYTES);
      head.writeUInt32BE(length, 0);
      expect(() => read([head]), String(length)).toThrow(ProtocolError);
      expect(() => read(Array.from(head, (byte) => Buffer.of(byte))), String(length)).toThrow(ProtocolError);
    }
  });

  it('FrameReader announces no memory for a frame that has not come', () => {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt32BE(FRAME_PAYLOAD_MAX_BYTES, 0);
    const { frames, pending } = read([head]);
    expect(frames).toEqual([]);
    expect(pending).toBe(FRAME_HEAD_BYTES);
  });
});
