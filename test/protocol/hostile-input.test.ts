/* oxlint-disable vitest/no-conditional-expect, vitest/expect-expect -- what is refused has nothing to look at */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkHeaderLines,
  failureOf,
  FrameReader,
  FrameWriter,
  JsonLineReader,
  ProtocolError,
  readFailure,
  readReply,
  readUsage,
  REPLY_HEAD_BYTES,
  RequestHead,
  ToHost,
  writeReply,
  writeRequest,
} from '../../packages/protocol/src/index.ts';
import { cutAt, cuts } from '../support/random-chunks.ts';

const USAGE = { cpuMicros: 1, wallMicros: 2 };

/** Runs it; a ProtocolError is `null`, any other error fails the test. */
function readOrRefuse<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return null;
  }
}

/** The bytes of the only frame that is written. */
function payloadOf(write: (writer: FrameWriter) => void): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new FrameWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) > 0 });
  write(writer);
  writer.flush();
  let payload = Buffer.alloc(0);
  new FrameReader((_type, _id, buffer, start, end) => (payload = Buffer.from(buffer.subarray(start, end)))).push(
    Buffer.concat(pieces),
  );
  return payload;
}

describe('readReply()', () => {
  it('readReply() reads what writeReply() wrote', () => {
    const lines = fc
      .array(fc.tuple(fc.stringMatching(/^x-[a-z]{1,8}$/), fc.stringMatching(/^[!-~]{0,30}$/)), { maxLength: 5 })
      .map((headers) => headers.map(([name, value]) => `${name}: ${value}\r\n`).join(''));
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 999 }),
        lines,
        fc.string({ unit: 'grapheme' }),
        (status, headers, body) => {
          const payload = payloadOf((writer) => writeReply(writer, 1, USAGE, status, 'Fine', headers, body));
          const reply = readReply(payload, 0, payload.length);
          expect(reply).toMatchObject({ status, reason: 'Fine', headerLines: headers, ...USAGE });
          expect(payload.toString('utf8', reply.bodyStart)).toBe(body);
        },
      ),
    );
  });

  it('readReply() answers random bytes with a reply inside of them or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const reply = readOrRefuse(() => readReply(Buffer.from(bytes), 0, bytes.length));
        if (reply !== null) expect(reply.bodyStart).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('readReply() with a random byte changed is a reply or a ProtocolError, and its head has no line of its own', () => {
    const good = payloadOf((writer) => writeReply(writer, 1, USAGE, 200, 'OK', 'X-A: b\r\nX-C: d\r\n', 'body'));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(good);
        bytes[at] = byte;
        const reply = readOrRefuse(() => readReply(bytes, 0, bytes.length));
        if (reply === null) return;
        expect(reply.reason).not.toMatch(/[\r\n\0]/);
        expect(reply.headerLines).not.toMatch(/\r(?!\n)|(?<!\r)\n|\r\n\r\n|\0/);
      }),
      { numRuns: 2000 },
    );
  });

  it('readReply() refuses whatever is the acceptor’s to say', () => {
    const refused = [
      'Content-Length: 5\r\n',
      'transfer-encoding: chunked\r\n',
      'X-A: b\r\nConnection: close\r\n',
      'X-A: b\r\nX-B',
      'X-A: b\n',
      'X-A: b\r\n\r\nHTTP/1.1 200 OK\r\n',
      'X A: b\r\n',
      ': b\r\n',
      ' X-A: b\r\n',
      'X-A: b\0\r\n',
    ];
    for (const lines of refused) expect(() => checkHeaderLines(lines), lines).toThrow(ProtocolError);
  });

  it('readReply() refuses lengths that lead out of the frame', () => {
    const bytes = Buffer.alloc(REPLY_HEAD_BYTES);
    bytes.writeUInt16BE(200, 8);
    bytes.writeUInt32BE(1, 12);
    expect(() => readReply(bytes, 0, bytes.length)).toThrow(ProtocolError);
    bytes.writeUInt32BE(0xffffffff, 12);
    expect(() => readReply(bytes, 0, bytes.length)).toThrow(ProtocolError);
    for (const status of [0, 100, 199, 1000]) {
      bytes.writeUInt32BE(0, 12);
      bytes.writeUInt16BE(status, 8);
      expect(() => readReply(bytes, 0, bytes.length), String(status)).toThrow(ProtocolError);
    }
  });
});

