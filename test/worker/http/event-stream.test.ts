import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventStream, type ServerEvent } from '../../../packages/worker/src/http/event-stream.ts';
import { toReply } from '../../../packages/worker/src/http/reply.ts';

async function* sent(...events: (ServerEvent | string)[]): AsyncGenerator<ServerEvent | string> {
  yield* events;
}

async function textOf(...events: (ServerEvent | string)[]): Promise<string> {
  const { body } = await toReply(eventStream(sent(...events)), 's');
  return (await Array.fromAsync(body as AsyncIterable<string>)).join('');
}

describe('eventStream()', () => {
  it('eventStream() is a stream of its type that nobody keeps', async () => {
    expect(await toReply(eventStream(sent(), { headers: { 'X-A': '1' } }), 's')).toMatchObject({
      status: 200,
      headerLines: 'Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\nX-A: 1\r\n',
    });
  });

  it('eventStream() writes events as the standard wants them', async () => {
    expect(await textOf('one', { data: 'a\nb\r\nc\rd', event: 'tick', id: '7', retryMs: 500 }, { id: '' }, '')).toBe(
      'data: one\n\nevent: tick\nid: 7\nretry: 500\ndata: a\ndata: b\ndata: c\ndata: d\n\nid: \n\ndata: \n\n',
    );
  });

  it.each([
    [{ event: 'a\nb' }, 'Cannot stream an event: its type is no string of one line'],
    [{ id: 'a\rb' }, 'Cannot stream an event: its id is no string of one line'],
    [{ id: 'a\0' }, 'Cannot stream an event: its id is no string of one line'],
    [{ retryMs: -1 }, 'Cannot stream an event: retryMs is not a whole number from 0'],
    [{ data: 7 }, 'Cannot stream an event: its data is of type number, not a string'],
  ])('eventStream() refuses the event %j', async (event, message) => {
    await expect(textOf(event as never)).rejects.toThrow(new TypeError(message));
  });

  it('eventStream() refuses what is no stream of events', () => {
    expect(() => eventStream(['a'] as never)).toThrow(TypeError);
    expect(() => eventStream(sent(), { heartbeatMs: -1 })).toThrow(TypeError);
  });

  it('eventStream() sends a comment when no event comes, and the event when it does', async () => {
    async function* slow(): AsyncGenerator<string> {
      await sleep(150);
      yield 'late';
    }
    const { body } = await toReply(eventStream(slow(), { heartbeatMs: 20 }), 's');
    const pieces = await Array.fromAsync(body as AsyncIterable<string>);
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.at(-1)).toBe('data: late\n\n');
    expect(new Set(pieces.slice(0, -1))).toEqual(new Set([':\n\n']));
  });

  it('eventStream() ends its events when the client is gone, and does not wait for the next one', async () => {
    let isEnded = false;
    const events = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<string>>(() => {}),
        async return() {
          isEnded = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const { body } = await toReply(eventStream(events, { heartbeatMs: 0 }), 's');
    const iterator = (body as AsyncIterable<string>)[Symbol.asyncIterator]();
    void iterator.next();
    await iterator.return?.();
    expect(isEnded).toBe(true);
  });
});
