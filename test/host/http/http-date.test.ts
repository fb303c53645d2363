import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHttpDate } from '../../../packages/host/src/http/http-date.ts';

const NOW = Date.UTC(2026, 0, 1);

describe('parseHttpDate()', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'parseHttpDate(%j) is the example of RFC 9110',
    (text) => expect(parseHttpDate(text, NOW)).toBe(784_111_777_000),
  );

  it('parseHttpDate() takes a year of two digits for the last one unless it is near', () => {
    expect(parseHttpDate('Friday, 01-Jan-76 00:00:00 GMT', NOW)).toBe(Date.UTC(2076, 0, 1));
    expect(parseHttpDate('Friday, 01-Jan-77 00:00:00 GMT', NOW)).toBe(Date.UTC(1977, 0, 1));
  });

  it.each([
    '',
    '0',
    '2026-01-01',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
  ])('parseHttpDate(%j) is null', (text) => expect(parseHttpDate(text, NOW)).toBeNull());

  it('parseHttpDate() reads what toUTCString() writes', () => {
    const date = fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 0, 1)), noInvalidDate: true });
    fc.assert(
      fc.property(date, (at) => {
        expect(parseHttpDate(at.toUTCString())).toBe(Math.floor(at.getTime() / 1000) * 1000);
      }),
    );
  });
});
