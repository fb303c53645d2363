import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseParameterized, partNames } from '../../packages/host/src/upload/parameters.ts';

describe('parseParameterized()', () => {
  it.each([
    ['multipart/form-data; boundary=abc', 'multipart/form-data', { boundary: 'abc' }],
    ['Multipart/Form-Data;BOUNDARY="a b;c"', 'multipart/form-data', { boundary: 'a b;c' }],
    [' text/plain ', 'text/plain', {}],
    ['text/plain;', 'text/plain', {}],
    ['text/plain; ; charset = utf-8 ;', 'text/plain', { charset: 'utf-8' }],
    ['x; a="C:\\dir\\\\n\\"m.txt"', 'x', { a: 'C:\\dir\\n"m.txt' }],
    ['x; a=1; A=2', 'x', { a: '1' }],
    ['x; a=""', 'x', { a: '' }],
    ['x; a=', 'x', { a: '' }],
  ])('parseParameterized() of %s', (header, value, parameters) => {
    expect(parseParameterized(header)).toEqual({ value, parameters: new Map(Object.entries(parameters)) });
  });

  it.each(['', ';', ' ; a=1', 'x; a="1', 'x; a', 'x; =1', 'x y', '"x"', 'x; a="1"b'])(
    'parseParameterized() refuses %s',
    (header) => {
      expect(parseParameterized(header)).toBeNull();
    },
  );

  it('parseParameterized() answers to anything at once', () => {
    const text = fc.array(
      fc.oneof(fc.constantFrom(';', '"', '\\', '=', ' ', 'a', '/', '*', "'"), fc.string({ maxLength: 2 })),
    );
    fc.assert(
      fc.property(text, (parts) => {
        const header = parts.join('');
        const startedAt = performance.now();
        parseParameterized(header.repeat(50));
        partNames(`form-data; ${header.repeat(50)}`);
        expect(performance.now() - startedAt).toBeLessThan(1000);
      }),
      { numRuns: 500 },
    );
  });
});

describe('partNames()', () => {
  it.each([
    ['form-data; name="a"', 'a', null],
    ['form-data; name=a', 'a', null],
    ['FORM-DATA; NAME="a"; FILENAME="b"', 'a', 'b'],
    ['form-data; name=""; filename=""', '', ''],
    ['form-data; name="q%22%0D%0Ax%25"; filename="%22.txt"', 'q"\r\nx%25', '".txt'],
    ['form-data; name="\xc3\xa9"; filename="\xc3\xbc.txt"', 'é', 'ü.txt'],
    ['form-data; name="a"; filename="C:\\fakepath\\x.txt"', 'a', 'x.txt'],
    ['form-data; name="a"; filename="../../etc/passwd"', 'a', 'passwd'],
    ['form-data; name="a"; filename=".."', 'a', ''],
    ['form-data; name="a"; filename="x\0.txt"', 'a', 'x.txt'],
    ['form-data; name="a"; filename=".\0."', 'a', ''],
    ['form-data; name="a"; filename*=UTF-8\'\'.%00.', 'a', ''],
    ['form-data; name="a"; filename="x"; filename*=UTF-8\'\'na%C3%AFve.txt', 'a', 'naïve.txt'],
    ['form-data; name="a"; filename="x"; filename*=UTF-8\'\'%2e%2e%2fy', 'a', 'y'],
    ['form-data; name="a"; filename="x"; filename*=UTF-8\'\'%ff', 'a', 'x'],
  ])('partNames() of %s', (header, name, filename) => {
    expect(partNames(header)).toEqual({ name, filename });
  });

  it.each(['', 'form-data', 'form-data; filename="x"', 'attachment; name="a"', 'form-data; name="a'])(
    'partNames() refuses %s',
    (header) => {
      expect(partNames(header)).toBeNull();
    },
  );
});
