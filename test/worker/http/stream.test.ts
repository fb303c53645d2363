import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createCookie } from '../../../packages/worker/src/cookie/cookie.ts';
import { setCookie } from '../../../packages/worker/src/cookie/set-cookie.ts';
import { toReply } from '../../../packages/worker/src/http/reply.ts';
import { checkedPieces } from '../../../packages/worker/src/http/stream.ts';
import { writtenPieces } from '../../../packages/worker/src/http/written-pieces.ts';

function iteratorOf(body: unknown): AsyncIterator<Uint8Array | string> {
  return (body as AsyncIterable<Uint8Array | string>)[Symbol.asyncIterator]();
}

describe('checkedPieces()', () => {
  it('checkedPieces() fails on a piece of a wrong type, and ends the servlet’s iterator', async () => {
    let isEnded = false;
    async function* pieces(): AsyncGenerator<unknown> {
      try {
        yield 'a';
        yield 7;
      } finally {
        isEnded = true;
      }
    }
    const iterator = iteratorOf(checkedPieces(pieces(), 'shop'));
    expect(await iterator.next()).toEqual({ done: false, value: 'a' });
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'SERVLET_RESPONSE_TYPE',
      message: 'Cannot send what servlet "shop" streams: a piece is of type number',
    });
    expect(isEnded).toBe(true);
  });

  it('checkedPieces() passes a failure of the servlet on', async () => {
    async function* pieces(): AsyncGenerator<string> {
      yield 'a';
      throw new Error('failed midway');
    }
    await expect(Array.fromAsync(checkedPieces(pieces(), 's'))).rejects.toThrow('failed midway');
  });

  it('checkedPieces() cancels a stream on return(), even while a read is stuck', async () => {
    let reason: unknown = 'not cancelled';
    const stream = new ReadableStream({
      cancel: (why) => void (reason = why),
      pull: () => new Promise<void>(() => {}),
    });
    const iterator = iteratorOf(checkedPieces(stream, 's'));
    const stuck = iterator.next();
    await iterator.return?.();
    expect(await stuck).toEqual({ done: true, value: undefined });
    expect(reason).toBeUndefined();
  });
});

describe('writtenPieces()', () => {
  it('writtenPieces() lets the function write its next piece when the last one is taken', async () => {
    const log: string[] = [];
    const pieces = writtenPieces(async (writer) => {
      for (const piece of ['a', 'b', 'c']) {
        await writer.write(piece);
        log.push(`${piece} taken`);
      }
    })[Symbol.asyncIterator]();
    expect(log).toEqual([]);
    expect(await pieces.next()).toEqual({ done: false, value: 'a' });
    await sleep(5);
    expect(log).toEqual([]);
    expect(await pieces.next()).toEqual({ done: false, value: 'b' });
    expect(log).toEqual(['a taken']);
    expect(await pieces.next()).toEqual({ done: false, value: 'c' });
    expect(await pieces.next()).toEqual({ done: true, value: undefined });
  });

  it('writtenPieces() sends what was not awaited before it ends', async () => {
    const pieces = writtenPieces((writer) => {
      void writer.write('a');
      void writer.write('b');
    });
    expect(await Array.fromAsync(pieces)).toEqual(['a', 'b']);
  });

  it('writtenPieces() does not call the function before a piece is wanted, nor when none ever is', async () => {
    let calls = 0;
    const pieces = writtenPieces(() => void (calls += 1))[Symbol.asyncIterator]();
    await pieces.return?.();
    expect(await pieces.next()).toEqual({ done: true, value: undefined });
    expect(calls).toBe(0);
  });

  it('writtenPieces() passes the function’s failure on, after what it wrote', async () => {
    const pieces = writtenPieces(async (writer) => {
      void writer.write('a');
      throw new Error('failed midway');
    })[Symbol.asyncIterator]();
    expect(await pieces.next()).toEqual({ done: false, value: 'a' });
    await expect(pieces.next()).rejects.toThrow('failed midway');
  });

  it('writtenPieces() tells the function that the client is gone', async () => {
    let found: unknown[] = [];
    const pieces = writtenPieces(async (writer) => {
      const written = writer.write('a').catch((error: unknown) => error);
      await new Promise((resolve) => writer.signal.addEventListener('abort', resolve));
      found = [await written, await writer.write('b').catch((error: unknown) => error)];
    })[Symbol.asyncIterator]();
    await pieces.next();
    const waiting = pieces.next();
    await pieces.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await sleep(5);
    // The first piece was taken, since the next one was asked for.
    expect(found).toMatchObject([undefined, { code: 'SERVLET_CLIENT_GONE' }]);
  });

  it('writtenPieces() refuses to write when the function has returned', async () => {
    let late: Promise<unknown> = Promise.resolve();
    const pieces = writtenPieces((writer) => {
      setTimeout(() => void (late = writer.write('late').catch((error: unknown) => error)), 5);
    });
    expect(await Array.fromAsync(pieces)).toEqual([]);
    await sleep(20);
    expect(await late).toEqual(new TypeError('Cannot write to a response: its function has returned before'));
  });
});

