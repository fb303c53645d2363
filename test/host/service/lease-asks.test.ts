/* oxlint-disable vitest/no-conditional-expect -- what is refused has nothing to look at */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ASK_STREAMS_MAX_COUNT,
  ASK_WINDOW_BYTES,
  ASKS_MAX_COUNT,
  FrameReader,
  FrameWriter,
  ProtocolError,
  ToHost,
  ToWorker,
  writeAsk,
} from '../../../packages/protocol/src/index.ts';
import type { HeldServlet } from '../../../packages/host/src/cell/held-servlet.ts';
import { LeaseAsks } from '../../../packages/host/src/service/lease-asks.ts';
import { type Ask, type Service, ServiceError, Services } from '../../../packages/host/src/service/service.ts';
import { HOLDS_NOTHING } from '../../support/thread-asks.ts';

interface Sent {
  type: number;
  id: number;
  payload: Buffer;
}

/** A lease's asks whose thread is the test. */
class Thread {
  readonly sent: Sent[] = [];
  readonly malformed: ProtocolError[] = [];
  readonly faults: unknown[] = [];
  readonly asks: LeaseAsks;
  readonly #writer: FrameWriter;

  constructor(services: Service[]) {
    const reader = new FrameReader((type, id, buffer, start, end) =>
      this.sent.push({ type, id, payload: Buffer.from(buffer.subarray(start, end)) }),
    );
    this.#writer = new FrameWriter({
      write: (bytes, done) => {
        reader.push(Buffer.from(bytes));
        done();
        return true;
      },
    });
    this.asks = new LeaseAsks(this.#writer, {
      services: new Services(services),
      servlet: { name: 'asker' } as HeldServlet,
      holder: HOLDS_NOTHING,
      exchange: () => null,
      onMalformed: (error) => this.malformed.push(error),
      onFault: (_service, error) => this.faults.push(error),
    });
  }

  say(type: number, id: number, payload: Uint8Array = Buffer.alloc(0)): void {
    this.asks.onFrame(type, id, Buffer.from(payload), 0, payload.length);
  }

  ask(id: number, service: string, options: { hasBody?: boolean; head?: string; request?: number } = {}): void {
    const { hasBody = false, head = '{}', request = 0 } = options;
    const writer = new FrameWriter({ write: (bytes) => reader.push(Buffer.from(bytes)) === undefined });
    const reader = new FrameReader((type, askId, buffer, start, end) =>
      this.say(type, askId, buffer.subarray(start, end)),
    );
    writeAsk(writer, id, { request, service, hasBody, head: Buffer.from(head) });
    writer.flush();
  }

  /** What has been sent, once everything that could run has run. */
  async answers(): Promise<[type: number, id: number, text: string][]> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.#writer.flush();
    return this.sent.splice(0).map(({ type, id, payload }) => [type, id, payload.toString()]);
  }
}

const echo: Service = { name: 'echo', answer: (ask) => ({ head: ask.json(), body: ask.body }) };
const never: Service = { name: 'never', answer: () => new Promise(() => {}) };
const word = (bytes: number): Buffer => Buffer.from([bytes >>> 24, bytes >>> 16, bytes >>> 8, bytes]);
const failureIn = (text: string): unknown => (JSON.parse(text) as { code: unknown }).code;

