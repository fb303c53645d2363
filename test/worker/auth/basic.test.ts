import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAuthParams } from '../../../packages/worker/src/auth/auth-params.ts';
import { basicCredentials, createBasicAuthHeader } from '../../../packages/worker/src/auth/basic.ts';
import { isSameText } from '../../../packages/worker/src/index.ts';
import { servletRequest } from '../../support/servlet-request.ts';

const base64 = (text: string, encoding: BufferEncoding = 'utf8'): string =>
  Buffer.from(text, encoding).toString('base64');
const credentials = (authorization: string) =>
  basicCredentials(servletRequest('/', { headers: ['Authorization', authorization] }));

describe('basicCredentials()', () => {
  it.each([
    [`Basic ${base64('user:p:q')}`, 'user', 'p:q'],
    [`basic ${base64('u:')}`, 'u', ''],
    [`BASIC   ${base64(':')}`, '', ''],
    [`Basic ${base64('Jürgen:€')}`, 'Jürgen', '€'],
    [`Basic ${base64('Jürgen:x', 'latin1')}`, 'Jürgen', 'x'],
    [`Basic ${base64('ab:c').replace(/=+$/, '')}`, 'ab', 'c'],
  ])('basicCredentials() reads %j', (authorization, user, password) => {
    expect(credentials(authorization)).toEqual({ user, password });
  });

  it.each([
    '',
    'Basic',
    'Basic ',
    'Basic !',
    'Basic YQ',
    `Basic ${base64('nocolon')}`,
    `Basicx ${base64('a:b')}`,
    `Digest ${base64('a:b')}`,
    `Basic ${base64('a:b\n')}`,
    `Basic ${base64('a:b')} x`,
    'Basic YTpiY',
  ])('basicCredentials() reads nothing in %j', (authorization) => expect(credentials(authorization)).toBe(null));

  it('basicCredentials() is null without the header', () => expect(basicCredentials(servletRequest('/'))).toBe(null));

  it('basicCredentials() gives back every name and password without controls, and answers to all else', () => {
    const text = fc.string({ unit: 'binary' }).map((value) => value.replace(/\p{Cc}/gu, ''));
    fc.assert(
      fc.property(
        text.map((value) => value.replaceAll(':', '')),
        text,
        (user, password) => {
          expect(credentials(`Basic ${base64(`${user}:${password}`)}`)).toEqual({ user, password });
        },
      ),
    );
    fc.assert(
      fc.property(fc.string(), (value) => credentials(`Basic ${value}`) === null || BASE64_WITH_COLON.test(value)),
    );
  });
});

const BASE64_WITH_COLON = /^[\w+/]+=*$/;

describe('createBasicAuthHeader()', () => {
  it('createBasicAuthHeader() quotes the realm, and refuses what would split the header', () => {
    expect(createBasicAuthHeader('a "b" \\')).toEqual({
      'WWW-Authenticate': 'Basic realm="a \\"b\\" \\\\", charset="UTF-8"',
    });
    expect(() => createBasicAuthHeader('a\r\nX: y')).toThrow(TypeError);
    expect(() => createBasicAuthHeader('λ')).toThrow(TypeError);
  });
});

describe('isSameText()', () => {
  it('isSameText() compares texts of any length, character for character', () => {
    expect([isSameText('', ''), isSameText('é'.repeat(9), 'é'.repeat(9))]).toEqual([true, true]);
    for (const [one, other] of [
      ['a', 'b'],
      ['a', 'aa'],
      ['', 'a'],
      ['é', 'e\u0301'],
      ['\ud800', '\ufffd'],
    ] as const)
      expect([one, isSameText(one, other)]).toEqual([one, false]);
  });

  it('isSameText() throws for what is no text, in the place of an answer', () => {
    for (const wrong of [undefined, null, 5, {}]) expect(() => isSameText('a', wrong as never)).toThrow(TypeError);
  });
});

describe('parseAuthParams()', () => {
  it.each<[string, Record<string, string> | null]>([
    ['a=b, C="d, \\"e\\\\" , f = g', { a: 'b', c: 'd, "e\\', f: 'g' }],
    ['', {}],
    [' , ,a=1,,', { a: '1' }],
    ['a=""', { a: '' }],
    ['a=1, A=2', null],
    ['a', null],
    ['a=', null],
    ['a="b', null],
    ['a=b c', null],
    ['a="b"c="d"', null],
    ['a=b;c=d', null],
    ['=b', null],
  ])('parseAuthParams() reads %j', (text, params) => {
    const read = parseAuthParams(text);
    expect(read === null ? null : Object.fromEntries(read)).toEqual(params);
  });

  it('parseAuthParams() ends soon whatever it reads', () => {
    const parts = fc.constantFrom('a', '=', '"', ',', ' ', '\\', '\t', 'nc=1', ', ', 'é');
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 40 }), (text) => {
        const read = parseAuthParams(text.join(''));
        expect(read === null || read instanceof Map).toBe(true);
      }),
      { numRuns: 3000 },
    );
    const start = performance.now();
    for (const text of ['a="', '\\"', 'a=b,', ' ', ',', 'a= ', '""'])
      parseAuthParams(text.repeat(65_536 / text.length));
    for (const text of ['\\"', 'x', ' ']) parseAuthParams(`a="${text.repeat(30_000)}`);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
