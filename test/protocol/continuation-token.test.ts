import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  readNear,
  readPayload,
  readToken,
  withoutPayload,
  withoutToken,
  withPayload,
  withToken,
} from '../../packages/protocol/src/continuation-token.ts';

const token = fc.record({
  place: fc.tuple(fc.nat(99), fc.nat(9999), fc.nat(32)).map(([replica, cell, lease]) => `r${replica}.${cell}-${lease}`),
  instance: fc.integer({ min: 1, max: 999_999_999 }),
  continuation: fc.integer({ min: 1, max: 999_999_999 }),
  nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
});
const path = fc.constantFrom('/', '/s', '/a/b', '/a/', '/s;z=1', '/s;z=1/b', '/s;kind=2', '/a%20b;k2=x');

describe('continuation tokens', () => {
  test('what withToken() writes, readToken() reads and withoutToken() takes away', () => {
    fc.assert(
      fc.property(path, token, fc.constantFrom('', '?k=1', '?x=;k=2'), (base, written, query) => {
        const url = withToken(base, written) + query;
        expect(readToken(url)).toEqual(written);
        expect(withoutToken(url)).toBe(base);
      }),
    );
  });

  test('readToken() never throws, and reads nothing of junk or a query', () => {
    fc.assert(
      fc.property(fc.string(), (junk) => {
        expect(() => readToken(`/s;k=${junk}`)).not.toThrow();
        expect(readToken(`/s?;k=r0.1-1.1.1.${'A'.repeat(22)}${junk}`)).toBeNull();
      }),
    );
  });
});

describe('a stateless page’s payload', () => {
  const path = fc.stringMatching(/^\/[\w./-]{0,20}$/);
  const payload = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  const place = fc.stringMatching(/^\w{1,8}\.[\w-]{1,12}$/);

  test('readPayload() and readNear() read what withPayload() wrote, and withoutPayload() takes both away', () => {
    fc.assert(
      fc.property(
        path,
        payload,
        fc.option(place),
        fc.stringMatching(/^(\?[\w=&;]{0,10})?$/),
        (base, bytes, near, query) => {
          const target = withPayload(base, bytes, near) + query;
          expect(target).toMatch(/^[\x21-\x7e]+$/);
          expect([readPayload(target), readNear(target), withoutPayload(target)]).toEqual([bytes, near, base]);
        },
      ),
    );
  });

  test('readPayload() answers any target with a payload that can be written there, or with nothing', () => {
    const junk = fc.oneof(
      fc.string(),
      fc.string().map((text) => `/a;c=${text}`),
      fc.tuple(fc.string(), fc.string()).map(([left, right]) => `/a;c=${left};c=${right}/;c=`),
      fc.stringMatching(/^\/a;c=[%0-9A-Za-z]{0,12}$/),
    );
    fc.assert(
      fc.property(junk, (target) => {
        const found = readPayload(target);
        expect(found === null || readPayload(withPayload('/', found)) === found).toBe(true);
        expect(found === null || /^[^]+$/.test(found)).toBe(true);
        expect(readPayload(withoutPayload(target))).toBeNull();
        expect(readNear(withoutPayload(target))).toBeNull();
      }),
      { numRuns: 5000 },
    );
  });

  test('a payload in the query or the fragment is none', () => {
    for (const target of ['/a?;c=0x', '/a#;c=0x', '/a?b=/;c=0x;at=r0.1-1']) {
      expect([readPayload(target), readNear(target)]).toEqual([null, null]);
    }
  });

  test('a stateful token and a payload do not stand in each other’s way', () => {
    const token = { place: 'r0.1-2', instance: 3, continuation: 4, nonce: 'n'.repeat(22) };
    const both = withPayload(withToken('/a', token), '0x');
    expect([readToken(both), readPayload(both)]).toEqual([token, '0x']);
    expect(withoutToken(withoutPayload(both))).toBe('/a');
  });
});
