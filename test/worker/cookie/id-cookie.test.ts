import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CookieError, type CookieOptions } from '../../../packages/worker/src/cookie/cookie.ts';
import {
  createIdCookie,
  logoutIdCookie,
  requestIdCookie,
  validIdCookie,
} from '../../../packages/worker/src/cookie/id-cookie.ts';
import { servletRequest } from '../../support/servlet-request.ts';

const KEY = 'the first key, of many bytes';
const OTHER = Buffer.alloc(32, 7);

describe('createIdCookie()', () => {
  it('validIdCookie() gives back whatever data was put in, and only to the name, the key and the text that were signed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(), (data, at) => {
        const cookie = createIdCookie('id', data, { key: KEY });
        expect(validIdCookie(cookie, { key: KEY })).toBe(data);
        expect(validIdCookie({ name: 'di', value: cookie.value }, { key: KEY })).toBe(null);
        expect(validIdCookie(cookie, { key: OTHER })).toBe(null);
        const index = at % cookie.value.length;
        const changed = `${cookie.value.slice(0, index)}${cookie.value[index] === 'x' ? 'y' : 'x'}${cookie.value.slice(index + 1)}`;
        expect(validIdCookie({ name: 'id', value: changed }, { key: KEY })).toBe(null);
        expect(validIdCookie({ name: 'id', value: cookie.value.slice(0, index) }, { key: KEY })).toBe(null);
        expect(validIdCookie({ name: 'id', value: `${cookie.value}x` }, { key: KEY })).toBe(null);
      }),
    );
  });

  it('validIdCookie() takes what any key of the ring has signed; the first signs', () => {
    const old = createIdCookie('id', 'ada', { key: OTHER });
    expect(validIdCookie(old, { key: [KEY, OTHER] })).toBe('ada');
    const fresh = createIdCookie('id', 'ada', { key: [KEY, OTHER] });
    expect([validIdCookie(fresh, { key: KEY }), validIdCookie(fresh, { key: OTHER })]).toEqual(['ada', null]);
  });

  it('validIdCookie() takes none that is older than its shelf life', () => {
    const cookie = createIdCookie('id', 'ada', { key: KEY, nowMs: 1_000_000 });
    expect(validIdCookie(cookie, { key: KEY, shelfLifeSeconds: 60, nowMs: 1_060_000 })).toBe('ada');
    expect(validIdCookie(cookie, { key: KEY, shelfLifeSeconds: 60, nowMs: 1_061_000 })).toBe(null);
    expect(validIdCookie(cookie, { key: KEY })).toBe('ada');
    for (const shelfLifeSeconds of [NaN, -1, '60' as never])
      expect(() => validIdCookie(cookie, { key: KEY, shelfLifeSeconds })).toThrow(RangeError);
  });

  it('createIdCookie() is hidden from scripts and from the forms of others, unless told otherwise', () => {
    const { header } = createIdCookie('__Host-id', 'ada', { key: KEY, secure: true, sameSite: 'Strict' });
    expect(header).toMatch(/^__Host-id=[\w-]{43}&\d{10}&ada; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const unsaid = { path: undefined, httpOnly: undefined, sameSite: undefined } as never as CookieOptions;
    expect(createIdCookie('id', 'ada', { key: KEY, ...unsaid }).header).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(logoutIdCookie('id', unsaid).header).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  it('createIdCookie() refuses keys that can be guessed, and data that is no text', () => {
    for (const key of ['', 'short', new Uint8Array(8), []])
      expect(() => createIdCookie('id', 'x', { key })).toThrow(RangeError);
    expect(() => createIdCookie('id', 'x', { key: [KEY, 5 as never] })).toThrow(TypeError);
    expect(() => createIdCookie('id', '\ud800', { key: KEY })).toThrow(CookieError);
    expect(() => validIdCookie({ name: 'id', value: '' }, { key: 'short' })).toThrow(RangeError);
  });

  it('validIdCookie() answers null for arbitrary values', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\w-]{43}&\d{1,16}&.*$/)), (value) => {
        expect(validIdCookie({ name: 'id', value }, { key: KEY })).toBe(null);
      }),
    );
  });
});

describe('requestIdCookie()', () => {
  it('requestIdCookie() finds the first good one of that name', () => {
    const good = createIdCookie('id', 'ada', { key: KEY }).value;
    const later = createIdCookie('id', 'bob', { key: KEY }).value;
    const request = (cookie: string) => servletRequest('/', { headers: ['Cookie', cookie] });
    expect(requestIdCookie(request(`id=forged; id=${good}; id=${later}`), 'id', { key: KEY })).toBe('ada');
    expect(requestIdCookie(request(`other=${good}`), 'id', { key: KEY })).toBe(null);
    expect(requestIdCookie(servletRequest('/'), 'id', { key: KEY })).toBe(null);
  });
});

describe('logoutIdCookie()', () => {
  it('logoutIdCookie() expires in the past and is no good one', () => {
    const cookie = logoutIdCookie('id', { domain: 'shop.example' });
    expect(cookie.header).toBe(
      'id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=shop.example; Path=/; HttpOnly; SameSite=Lax',
    );
    expect(validIdCookie(cookie, { key: KEY })).toBe(null);
  });
});
