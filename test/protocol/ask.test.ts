/* oxlint-disable vitest/no-conditional-expect -- what is refused has nothing to look at */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ASK_HEAD_MAX_BYTES,
  CreditedReceiver,
  CreditedSender,
  FrameReader,
  FrameWriter,
  ProtocolError,
  readAnswer,
  readAsk,
  writeAnswer,
  writeAsk,
} from '../../packages/protocol/src/index.ts';

/** The payloads that are written. */
function payloadsOf(write: (writer: FrameWriter) => void): Buffer[] {
  const pieces: Uint8Array[] = [];
  const writer = new FrameWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) > 0 });
  write(writer);
  writer.flush();
  const payloads: Buffer[] = [];
  new FrameReader((_type, _id, buffer, start, end) => payloads.push(Buffer.from(buffer.subarray(start, end)))).push(
    Buffer.concat(pieces),
  );
  return payloads;
}

const head = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

test('readAsk() reads what writeAsk() wrote', () => {
  const ask = fc.record({
    request: fc.nat(0x3fffffff),
    service: fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/),
    hasBody: fc.boolean(),
    head,
  });
  fc.assert(
    fc.property(ask, (written) => {
      const [payload] = payloadsOf((writer) => writeAsk(writer, 5, written));
      expect(readAsk(payload!, 0, payload!.length)).toEqual(written);
    }),
  );
});

test('readAsk() answers random bytes, and a good ask with a byte changed, with an ask or a ProtocolError', () => {
  const [good] = payloadsOf((writer) =>
    writeAsk(writer, 1, { request: 3, service: 'store', hasBody: true, head: Buffer.from('{}') }),
  );
  const changed = fc.tuple(fc.nat(good!.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Buffer.from(good!);
    bytes[at] = byte;
    return bytes;
  });
  const random = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(changed, random), (bytes) => {
      try {
        expect(readAsk(bytes, 0, bytes.length).service).toMatch(/^[a-z][a-z0-9-]{0,31}$/);
        read++;
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 3000 },
  );
  expect(read).toBeGreaterThan(0);
});

test('readAsk() refuses a head that is too long', () => {
  const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1]), Buffer.from('a'), Buffer.alloc(ASK_HEAD_MAX_BYTES)]);
  expect(readAsk(bytes, 0, bytes.length).head.length).toBe(ASK_HEAD_MAX_BYTES);
  const longer = Buffer.concat([bytes, Buffer.from('x')]);
  expect(() => readAsk(longer, 0, longer.length)).toThrow(ProtocolError);
  expect(() => payloadsOf((writer) => writeAnswer(writer, 1, Buffer.alloc(ASK_HEAD_MAX_BYTES + 1), false))).toThrow(
    RangeError,
  );
});

test('readAnswer() reads what writeAnswer() wrote', () => {
  fc.assert(
    fc.property(head, fc.boolean(), (bytes, hasBody) => {
      const [payload] = payloadsOf((writer) => writeAnswer(writer, 1, bytes, hasBody));
      expect(readAnswer(payload!, 0, payload!.length)).toEqual({ head: bytes, hasBody });
    }),
  );
});

describe('CreditedSender and CreditedReceiver', () => {
  /** A sender whose frames go straight to a receiver, whose grants go straight back. */
  function pair(windowBytes: number): { sender: CreditedSender; receiver: CreditedReceiver; sentBytes: () => number } {
    let sent = 0;
    const reader = new FrameReader((_type, _id, buffer, start, end) => {
      sent += end - start;
      receiver.push(Buffer.from(buffer.subarray(start, end)));
    });
    const writer = new FrameWriter({
      write: (bytes, done) => {
        reader.push(Buffer.from(bytes));
        done();
        return true;
      },
    });
    const sender = new CreditedSender(writer, 9, 1, windowBytes);
    const receiver: CreditedReceiver = new CreditedReceiver(windowBytes, (bytes) => sender.grant(bytes));
    return { sender, receiver, sentBytes: () => sent };
  }

  test('bring every byte, in order, however it is cut and however slowly it is read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 4000 }),
        async (pieces, windowBytes) => {
          const { sender, receiver } = pair(windowBytes);
          const sending = (async () => {
            for (const piece of pieces) await sender.send(piece);
            await new Promise((resolve) => setImmediate(resolve));
            receiver.end();
          })();
          const got: Uint8Array[] = [];
          for await (const piece of receiver) got.push(piece);
          await sending;
          expect(Buffer.concat(got).equals(Buffer.concat(pieces))).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a sender stops when nobody reads, and stop() ends its wait', async () => {
    const { sender, sentBytes } = pair(1000);
    const sending = sender.send(Buffer.alloc(1 << 20));
    await new Promise((resolve) => setImmediate(resolve));
    expect(sentBytes()).toBe(64 * 1024);
    sender.stop();
    expect(await sending).toBe(false);
  });

  test('a receiver refuses what it has not granted, whether anybody reads or has given up', () => {
    for (const isFailed of [false, true]) {
      const receiver = new CreditedReceiver(1000, () => {});
      if (isFailed) receiver.fail(new Error('given up'));
      expect(() => {
        for (let at = 0; at < 10; at++) receiver.push(Buffer.alloc(1));
      }).toThrow(ProtocolError);
    }
    const ended = new CreditedReceiver(1000, () => {});
    ended.end();
    expect(() => ended.push(Buffer.alloc(1))).toThrow(ProtocolError);
    expect(() => ended.end()).toThrow(ProtocolError);
  });

  test('a sender refuses a credit for more than it sent, or for nothing', () => {
    for (const bytes of [0, 1, 0xffffffff]) expect(() => pair(1000).sender.grant(bytes)).toThrow(ProtocolError);
  });

  test('fail() reaches who waits, and who reads later', async () => {
    const { receiver } = pair(1000);
    const waiting = receiver.next();
    receiver.fail(new Error('it is gone'));
    await expect(waiting).rejects.toThrow('it is gone');
    await expect(receiver.next()).rejects.toThrow('it is gone');
  });
});
