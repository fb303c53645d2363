import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkConditions, isRangeFresh } from '../../../packages/host/src/http/conditions.ts';
import type { Exchange } from '../../../packages/host/src/http/exchange.ts';

const MODIFIED = Date.UTC(2026, 0, 2);
const EARLIER = 'Thu, 01 Jan 2026 00:00:00 GMT';
const THEN = 'Fri, 02 Jan 2026 00:00:00 GMT';
const LATER = 'Sat, 03 Jan 2026 00:00:00 GMT';
const NOW = Date.UTC(2026, 1, 1);

/** What the two look at of an exchange. */
const asking = (headers: Readonly<Record<string, string>>): Exchange =>
  ({ headers: (name: string) => headers[name] }) as unknown as Exchange;
const strong = { etag: '"a"', lastModifiedMs: MODIFIED };
const weak = { etag: 'W/"a"', lastModifiedMs: MODIFIED };

describe('checkConditions(), in the order of RFC 9110 §13.2.2', () => {
  it.each<[Record<string, string>, string]>([
    [{}, 'go'],
    [{ 'if-match': '"a"' }, 'go'],
    [{ 'if-match': '"b", "a"' }, 'go'],
    [{ 'if-match': '*' }, 'go'],
    [{ 'if-match': '"b"' }, 'failed'],
    [{ 'if-match': 'W/"a"' }, 'failed'],
    [{ 'if-match': 'a' }, 'failed'],
    [{ 'if-unmodified-since': THEN }, 'go'],
    [{ 'if-unmodified-since': LATER }, 'go'],
    [{ 'if-unmodified-since': EARLIER }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'go'],
    [{ 'if-none-match': '"a"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"a"' }, 'not-modified'],
    [{ 'if-none-match': '"x,y" , "a"' }, 'not-modified'],
    [{ 'if-none-match': ', ,"a"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"b"' }, 'go'],
    [{ 'if-none-match': 'junk "a"' }, 'go'],
    [{ 'if-modified-since': THEN }, 'not-modified'],
    [{ 'if-modified-since': LATER }, 'not-modified'],
    [{ 'if-modified-since': EARLIER }, 'go'],
    [{ 'if-modified-since': 'yesterday' }, 'go'],
    // The tag goes before the date.
    [{ 'if-match': '"a"', 'if-unmodified-since': EARLIER }, 'go'],
    [{ 'if-none-match': '"b"', 'if-modified-since': LATER }, 'go'],
    // What must be so goes before what may be known.
    [{ 'if-match': '"b"', 'if-none-match': '"a"' }, 'failed'],
    [{ 'if-unmodified-since': EARLIER, 'if-none-match': '"a"' }, 'failed'],
    [{ 'if-match': '"a"', 'if-none-match': '"a"' }, 'not-modified'],
    [{ 'if-match': '"a"', 'if-modified-since': LATER }, 'not-modified'],
  ])('%j is %s', (headers, verdict) => expect(checkConditions(asking(headers), strong)).toBe(verdict));

  it('checkConditions() compares a weak tag weakly for If-None-Match, and never for If-Match', () => {
    expect(checkConditions(asking({ 'if-none-match': '"a"' }), weak)).toBe('not-modified');
    expect(checkConditions(asking({ 'if-match': 'W/"a"' }), weak)).toBe('failed');
    expect(checkConditions(asking({ 'if-match': '*' }), weak)).toBe('go');
  });

  it('checkConditions() of a file without a tag', () => {
    const none = { etag: null, lastModifiedMs: MODIFIED };
    expect(checkConditions(asking({ 'if-none-match': '"a"' }), none)).toBe('go');
    expect(checkConditions(asking({ 'if-none-match': '*' }), none)).toBe('not-modified');
    expect(checkConditions(asking({ 'if-match': '"a"' }), none)).toBe('failed');
  });

  it('checkConditions() comes back from whatever is sent', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.array(fc.constantFrom('"', 'W/', ',', ' ', 'a', '*', '\t'), { maxLength: 20 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(value, (text) => {
        expect(['go', 'not-modified']).toContain(checkConditions(asking({ 'if-none-match': text }), strong));
        expect(['go', 'failed']).toContain(checkConditions(asking({ 'if-match': text }), strong));
      }),
    );
    const begun = performance.now();
    for (const text of [' '.repeat(8000), ','.repeat(8000), '"'.repeat(8000), `${' '.repeat(8000)}x`])
      checkConditions(asking({ 'if-none-match': text }), strong);
    expect(performance.now() - begun).toBeLessThan(100);
  });
});

describe('isRangeFresh()', () => {
  it.each([
    [undefined, strong, true],
    ['"a"', strong, true],
    ['"b"', strong, false],
    ['W/"a"', strong, false],
    ['W/"a"', weak, false],
    ['"a"', weak, false],
    [THEN, strong, true],
    [EARLIER, strong, false],
    // Not "no newer than", but the very same.
    [LATER, strong, false],
    ['junk', strong, false],
  ])('with If-Range: %s', (value, validators, isFresh) => {
    expect(isRangeFresh(asking(value === undefined ? {} : { 'if-range': value }), validators, NOW)).toBe(isFresh);
  });

  it('isRangeFresh() does not trust the date of a file that has just changed', () => {
    expect(isRangeFresh(asking({ 'if-range': THEN }), strong, MODIFIED + 500)).toBe(false);
  });
});
