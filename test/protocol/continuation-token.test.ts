import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readToken, withoutToken, withToken } from '../../packages/protocol/src/continuation-token.ts';

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
