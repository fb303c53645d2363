import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePath, pathElements, queryOf } from '../../../packages/host/src/http/request-path.ts';

describe('pathElements()', () => {
  it.each([
    ['/', []],
    ['', []],
    ['//', []],
    ['/a', ['a']],
    ['/a/', ['a', '']],
    ['//a///b', ['a', 'b']],
    ['/a%20b/%C3%A9?x=/y/../z#/..', ['a b', 'é']],
    ['/sum;k=r0.1-1.1.1.x', ['sum']],
    ['/a;x=1/b;y', ['a', 'b']],
    ['/a%3Bb', ['a;b']],
    ['http://example.org/a', ['a']],
    ['HTTPS://example.org', []],
    ['http://example.org?x', []],
    ['/...', ['...']],
    ['/a+b', ['a+b']],
  ])('pathElements(%j) is %j', (target, elements) => {
    expect(pathElements(target)).toEqual(elements);
  });

  it.each([
    '/.',
    '/./b',
    '/a/%2E/b',
    '/.;x/b',
    '/..',
    '/a/../b',
    '/%2e%2e/b',
    '/.%2E/b',
    '/..;x/b',
    '/%2e%2e;x',
    '/a%2Fb',
    '/a%5Cb',
    '/a\\..\\b',
    '/a%00b',
    '/%zz',
    '/%',
    '/%C3',
    '/%c0%ae%c0%ae/x',
    '/%ff',
  ])('pathElements(%j) names nothing', (target) => {
    expect(pathElements(target)).toBeNull();
  });

  it('pathElements() lets no element through that leads elsewhere, whatever comes', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '%2e', '%2E', '%2f', '%5c', '\\', '%00', ';', '/', '%25', '%252e', '?', '#', 'a'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const elements = pathElements(`/${pieces.join('')}`);
        if (elements === null) return;
        for (const element of elements) {
          expect(element).not.toMatch(/^\.\.?$/);
          expect(element).not.toMatch(/[/\\\0]/);
        }
        expect(elements.slice(0, -1)).not.toContain('');
        const again = encodePath(elements);
        expect(again).toMatch(/^\/(?!\/)/);
        expect(pathElements(again)).toEqual(elements);
      }),
      { numRuns: 500 },
    );
  });
});

describe('queryOf()', () => {
  it.each([
    ['/a', ''],
    ['/a?', '?'],
    ['/a?b=?c', '?b=?c'],
  ])('queryOf(%j) is %j', (target, query) => expect(queryOf(target)).toBe(query));
});
