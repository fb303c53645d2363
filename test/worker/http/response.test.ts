import { describe, expect, it } from 'vitest';
import { html } from '../../../packages/worker/src/http/html.ts';
import { toReply } from '../../../packages/worker/src/http/reply.ts';
import { empty, redirectTo, response } from '../../../packages/worker/src/http/response.ts';

describe('response()', () => {
  it('response() of every kind of body is sent as such', async () => {
    expect(await toReply(response(), 's')).toMatchObject({ status: 200, headerLines: '', body: '' });
    expect(await toReply(response({ status: 201, body: html`<b>x</b>` }), 's')).toMatchObject({
      status: 201,
      body: '<b>x</b>',
    });
    expect(await toReply(response({ body: ['p', 'x'] }), 's')).toMatchObject({ body: '<p>x</p>' });
    expect(await toReply(response({ body: new Uint8Array([1]) }), 's')).toMatchObject({ body: new Uint8Array([1]) });
    const written = await toReply(response({ body: (writer) => writer.write('x') }), 's');
    expect(await Array.fromAsync(written.body as AsyncIterable<string>)).toEqual(['x']);
  });

  it.each([
    [{ status: 99 }, 'Cannot make a response: its status is 99, not from 200 to 999'],
    [{ status: 1000 }, 'Cannot make a response: its status is 1000, not from 200 to 999'],
    [{ status: '200' }, 'Cannot make a response: its status is of type string, not from 200 to 999'],
    [{ body: 7 }, 'Cannot make a response: its body is a number, not a response'],
    [
      { body: { a: 1 } },
      'Cannot make a response: its body is an object with the properties "a", not a response (json(value) makes one of it)',
    ],
    [
      { headers: { 'X-A': 'a\r\nb' } },
      'Cannot send the header "X-A": its value has a line break, a control or a character beyond latin1',
    ],
    [
      { statusText: 'a\nb' },
      'Cannot send the reason phrase: it has a line break, a control or more than 255 characters of latin1',
    ],
  ])('response(%j) is an error where it is made', (options, message) => {
    expect(() => response(options as never)).toThrow(expect.objectContaining({ message }));
  });
});

describe('empty()', () => {
  it('empty() is 204 without a body or a type', () => {
    expect(toReply(empty(), 's')).toMatchObject({ status: 204, headerLines: '', body: '' });
    expect(toReply(empty({ status: 202, headers: { 'X-A': '1' } }), 's')).toMatchObject({
      status: 202,
      headerLines: 'X-A: 1\r\n',
    });
  });
});

describe('redirectTo()', () => {
  it.each([
    [undefined, 302],
    ['permanently', 301],
    ['temporarily', 302],
    ['see-other', 303],
    ['same-method', 307],
    [301, 301],
    [308, 308],
  ] as const)('redirectTo() with %s has the status %d', (status, expected) => {
    expect(toReply(redirectTo('/x?a=%20b', status), 's')).toMatchObject({
      status: expected,
      headerLines: 'Location: /x?a=%20b\r\n',
      body: '',
    });
  });

  it('redirectTo() encodes what no address may have, and nothing that is encoded already', () => {
    expect(toReply(redirectTo('/é/%20?x=€ü&y=a b\ud800'), 's')).toMatchObject({
      headerLines: 'Location: /%C3%A9/%20?x=%E2%82%AC%C3%BC&y=a b%EF%BF%BD\r\n',
    });
  });

  it('redirectTo() takes a URL, and more headers, but no other address', () => {
    const headers = { 'X-A': '1', location: 'https://c.example/' };
    expect(toReply(redirectTo(new URL('https://a.example/b'), 303, { headers }), 's')).toMatchObject({
      headerLines: 'Location: https://a.example/b\r\nX-A: 1\r\n',
    });
  });

  it.each([
    ['', undefined, 'Cannot redirect: the address is empty, or no string and no URL'],
    [7, undefined, 'Cannot redirect: the address is empty, or no string and no URL'],
    ['/x', 'forever', `Cannot redirect: "forever" is no redirection's status`],
    ['/x', 200, `Cannot redirect: 200 is no redirection's status`],
    ['/x', 'toString', `Cannot redirect: "toString" is no redirection's status`],
    [
      '/x\r\nX-A: 1',
      undefined,
      'Cannot send the header "Location": its value has a line break, a control or a character beyond latin1',
    ],
  ])('redirectTo(%j, %j) is refused', (url, status, message) => {
    expect(() => redirectTo(url as never, status as never)).toThrow(expect.objectContaining({ message }));
  });
});
