import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHeaderLines } from '@custodian/protocol';
import { html } from '../../../packages/worker/src/http/html.ts';
import { json } from '../../../packages/worker/src/http/json.ts';
import { toReply, type Reply } from '../../../packages/worker/src/http/reply.ts';

const HTML = 'Content-Type: text/html; charset=utf-8\r\n';
const BYTES = 'Content-Type: application/octet-stream\r\n';

async function* twoPieces(): AsyncGenerator<unknown> {
  yield 'one';
  yield html`<b>${'<'}</b>`;
}

/** A body as text, whatever form it has. */
async function textOf(body: Reply['body']): Promise<string> {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  return (await Array.fromAsync(body))
    .map((piece) => (typeof piece === 'string' ? piece : Buffer.from(piece).toString()))
    .join('');
}

function isSendable(reply: Reply): boolean {
  checkHeaderLines(reply.headerLines);
  return (
    reply.status >= 200 &&
    reply.status <= 999 &&
    /^[\t\x20-\x7e\x80-\xff]*$/.test(reply.reason) &&
    (typeof reply.body === 'string' || reply.body instanceof Uint8Array)
  );
}

describe('toReply()', () => {
  it.each([
    ['a string', 'hi', HTML, 'hi'],
    ['a fragment', html`<p>${'&'}</p>`, HTML, '<p>&amp;</p>'],
    ['an X-expression', ['p', 'x'], HTML, '<p>x</p>'],
    ['bytes', Buffer.from('b'), BYTES, 'b'],
    ['a plain reply', { body: 'x' }, HTML, 'x'],
    ['a plain fragment', { body: html`<p></p>` }, HTML, '<p></p>'],
    ['a plain X-expression', { body: ['br'] }, HTML, '<br/>'],
    ['plain bytes', { body: new Uint8Array([97]) }, BYTES, 'a'],
    ['a plain reply without a body', { headers: { 'X-A': '1' } }, 'X-A: 1\r\n', ''],
    ['a plain reply with null', { body: null }, '', ''],
    ['its own type', { headers: { 'content-type': 'text/plain' }, body: 'x' }, 'content-type: text/plain\r\n', 'x'],
    ['JSON', json({ a: 1 }), 'Content-Type: application/json; charset=utf-8\r\n', '{"a":1}'],
  ])('toReply() of %s is there at once', async (_what, value, lines, body) => {
    const reply = toReply(value, 's') as Reply;
    expect(reply).toMatchObject({ status: 200, reason: '', headerLines: lines, bodyBytes: -1 });
    expect(await textOf(reply.body)).toBe(body);
  });

  it('toReply() takes status and reason of a plain reply, and drops framing headers', () => {
    const reply = toReply(
      { status: 418, statusText: 'Teapot', headers: { 'Content-Length': 99, Connection: 'close' }, body: 'x' },
      's',
    );
    expect(reply).toEqual({ status: 418, reason: 'Teapot', headerLines: HTML, body: 'x', bodyBytes: -1 });
  });

  it('toReply() awaits a promise', async () => {
    expect(await toReply(Promise.resolve('x'), 's')).toMatchObject({ body: 'x' });
    await expect(toReply(Promise.reject(new Error('failed')), 's')).rejects.toThrow('failed');
  });

  it('toReply() streams an async iterable as html, fragments included', async () => {
    const reply = await toReply(twoPieces(), 's');
    expect(reply).toMatchObject({ status: 200, headerLines: HTML, bodyBytes: -1 });
    expect(await textOf(reply.body)).toBe('one<b>&lt;</b>');
  });

  it('toReply() streams the body of a plain reply, with the length that it declares', async () => {
    const reply = await toReply({ status: 201, headers: { 'content-length': '13' }, body: twoPieces() }, 's');
    expect(reply).toMatchObject({ status: 201, headerLines: HTML, bodyBytes: 13 });
  });

  it('toReply() streams a ReadableStream', async () => {
    expect(await textOf((await toReply(ReadableStream.from(['a', 'b']), 's')).body)).toBe('ab');
  });

  it.each([
    [undefined, 'it is undefined, not a response'],
    [null, 'it is null, not a response'],
    [42, 'it is a number, not a response'],
    [true, 'it is a boolean, not a response'],
    [() => 'x', 'it is a function, not a response'],
    [new Date(0), 'it is an instance of Date, not a response'],
    [new Error('x'), 'it is an instance of Error, not a response'],
    [new Map(), 'it is an instance of Map, not a response'],
    [{}, 'it is an object without properties, not a response (json(value) makes one of it)'],
    [
      { user: 1, body: '' },
      'it is an object with the properties "user", "body", not a response (json(value) makes one of it)',
    ],
    [{ status: 99 }, 'its status is 99, not from 200 to 999'],
    [{ status: 1000 }, 'its status is 1000, not from 200 to 999'],
    [{ status: '200' }, 'its status is of type string, not from 200 to 999'],
    [{ body: { a: 1 } }, 'its body is an object with the properties "a", not a response (json(value) makes one of it)'],
  ])('toReply() refuses %s, and names the servlet', (value, state) => {
    expect(() => toReply(value, 'shop')).toThrow(
      expect.objectContaining({
        code: 'SERVLET_RESPONSE_TYPE',
        message: `Cannot answer with what servlet "shop" returned: ${state}`,
      }),
    );
  });

  it('toReply() refuses a reason phrase that would split the response', () => {
    expect(() => toReply({ statusText: 'OK\r\nX: y' }, 's')).toThrow(
      expect.objectContaining({ code: 'SERVLET_HEADER' }),
    );
  });

  it('toReply() makes a reply that the acceptor takes, or an error, of anything', async () => {
    const value = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
      }),
      fc.record(
        {
          status: fc.anything(),
          statusText: fc.oneof(fc.string(), fc.anything()),
          headers: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.anything()),
          body: fc.oneof(fc.string(), fc.anything()),
        },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(value, async (result) => {
        const reply = await Promise.resolve()
          .then(() => toReply(result, 's'))
          .catch((error: unknown) => error);
        expect(reply instanceof Error || isSendable(reply as Reply)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('json()', () => {
  it('json() takes a status and headers, and leaves a media type that is given', () => {
    expect(json([], { status: 201, headers: { 'X-A': '1' } })).toEqual({
      status: 201,
      headers: [
        ['Content-Type', 'application/json; charset=utf-8'],
        ['X-A', '1'],
      ],
      body: '[]',
    });
    expect(json(null, { headers: { 'content-type': 'application/ld+json' } }).headers).toEqual([
      ['content-type', 'application/ld+json'],
    ]);
  });

  it('json() throws for what has no JSON', () => {
    for (const value of [undefined, () => 1, 1n, Symbol('x')]) expect(() => json(value)).toThrow(TypeError);
  });
});
