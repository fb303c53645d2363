import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  html,
  HtmlPendingError,
  HtmlUrlError,
  HtmlValueError,
  isPending,
  raw,
} from '../../../packages/worker/src/http/html.ts';
import { toReply } from '../../../packages/worker/src/http/reply.ts';

const h = html;

async function* rows(...values: unknown[]): AsyncGenerator<unknown> {
  for (const value of values) {
    await delay(1);
    yield value;
  }
}

async function piecesOf(value: unknown): Promise<string[]> {
  const { body } = await toReply(value, 'test');
  if (typeof body === 'string') return [body];
  return (await Array.fromAsync(body as AsyncIterable<Uint8Array | string>)).map((piece) =>
    Buffer.from(piece).toString(),
  );
}

describe('html with what is to come', () => {
  it('html takes promises, streams and async iterables wherever their values may stand', async () => {
    const page = h`<p title="${Promise.resolve('"')}">${rows('<', h`<b>${1}</b>`, [Promise.resolve('&')], null)}</p>
<textarea>${Promise.resolve('\n<')}</textarea><a href="${Promise.resolve('/x')}/${Promise.resolve('y')}">${ReadableStream.from(['a', '<'])}</a>`;
    expect(isPending(page)).toBe(true);
    expect((await page.whole()).text).toBe(
      '<p title="&quot;">&lt;<b>1</b>&amp;</p>\n<textarea>\n\n&lt;</textarea><a href="/x/y">a&lt;</a>',
    );
  });

  it('html holds what is to come to the same rules', async () => {
    await expect(h`<a href="${Promise.resolve('javascript:x')}">`.whole()).rejects.toThrow(HtmlUrlError);
    await expect(h`<a href="${'java'}${Promise.resolve('script:x')}">`.whole()).rejects.toThrow(HtmlUrlError);
    await expect(h`<p>${Promise.resolve({})}</p>`.whole()).rejects.toThrow(HtmlValueError);
    await expect(h`<title>${Promise.resolve(h`<b>`)}</title>`.whole()).rejects.toThrow(HtmlValueError);
    expect((await h`<a href="${Promise.resolve(raw('javascript:x'))}">`.whole()).text).toContain('javascript:x');
  });

  it('html has no text before all of it is there, and says so', () => {
    expect(() => h`${Promise.resolve(1)}`.text).toThrow(HtmlPendingError);
    expect(() => String(h`${rows()}`)).toThrow(expect.objectContaining({ code: 'SERVLET_HTML_PENDING' }));
  });

  it('html nests fragments that are to come', async () => {
    const inner = h`<i>${Promise.resolve('x')}</i>`;
    expect((await h`<b>${[inner, rows(h`<u>${rows('y')}</u>`)]}</b>`.whole()).text).toBe('<b><i>x</i><u>y</u></b>');
    expect((await h`<p title="${h`${Promise.resolve('&')}`}">`.whole()).text).toBe('<p title="&amp;">');
  });

  it('html may be read again when only promises are to come', async () => {
    const page = h`<p>${Promise.resolve('x')}${new Set([Promise.resolve('y')]).values()}</p>`;
    expect((await page.whole()).text).toBe('<p>xy</p>');
    expect((await page.whole()).text).toBe('<p>xy</p>');
  });

  it('html leaves no rejection alone that it has not come to yet', async () => {
    const page = h`${delay(5)}${[Promise.reject(new Error('later'))]}`;
    await delay(1);
    await expect(page.whole()).rejects.toThrow('later');
  });

  it('toReply() sends in one piece what is there within a turn', async () => {
    const reply = await toReply(h`<p>${Promise.resolve('x')}${[1, 2, 3].map(async (n) => n)}</p>`, 'test');
    expect(reply.body).toBe('<p>x123</p>');
    await expect(toReply(h`${Promise.reject(new Error('no page'))}`, 'test')).rejects.toThrow('no page');
  });

  it('toReply() sends what is there while it waits for the rest, in order', async () => {
    const slow = Promise.withResolvers<string>();
    const reply = await toReply(
      { status: 201, body: h`<p>now</p>${slow.promise}<p>${Promise.resolve('end')}</p>` },
      'test',
    );
    expect(reply).toMatchObject({ status: 201, headerLines: 'Content-Type: text/html; charset=utf-8\r\n' });
    const pieces = (reply.body as AsyncIterable<string>)[Symbol.asyncIterator]();
    expect(await pieces.next()).toEqual({ done: false, value: '<p>now</p>' });
    slow.resolve('then');
    expect(await pieces.next()).toEqual({ done: false, value: 'then<p>end</p>' });
    expect(await pieces.next()).toMatchObject({ done: true });
  });

  it('toReply() streams fragments that are to come within a streaming body', async () => {
    expect((await piecesOf({ body: rows('a', h`<b>${rows(1, 2)}</b>`, h`c`) })).join('')).toBe('a<b>12</b>c');
    expect((await piecesOf(h`<p>${rows('a', 'b')}</p>`)).join('')).toBe('<p>ab</p>');
  });

  it('return() ends what is being iterated, even if it never comes', async () => {
    let isEnded = false;
    const stuck = new ReadableStream({ cancel: () => void (isEnded = true) });
    const pieces = (h`<p>${stuck}</p>` as unknown as AsyncIterable<string>)[Symbol.asyncIterator]();
    expect(await pieces.next()).toEqual({ done: false, value: '<p>' });
    void pieces.next();
    await delay(1);
    await pieces.return?.();
    expect(isEnded).toBe(true);
  });
});
