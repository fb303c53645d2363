import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCookie, cookieHeader, CookieError } from '../../../packages/worker/src/cookie/cookie.ts';
import { parseCookies } from '../../../packages/worker/src/cookie/request-cookies.ts';
import { setCookie } from '../../../packages/worker/src/cookie/set-cookie.ts';
import { html } from '../../../packages/worker/src/http/html.ts';
import { toReply } from '../../../packages/worker/src/http/reply.ts';
import { servletRequest } from '../../support/servlet-request.ts';

describe('createCookie()', () => {
  it.each([
    [createCookie('a', ''), 'a='],
    [createCookie('a', '"quoted"'), 'a="quoted"'],
    [
      createCookie('a', '1', {
        expires: new Date(Date.UTC(2026, 9, 21, 7, 28)),
        maxAgeSeconds: 5,
        domain: 'shop.example',
        path: '/a b',
        secure: true,
        httpOnly: true,
        sameSite: 'None',
        partitioned: true,
        extension: 'Priority=High',
      }),
      'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; Domain=shop.example; Path=/a b; Secure; HttpOnly; SameSite=None; Partitioned; Priority=High',
    ],
    [
      createCookie('a', '1', { expires: 'Wed, 21 Oct 2026 07:28:00 GMT' }),
      'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT',
    ],
    [createCookie('__Host-a', '1', { secure: true, path: '/' }), '__Host-a=1; Path=/; Secure'],
    [createCookie('a', '1', { secure: false, httpOnly: false }), 'a=1'],
  ])('createCookie() %#: %s', (cookie, header) => {
    expect(cookie.header).toBe(header);
    expect(cookieHeader(cookie)).toEqual(['Set-Cookie', header]);
  });

  it.each<[string, () => unknown]>([
    ['a name with a blank', () => createCookie('a b', '1')],
    ['no name', () => createCookie('', '1')],
    ['a name with an equals sign', () => createCookie('a=b', '1')],
    ['a value with a semicolon', () => createCookie('a', '1;Secure')],
    ['a value with a blank', () => createCookie('a', '1 2')],
    ['a value with a line break', () => createCookie('a', '1\r\nX: y')],
    ['a value beyond ASCII', () => createCookie('a', 'é')],
    ['a value with one quote', () => createCookie('a', '"1')],
    ['a value that is no text', () => createCookie('a', 1 as never)],
    ['what browsers drop for its size', () => createCookie('a', 'x'.repeat(4096))],
    ['a Max-Age of 0', () => createCookie('a', '1', { maxAgeSeconds: 0 })],
    ['a Max-Age that is not whole', () => createCookie('a', '1', { maxAgeSeconds: 1.5 })],
    ['an invalid date', () => createCookie('a', '1', { expires: new Date(NaN) })],
    ['a date of another form', () => createCookie('a', '1', { expires: '2026-10-21' })],
    ['a date before 1601', () => createCookie('a', '1', { expires: new Date(Date.UTC(1600, 0, 1)) })],
    ['a domain with a semicolon', () => createCookie('a', '1', { domain: 'a;b' })],
    ['an empty domain', () => createCookie('a', '1', { domain: '' })],
    ['a path that browsers ignore', () => createCookie('a', '1', { path: 'x' })],
    ['a path with a semicolon', () => createCookie('a', '1', { path: '/;Domain=b' })],
    ['an extension with a semicolon', () => createCookie('a', '1', { extension: 'a; Domain=b' })],
    ['an unknown SameSite', () => createCookie('a', '1', { sameSite: 'lax' as never })],
    ['SameSite=None without Secure', () => createCookie('a', '1', { sameSite: 'None' })],
    ['Partitioned without Secure', () => createCookie('a', '1', { partitioned: true })],
    ['__Secure- without Secure', () => createCookie('__Secure-a', '1')],
    ['__Host- without a path', () => createCookie('__Host-a', '1', { secure: true })],
    ['__Host- with a domain', () => createCookie('__host-a', '1', { secure: true, path: '/', domain: 'b' })],
  ])('createCookie() refuses %s', (_what, make) => {
    expect(make).toThrow(CookieError);
  });

  it('createCookie() makes what parses again, or an error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 8 }), (name, value) => {
        let header: string;
        try {
          ({ header } = createCookie(name, value));
        } catch (error) {
          return error instanceof CookieError;
        }
        const unquoted = /^"(.*)"$/.exec(value)?.[1] ?? value;
        expect(parseCookies([header])).toEqual([[name, unquoted]]);
        return true;
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseCookies()', () => {
  it.each<[string[], [string, string][]]>([
    [
      ['a=1', 'b=2; a=3'],
      [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
    ],
    [
      ['a="x"; b=""'],
      [
        ['a', 'x'],
        ['b', ''],
      ],
    ],
    [['a=b c; d=e'], [['d', 'e']]],
    [['a'], [['a', '']]],
    [
      ['$Version=1; a=b; $Path="/x"'],
      [
        ['$Version', '1'],
        ['a', 'b'],
        ['$Path', '/x'],
      ],
    ],
    [['a=1,b=2; c=3'], [['c', '3']]],
    [
      [' a = 1 ;\tb=2;;'],
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [['=1; ==; a=='], [['a', '=']]],
    [['a="; b="x; c=x"'], []],
    [['a=\u00a01; A=2'], [['A', '2']]],
    [[''], []],
  ])('parseCookies() reads %j', (headers, pairs) => {
    expect(parseCookies(headers)).toEqual(pairs);
  });

  it('parseCookies() answers whatever came, with valid pairs alone, in time that grows with its length', () => {
    const junk = fc.array(
      fc.oneof(fc.constantFrom(';', '=', '"', ' ', '\t', ',', '\\', 'a', '1'), fc.string({ unit: 'binary' })),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(
        fc.array(
          junk.map((parts) => parts.join('')),
          { maxLength: 4 },
        ),
        (headers) => {
          for (const [name, value] of parseCookies(headers))
            expect(createCookie(name, value).header).toBe(`${name}=${value}`);
        },
      ),
      { numRuns: 3000 },
    );
    const start = performance.now();
    for (const text of ['a=b;', '=', ';', ' ', '"', 'a=" ']) parseCookies([text.repeat(65_536 / text.length)]);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('ServletRequest.cookies', () => {
  it('cookies of all headers come in order, with repeats', () => {
    const { cookies } = servletRequest('/', { headers: ['Cookie', 'a=1', 'X-Other', 'a=0', 'cookie', 'b=2; a=3'] });
    expect([...cookies]).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]);
    expect([
      cookies.size,
      cookies.get('a'),
      cookies.getAll('a'),
      cookies.has('b'),
      cookies.has('B'),
      cookies.get('c'),
    ]).toEqual([3, '1', ['1', '3'], true, false, undefined]);
  });
});

describe('setCookie()', () => {
  const [one, two] = [createCookie('a', '1'), createCookie('b', '2', { httpOnly: true })] as const;

  it.each<[string, unknown]>([
    ['a text', 'page'],
    ['a fragment', html`page`],
    ['a reply', { body: 'page' }],
  ])('setCookie() on %s adds a line for each cookie', async (_what, page) => {
    const reply = await toReply(setCookie(page as string, one, two), 'test');
    expect(reply).toMatchObject({ status: 200, body: 'page' });
    expect(reply.headerLines).toBe(
      'Content-Type: text/html; charset=utf-8\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; HttpOnly\r\n',
    );
  });

  it.each<[string, unknown, unknown, string]>([
    ['no page', null, one, 'SERVLET_RESPONSE_TYPE'],
    ['a page that was not returned', undefined, one, 'SERVLET_RESPONSE_TYPE'],
    ['a page that was not made', () => 'page', one, 'SERVLET_RESPONSE_TYPE'],
    ['a page that was not awaited', Promise.resolve('page'), one, 'SERVLET_RESPONSE_TYPE'],
    ['a number', 5, one, 'SERVLET_RESPONSE_TYPE'],
    ['data', { name: 'x' }, one, 'SERVLET_RESPONSE_TYPE'],
    ['the text of a cookie', 'page', 'a=1', 'SERVLET_COOKIE'],
    ['no cookie', 'page', null, 'SERVLET_COOKIE'],
    ['a list of cookies', 'page', [one], 'SERVLET_COOKIE'],
    ['the text of a cookie beside a Response', new Response(), 'a=1', 'SERVLET_COOKIE'],
  ])('setCookie() throws a TypeError for %s', (_what, page, cookie, code) => {
    expect(() => setCookie(page as string, cookie as typeof one)).toThrow(TypeError);
    expect(() => setCookie(page as string, cookie as typeof one)).toThrow(expect.objectContaining({ code }));
  });

  it('setCookie() keeps status and headers, of a plain reply and of a Response', async () => {
    const plain = setCookie({ status: 303, headers: { Location: '/', 'Set-Cookie': 'z=0' } }, one);
    expect(await toReply(plain, 'test')).toMatchObject({
      status: 303,
      headerLines: 'Location: /\r\nSet-Cookie: z=0\r\nSet-Cookie: a=1\r\n',
    });
    const response = setCookie(new Response('page', { status: 201, headers: { 'X-A': '1' } }), one, two);
    expect([
      response.status,
      response.headers.get('x-a'),
      response.headers.getSetCookie(),
      await response.text(),
    ]).toEqual([201, '1', ['a=1', 'b=2; HttpOnly'], 'page']);
  });
});