describe('readUsage()', () => {
  it('readUsage() answers random bytes with numbers or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const usage = readOrRefuse(() => readUsage(Buffer.from(bytes), 0, bytes.length));
        expect(usage !== null).toBe(bytes.length >= 8);
        if (usage !== null) expect(usage.cpuMicros).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('JsonLineReader', () => {
  it('JsonLineReader reads the values, however their lines are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), cuts, (values, at) => {
        const found: unknown[] = [];
        const reader = new JsonLineReader((value) => found.push(value));
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        for (const chunk of cutAt(bytes, at)) reader.push(chunk);
        expect(JSON.stringify(found)).toBe(JSON.stringify(values));
      }),
    );
  });

  it('JsonLineReader answers random bytes with values or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (chunks) => {
        const reader = new JsonLineReader(() => {});
        readOrRefuse(() => chunks.forEach((chunk) => reader.push(Buffer.from(chunk))));
      }),
      { numRuns: 500 },
    );
  });

  it('JsonLineReader refuses a line without an end before it has grown large', () => {
    const reader = new JsonLineReader(() => {});
    let pushed = 0;
    const chunk = Buffer.alloc(16 * 1024, 'x');
    expect(() => {
      for (; pushed < 1 << 30; pushed += chunk.length) reader.push(chunk);
    }).toThrow(ProtocolError);
    expect(pushed).toBeLessThanOrEqual(512 * 1024);
  });
});

describe('readFailure()', () => {
  it('readFailure() makes a bounded failure of any text', () => {
    const strange = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc
        .record({ name: fc.jsonValue(), message: fc.jsonValue(), cause: fc.jsonValue() })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(strange, (text) => {
        const failure = readFailure(text);
        expect([typeof failure.name, typeof failure.message]).toEqual(['string', 'string']);
      }),
      { numRuns: 500 },
    );
    const deep = `${'{"cause":'.repeat(10_000)}{}${'}'.repeat(10_000)}`;
    expect(JSON.stringify(readFailure(deep)).length).toBeLessThan(1000);
    expect(readFailure(JSON.stringify({ message: 'x'.repeat(1e6) })).message.length).toBeLessThan(20_000);
  });

  it('failureOf() describes whatever can be thrown', () => {
    const trap = new Proxy(
      {},
      {
        get: () => {
          throw new Error('no');
        },
        getPrototypeOf: () => {
          throw new Error('no');
        },
      },
    );
    for (const thrown of [null, undefined, 1n, Symbol('s'), () => {}, trap, { message: { toString: null } }]) {
      const failure = failureOf(thrown);
      expect([typeof failure.name, typeof failure.message]).toEqual(['string', 'string']);
    }
  });
});

describe('RequestHead', () => {
  it('RequestHead reads what writeRequest() wrote', () => {
    const part = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,20}$/);
    fc.assert(
      fc.property(part, part, fc.array(part, { maxLength: 10 }), fc.boolean(), (method, url, headers, hasBody) => {
        const rawHeaders = headers.length % 2 === 0 ? headers : headers.slice(1);
        const request = {
          method,
          url,
          clientIp: '::1',
          hostIp: '::2',
          hostPort: 8080,
          rawHeaders,
          hasBody,
          hasForm: !hasBody,
          isSecure: hasBody,
        };
        const payload = payloadOf((writer) => writeRequest(writer, 7, request));
        const head = new RequestHead(payload, 0, payload.length);
        expect([head.method, head.url, head.clientIp, head.hasBody]).toEqual([method, url, '::1', hasBody]);
        expect([head.hostIp, head.hostPort, head.hasForm]).toEqual(['::2', 8080, !hasBody]);
        expect(head.isSecure).toBe(hasBody);
        expect(head.rawHeaders).toEqual(rawHeaders);
      }),
    );
  });

  it('RequestHead reads random bytes as something', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (bytes) => {
        const head = new RequestHead(Buffer.from(bytes), 0, bytes.length);
        expect([typeof head.method, typeof head.url, typeof head.clientIp]).toEqual(['string', 'string', 'string']);
      }),
    );
  });
});

describe('ToHost', () => {
  it('ToHost has a type of its own for every message', () => {
    const types = Object.values(ToHost);
    expect(new Set(types).size).toBe(types.length);
  });
});