describe('toReply() of a WHATWG Response', () => {
  it('toReply() sends the body of a Response whole when it is there', async () => {
    const response = new Response('hé', {
      status: 201,
      statusText: 'Made',
      headers: [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-A', '1'],
      ],
    });
    const reply = await toReply(response, 's');
    expect(reply).toMatchObject({
      status: 201,
      reason: 'Made',
      headerLines: 'content-type: text/plain;charset=UTF-8\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-a: 1\r\n',
    });
    expect(Buffer.from(reply.body as Uint8Array).toString()).toBe('hé');
  });

  it.each([
    ['gzip', gzipSync('hello'), '', 'hello'],
    ['zstd', zstdCompressSync('hello'), '', 'hello'],
    // Nobody has undone it.
    ['own', Buffer.from('hello'), 'content-encoding: own\r\n', 'hello'],
  ])(
    'toReply() of what fetch() brought, coded with %s, has the headers of its body',
    async (coding, bytes, line, text) => {
      const headers = { 'content-encoding': coding, 'content-length': bytes.length, 'x-own': '1' };
      await using upstream = createServer((_request, answer) => void answer.writeHead(200, headers).end(bytes));
      await once(upstream.listen(0), 'listening');
      const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/`;
      for (const response of [await fetch(url), setCookie(await fetch(url), createCookie('a', 'b'))]) {
        const reply = await toReply(response, 's');
        expect(reply.headerLines).toContain('x-own: 1\r\n');
        expect(/content-encoding.*\r\n/i.exec(reply.headerLines)?.[0] ?? '').toBe(line);
        expect(reply.bodyBytes).toBe(line === '' ? -1 : bytes.length);
        expect(await new Response(reply.body as string).text()).toBe(text);
      }
    },
  );

  it('toReply() takes a Response without a body, and a redirect', async () => {
    expect(await toReply(new Response(null, { status: 204 }), 's')).toMatchObject({
      status: 204,
      headerLines: '',
      body: '',
    });
    expect(await toReply(Response.redirect('http://a.example/', 303), 's')).toMatchObject({
      status: 303,
      headerLines: 'location: http://a.example/\r\n',
    });
  });

  it('toReply() gathers pieces that come in one turn', async () => {
    const reply = await toReply(new Response(ReadableStream.from([Buffer.from('a'), Buffer.from('b')])), 's');
    expect(Buffer.from(reply.body as Uint8Array).toString()).toBe('ab');
  });

  it('toReply() does not wait for a slow body, and loses nothing of it', async () => {
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      await sleep(30);
      yield Buffer.from('b');
    }
    const reply = await toReply(new Response(ReadableStream.from(slow()), { headers: { 'Content-Length': '2' } }), 's');
    expect(reply.bodyBytes).toBe(2);
    expect((await Array.fromAsync(reply.body as AsyncIterable<Uint8Array>)).map(String)).toEqual(
      ['97', '98'].map((code) => String.fromCharCode(Number(code))),
    );
  });

  it('toReply() does not gather a large body', async () => {
    let pulled = 0;
    const stream = new ReadableStream({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    const reply = await toReply(new Response(stream), 's');
    expect(typeof (reply.body as AsyncIterable<unknown>)[Symbol.asyncIterator]).toBe('function');
    expect(pulled).toBeLessThan(10);
    const iterator = iteratorOf(reply.body);
    expect((await iterator.next()).value).toHaveLength(64 * 1024);
    await iterator.return?.();
    expect(pulled).toBeLessThan(12);
  });

  it('toReply() cancels a Response whose client is gone while its body is stuck', async () => {
    let isCancelled = false;
    const stream = new ReadableStream({ cancel: () => void (isCancelled = true) });
    const iterator = iteratorOf((await toReply(new Response(stream), 's')).body);
    const stuck = iterator.next();
    await iterator.return?.();
    expect((await stuck).done).toBe(true);
    expect(isCancelled).toBe(true);
  });

  it('toReply() rejects for a Response that was read before, an error Response, and a body that fails at once', async () => {
    const used = new Response('x');
    await used.text();
    await expect(toReply(used, 's')).rejects.toMatchObject({ code: 'SERVLET_RESPONSE_TYPE' });
    await expect(toReply(Response.error(), 's')).rejects.toMatchObject({ code: 'SERVLET_RESPONSE_TYPE' });
    const failing = new ReadableStream({ pull: () => Promise.reject(new Error('no body')) });
    await expect(toReply(new Response(failing), 's')).rejects.toThrow('no body');
  });
});
