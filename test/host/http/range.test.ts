import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRanges } from '../../../packages/host/src/http/range.ts';

const parse = (header: string, size = 10, maxCount = 100): string | null =>
  parseRanges(header, size, maxCount)
    ?.map(({ start, end }) => `${start}-${end - 1}`)
    .join(' ') ?? null;

describe('parseRanges()', () => {
  it.each([
    ['bytes=0-4', '0-4'],
    ['bytes=5-', '5-9'],
    ['bytes=-3', '7-9'],
    ['bytes=0-100', '0-9'],
    ['bytes=-100', '0-9'],
    ['bytes=9-9', '9-9'],
    ['bytes=0-0,-1', '0-0 9-9'],
    ['bytes=4-5,0-1', '4-5 0-1'],
    ['bytes= 0-1 ,\t3-4 ', '0-1 3-4'],
    ['BYTES=0-1', '0-1'],
    ['bytes=0-1,,3-4,', '0-1 3-4'],
    ['bytes=0-1,50-60', '0-1'],
    ['bytes=0-99999999999999999999999999', '0-9'],
  ])('parseRanges(%j) of ten bytes is %j', (header, ranges) => expect(parse(header)).toBe(ranges));

  it.each(['bytes=10-', 'bytes=100-200', 'bytes=-0', 'bytes=10-20,-0', 'bytes=99999999999999999999999-'])(
    'parseRanges(%j) of ten bytes can not be satisfied',
    (header) => expect(parse(header)).toBe(''),
  );

  it.each([
    'junk',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=0-1,x',
    'bytes=0--1',
    'bytes=1.5-2',
    'bytes=+1-2',
    'bytes=0x1-2',
    'items=0-1',
    'bytes=0-1,5-2',
  ])('parseRanges(%j) is to be ignored', (header) => expect(parse(header)).toBeNull());

  it('parseRanges() of an empty file: the last bytes are the whole, no first byte is there', () => {
    expect(parse('bytes=-5', 0)).toBeNull();
    expect(parse('bytes=0-', 0)).toBe('');
    expect(parse('bytes=0-0', 0)).toBe('');
  });

  it('parseRanges() ignores a header that asks for too many parts', () => {
    expect(parse('bytes=0-0,2-2,4-4', 10, 3)).toBe('0-0 2-2 4-4');
    expect(parse('bytes=0-0,2-2,4-4,6-6', 10, 3)).toBeNull();
  });

  it('parseRanges() makes one of parts that overlap to more than the file', () => {
    expect(parse('bytes=0-,0-,0-')).toBe('0-9');
    expect(parse('bytes=0-5,3-8,2-2,9-9')).toBe('0-9');
    expect(parse('bytes=0-4,2-6')).toBe('0-4 2-6');
  });

  it('parseRanges() never sends more than the file, nor from outside of it, whatever is asked', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => `${a}-${b}`),
      fc.nat(30).map((a) => `${a}-`),
      fc.nat(30).map((a) => `-${a}`),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 20 }), fc.nat(25), (specs, size) => {
        const ranges = parseRanges(`bytes=${specs.join(',')}`, size, 15) ?? [];
        for (const { start, end } of ranges) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(size);
        }
        expect(ranges.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThanOrEqual(size);
      }),
      { numRuns: 500 },
    );
  });

  it('parseRanges() takes arbitrary headers of 8 KB in no time', () => {
    for (const header of [
      `bytes=${' '.repeat(8000)}x`,
      `bytes=${','.repeat(8000)}`,
      `bytes=${'0-0,'.repeat(2000)}`,
      `bytes${'\t'.repeat(8000)}`,
      `bytes=${'9'.repeat(8000)}-`,
    ]) {
      const begun = performance.now();
      parseRanges(header, 1000, 100);
      expect(performance.now() - begun).toBeLessThan(50);
    }
  });
});
