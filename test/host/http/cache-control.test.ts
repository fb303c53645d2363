import { describe, expect, it } from 'vitest';
import { cacheControl } from '../../../packages/host/src/http/cache-control.ts';

describe('cacheControl()', () => {
  it('cacheControl() has every directive in one value, in the order of the alphabet', () => {
    const value = cacheControl({
      staleWhileRevalidate: 5,
      staleIfError: 4,
      sMaxage: 3,
      public: true,
      proxyRevalidate: true,
      private: true,
      noTransform: true,
      noStore: true,
      noCache: true,
      mustUnderstand: true,
      mustRevalidate: true,
      maxAge: 2,
      immutable: true,
    });
    const directives = value?.split(', ') ?? [];
    expect(directives).toEqual([...directives].sort());
    expect(directives).toHaveLength(13);
    expect(value).toContain('max-age=2, must-revalidate');
    expect(value).toContain('s-maxage=3, stale-if-error=4, stale-while-revalidate=5');
  });

  it('cacheControl() of nothing is none', () => {
    expect(cacheControl({})).toBeNull();
    expect(cacheControl({ noStore: false })).toBeNull();
    expect(cacheControl({ maxAge: 0 })).toBe('max-age=0');
  });

  it.each([{ maxAge: -1 }, { maxAge: 1.5 }, { maxAge: true }, { noStore: 1 }, { maxage: 1 }, { public: 'yes' }])(
    'cacheControl(%j) is a TypeError',
    (options) => expect(() => cacheControl(options as never)).toThrow(TypeError),
  );
});