describe('LeaseAsks', () => {
  test('an ask for a service that does not exist is refused', async () => {
    const thread = new Thread([echo]);
    thread.ask(1, 'no-such');
    const [[type, id, text]] = (await thread.answers()) as [[number, number, string]];
    expect([type, id, failureIn(text)]).toEqual([ToWorker.AnswerFail, 1, 'ASK_NO_SERVICE']);
    expect(thread.asks.count).toBe(1);
    thread.say(ToHost.AskOver, 1);
    expect(thread.asks.count).toBe(0);
  });

  test('a body goes to the service, and comes back', async () => {
    const thread = new Thread([echo]);
    thread.ask(7, 'echo', { hasBody: true, head: '{"a":1}' });
    thread.say(ToHost.AskBody, 7, Buffer.from('one'));
    thread.say(ToHost.AskBody, 7, Buffer.from('two'));
    thread.say(ToHost.AskEnd, 7);
    expect(await thread.answers()).toEqual([
      [ToWorker.Answer, 7, '\u0001{"a":1}'],
      [ToWorker.AnswerBody, 7, 'one'],
      [ToWorker.AnswerBody, 7, 'two'],
      [ToWorker.AnswerEnd, 7, ''],
    ]);
  });

  test('answers that a servlet does not take are held up to a bound, and those that end make room', async () => {
    const whole: Service = { name: 'whole', answer: () => ({ body: new Uint8Array(15 << 20) }) };
    const thread = new Thread([whole]);
    for (let id = 1; id <= 5; id++) thread.ask(id, 'whole');
    const failures = (await thread.answers()).filter(([type]) => type === ToWorker.AnswerFail);
    expect(failures.map(([, id, text]) => [id, failureIn(text)])).toEqual([[5, 'ASK_BUSY']]);
    expect(thread.faults).toEqual([]);
    thread.say(ToHost.AskOver, 1);
    await thread.answers();
    thread.ask(6, 'whole');
    expect((await thread.answers()).map(([type, id]) => [type, id])).toContainEqual([ToWorker.Answer, 6]);
    expect(thread.malformed).toEqual([]);
  });

  test('what nobody waits for any more is held no longer, and what still runs for it counts', async () => {
    const asked: Ask[] = [];
    const whole: Service = {
      name: 'whole',
      answer: (ask) => (asked.push(ask), { body: new Uint8Array(ASK_WINDOW_BYTES * 2) }),
    };
    const thread = new Thread([whole, never]);
    for (let id = 1; id <= ASK_STREAMS_MAX_COUNT; id++) thread.ask(id, 'whole');
    await thread.answers();
    // Each of these waits for a turn, and is given up.
    for (let id = 1000; id < 3000; id++) {
      thread.ask(id, 'whole');
      thread.say(ToHost.AskOver, id);
      if (id % 100 === 0) await thread.answers();
    }
    expect((await thread.answers()).filter(([type]) => type === ToWorker.AnswerFail)).toEqual([]);
    for (let id = 1; id <= ASKS_MAX_COUNT - ASK_STREAMS_MAX_COUNT; id++) {
      thread.ask(4000 + id, 'never');
      thread.say(ToHost.AskOver, 4000 + id);
    }
    thread.ask(9000, 'never');
    const failures = (await thread.answers()).filter(([type]) => type === ToWorker.AnswerFail);
    expect(failures.map(([, id, text]) => [id, failureIn(text)])).toEqual([[9000, 'ASK_BUSY']]);
    expect(thread.malformed).toEqual([]);
  });

  test.each<[string, (thread: Thread) => void]>([
    ['a number that is in use', (thread) => (thread.ask(1, 'never'), thread.ask(1, 'never'))],
    ['a body that was not announced', (thread) => (thread.ask(1, 'never'), thread.say(ToHost.AskBody, 1, word(1)))],
    ['an end that was not announced', (thread) => (thread.ask(1, 'never'), thread.say(ToHost.AskEnd, 1))],
    ['a number that was never used', (thread) => thread.say(ToHost.AskBody, 1, word(1))],
    ['a last word for nothing', (thread) => thread.say(ToHost.AskOver, 1)],
    [
      'something after the last word',
      (thread) => {
        thread.ask(1, 'never', { hasBody: true });
        thread.say(ToHost.AskOver, 1);
        thread.say(ToHost.AskEnd, 1);
      },
    ],
    [
      'something after the end of the body',
      (thread) => {
        thread.ask(1, 'never', { hasBody: true });
        thread.say(ToHost.AskEnd, 1);
        thread.say(ToHost.AskBody, 1, word(1));
      },
    ],
    ['a credit where no answer is', (thread) => (thread.ask(1, 'never'), thread.say(ToHost.AnswerCredit, 1, word(5)))],
    ['a credit that is cut short', (thread) => (thread.ask(1, 'never'), thread.say(ToHost.AnswerCredit, 1))],
    [
      'more of a body than was granted',
      (thread) => {
        thread.ask(1, 'never', { hasBody: true });
        for (let bytes = 0; bytes <= ASK_WINDOW_BYTES; bytes += 16_384)
          thread.say(ToHost.AskBody, 1, Buffer.alloc(16_384));
      },
    ],
    [
      'more of a body than was granted, after the answer',
      (thread) => {
        thread.ask(1, 'no-such', { hasBody: true });
        for (let at = 0; at < 1000; at++) thread.say(ToHost.AskBody, 1, Buffer.alloc(1));
      },
    ],
    [
      'more asks than may be open',
      (thread) => {
        for (let id = 1; id <= ASKS_MAX_COUNT + 1; id++) thread.ask(id, id % 2 === 0 ? 'never' : 'no-such');
      },
    ],
    [
      'more bodies than may be open',
      (thread) => {
        for (let id = 1; id <= ASK_STREAMS_MAX_COUNT + 1; id++) thread.ask(id, 'never', { hasBody: true });
      },
    ],
  ])('refuses %s', (_what, say) => {
    expect(() => say(new Thread([never]))).toThrow(ProtocolError);
  });

  test('a head that is no JSON object, where the service wants one, is malformed', async () => {
    for (const head of ['', 'x', '[]', 'null', '5']) {
      const thread = new Thread([echo]);
      thread.ask(1, 'echo', { head });
      await thread.answers();
      expect(thread.malformed.map(({ code }) => code)).toEqual(['CUSTODIAN_PROTOCOL']);
    }
  });

  test('a service says why it refuses; of its own faults the thread hears nothing', async () => {
    const refusing: Service = {
      name: 'refusing',
      answer: () => Promise.reject(new ServiceError('STORE_FULL', 'Cannot keep it: no')),
    };
    const broken: Service = {
      name: 'broken',
      answer: () => {
        throw new TypeError('secret path /etc/keys');
      },
    };
    const thread = new Thread([refusing, broken]);
    thread.ask(1, 'refusing');
    thread.ask(2, 'broken');
    const texts = (await thread.answers()).map(([, , text]) => text);
    expect(new Set(texts.map(failureIn))).toEqual(new Set(['ASK_FAILED', 'STORE_FULL']));
    expect(texts.join('')).not.toContain('secret');
    expect(thread.faults).toHaveLength(1);
  });

  test('the last word of the thread aborts the service', async () => {
    const seen: Ask[] = [];
    const thread = new Thread([{ name: 'never', answer: (ask) => (seen.push(ask), new Promise(() => {})) }]);
    thread.ask(1, 'never', { hasBody: true });
    const read = seen[0]!.body!.next();
    thread.say(ToHost.AskOver, 1);
    expect(seen[0]!.signal.aborted).toBe(true);
    await expect(read).rejects.toMatchObject({ code: 'ASK_CANCELLED' });
    expect(await thread.answers()).toEqual([]);
  });

  test('the end of its request aborts an ask, and no other', async () => {
    const seen: Ask[] = [];
    const thread = new Thread([{ name: 'never', answer: (ask) => (seen.push(ask), new Promise(() => {})) }]);
    thread.ask(1, 'never', { request: 5 });
    thread.ask(2, 'never', { request: 6 });
    thread.asks.onRequestOver(5);
    expect(seen.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect((await thread.answers()).map(([type, id]) => [type, id])).toEqual([[ToWorker.AnswerFail, 1]]);
  });

  test('close() aborts everything, those included that wait for their turn to answer', async () => {
    const signals: AbortSignal[] = [];
    const stream: Service = {
      name: 'stream',
      answer: (ask) => {
        signals.push(ask.signal);
        return { body: Buffer.alloc(1 << 19) };
      },
    };
    const thread = new Thread([stream]);
    for (let id = 1; id <= ASK_STREAMS_MAX_COUNT + 10; id++) thread.ask(id, 'stream');
    const begun = (await thread.answers()).filter(([type]) => type === ToWorker.AnswerBody).map(([, id]) => id);
    expect(new Set(begun).size).toBe(ASK_STREAMS_MAX_COUNT);
    thread.asks.close();
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(await thread.answers()).toEqual([]);
  });

  test('random frames are answered or refused, and nothing else', async () => {
    const types = [ToHost.Ask, ToHost.AskBody, ToHost.AskEnd, ToHost.AskOver, ToHost.AnswerCredit] as const;
    const frame = fc.tuple(fc.constantFrom(...types), fc.integer({ min: 1, max: 4 }), fc.uint8Array({ maxLength: 20 }));
    const good = fc.tuple(fc.constant('ask' as const), fc.integer({ min: 1, max: 4 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(frame, good), { maxLength: 30 }), async (frames) => {
        const thread = new Thread([echo]);
        try {
          for (const each of frames) {
            if (each[0] === 'ask') thread.ask(each[1], 'echo', { hasBody: each[2] as boolean });
            else thread.say(each[0], each[1], each[2] as Uint8Array);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        thread.asks.close();
        expect(thread.faults).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
