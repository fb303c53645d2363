import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  createArg,
  dispatchRules,
  integerArg,
  nextDispatcher,
  NextDispatcherError,
  numberArg,
  oneOfArg,
  otherwise,
  restArg,
  rule,
  type ServletRequest,
  stringArg,
} from '../../../packages/worker/src/index.ts';
import { DispatchUrlError } from '../../../packages/worker/src/dispatch/pattern.ts';
import { servletRequest } from '../../support/servlet-request.ts';

const listPosts = (): string => 'list';
const reviewPost = (_request: ServletRequest, title: string): [string] => [title];
const reviewArchive = (_request: ServletRequest, year: number, month: number): [number, number] => [year, month];
const savePost = (_request: ServletRequest, title: string): string => `saved ${title}`;

const blog = dispatchRules(
  rule`/`(listPosts),
  rule`/posts/${stringArg}`(reviewPost),
  rule`/archive/${integerArg}/${integerArg}`(reviewArchive),
  rule('POST', 'put')`/posts/${stringArg}`(savePost),
);

const to = (url: string, method = 'GET') => servletRequest(url, { method });

describe('dispatchRules().dispatch', () => {
  it.each<[string, unknown]>([
    ['/', 'list'],
    ['http://blog.example', 'list'],
    ['/?page=2', 'list'],
    ['/posts/a%20b', ['a b']],
    ['/posts/', ['']],
    ['/posts/a%2Fb?x=/', ['a/b']],
    ['/posts;v=1/x;k=r0.1-1.2.3.n?y', ['x']],
    ['/archive/2008/02', [2008, 2]],
    ['/%61rchive/-1/+3', [-1, 3]],
  ])('dispatch() leads %s to its function', (url, result) => {
    expect(blog.dispatch(to(url))).toEqual(result);
    expect(blog.applies(to(url))).toBe(true);
  });

  it.each([
    '/posts',
    '/posts/a/b',
    '//',
    '/archive/x/1',
    '/archive/1',
    '/archive/1.5/1',
    '/archive/9007199254740993/1',
    '/posts/%',
    '/posts/%ff',
    '/Posts/a',
    '*',
  ])('dispatch() leaves %s to others', (url) => {
    expect(() => blog.dispatch(to(url))).toThrow(NextDispatcherError);
    expect(blog.applies(to(url))).toBe(false);
  });

  it('dispatch() looks at the method: GET and HEAD unless a rule names others, in any case', () => {
    expect(blog.dispatch(to('/posts/x', 'HEAD'))).toEqual(['x']);
    expect(blog.dispatch(to('/posts/x', 'get'))).toEqual(['x']);
    expect([blog.dispatch(to('/posts/x', 'POST')), blog.dispatch(to('/posts/x', 'PUT'))]).toEqual([
      'saved x',
      'saved x',
    ]);
    expect(() => blog.dispatch(to('/', 'POST'))).toThrow(NextDispatcherError);
    expect(() => blog.dispatch(to('/posts/x', 'DELETE'))).toThrow(NextDispatcherError);
  });

  it('dispatch() asks otherwise when no rule matches, and the first that does', () => {
    const { dispatch, applies } = dispatchRules(
      rule`/${stringArg}`((_request, name) => name),
      rule`/x`(() => 'never'),
      otherwise((request) => `lost: ${request.method}`),
    );
    expect([dispatch(to('/x')), dispatch(to('/y/z')), dispatch(to('/', 'POST')), applies(to('/%', 'PUT'))]).toEqual([
      'x',
      'lost: GET',
      'lost: POST',
      true,
    ]);
  });

  it('dispatch() passes on what a function leaves to others, and what it returns, as it is', () => {
    const promise = Promise.resolve('later');
    const { dispatch } = dispatchRules(
      rule`/later`(() => promise),
      rule`/next`(() => nextDispatcher()),
    );
    expect(dispatch(to('/later'))).toBe(promise);
    expect(() => dispatch(to('/next'))).toThrow(expect.objectContaining({ code: 'SERVLET_NEXT_DISPATCHER' }));
  });

  it('restArg() takes what is left, perhaps nothing', () => {
    const { dispatch } = dispatchRules(rule`/sum/${restArg(integerArg)}`((_request, numbers) => numbers));
    expect([dispatch(to('/sum/1/2/3')), dispatch(to('/sum'))]).toEqual([[1, 2, 3], []]);
    for (const url of ['/sum/', '/sum/1/x', '/sums', '/']) expect(() => dispatch(to(url))).toThrow(NextDispatcherError);
    const root = dispatchRules(rule`/${restArg(stringArg)}`((_request, names) => names));
    expect([root.dispatch(to('/')), root.dispatch(to('/a/b')), root.dispatch(to('//'))]).toEqual([
      [],
      ['a', 'b'],
      ['', ''],
    ]);
  });
});

describe('dispatchRules().url', () => {
  it('url() leads back to the function', () => {
    expect([
      blog.url(listPosts),
      blog.url(reviewPost, 'a b/c?é'),
      blog.url(reviewArchive, 1984, 11),
      blog.url(reviewPost, ''),
    ]).toEqual(['/', '/posts/a%20b%2Fc%3F%C3%A9', '/archive/1984/11', '/posts/']);
  });

  it.each<[string, () => unknown]>([
    ['a value of another type', () => blog.url(reviewArchive, '1984' as never, 11)],
    ['a number that is not whole', () => blog.url(reviewArchive, 1.5, 11)],
    ['too few values', () => (blog.url as (...values: unknown[]) => string)(reviewArchive, 1984)],
    ['too many values', () => (blog.url as (...values: unknown[]) => string)(listPosts, 1)],
    ['a function of no rule', () => (blog.url as (...values: unknown[]) => string)(() => 'x')],
    ['a segment that browsers resolve', () => blog.url(reviewPost, '..')],
    ['what leads to another site', () => rule`/${stringArg}/${stringArg}`(() => '').url('', 'evil.example')],
    ['a rest that leads to another site', () => rule`/${restArg(stringArg)}`(() => '').url(['', 'evil.example', ''])],
    ['half a surrogate', () => blog.url(reviewPost, '\ud800')],
    ['a rest that is no array', () => rule`/${restArg(stringArg)}`(() => '').url('x' as never)],
    ['a segment that the root does not have', () => rule`/${restArg(stringArg)}`(() => '').url([''])],
    [
      'a value that its own argument would not read',
      () => rule`/${createArg({ in: () => undefined, out: () => 'x' })}`(() => '').url(undefined as never),
    ],
  ])('url() refuses %s', (_what, make) => {
    expect(make).toThrow(DispatchUrlError);
    expect(make).toThrow(/^Cannot make a URL/);
  });

  it('url() tries every rule of a function', () => {
    const show = (_request: ServletRequest, ...values: number[]): number => values.length;
    const { url } = dispatchRules(rule`/one/${integerArg}`(show), rule`/two/${integerArg}/${integerArg}`(show));
    const loose = url as (handler: unknown, ...values: unknown[]) => string;
    expect([loose(show, 1), loose(show, 1, 2)]).toEqual(['/one/1', '/two/1/2']);
    expect(() => loose(show, 1, 2, 3)).toThrow(DispatchUrlError);
  });

  it('dispatch() reads what url() writes, for all values', () => {
    const day = createArg<Date>({
      in: (text) => (/^\d+$/.test(text) ? new Date(Number(text)) : undefined),
      out: (value) => String(value.getTime()),
    });
    const all = (_request: ServletRequest, ...values: unknown[]): unknown[] => values;
    const { dispatch, url } = dispatchRules(
      rule`/a/${integerArg}/b c%/${numberArg}/${stringArg}/${oneOfArg('asc', 'desc')}/${day}/${restArg(stringArg)}`(
        all,
      ),
    );
    const segment = fc
      .string({ unit: 'binary' })
      .filter((text) => text !== '.' && text !== '..' && text.isWellFormed());
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        number,
        segment,
        fc.constantFrom('asc', 'desc'),
        fc.date({ min: new Date(0), noInvalidDate: true }),
        fc.array(segment),
        (...values) => {
          const path = (url as (handler: unknown, ...values: unknown[]) => string)(all, ...values);
          // As a browser would send it.
          const { pathname, search, hash } = new URL(path, 'http://h');
          expect([pathname, search, hash]).toEqual([path, '', '']);
          expect(dispatch(to(path))).toEqual(values.map((value) => (value === 0 ? 0 : value)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('rule', () => {
  it.each<[string, () => unknown]>([
    ['a pattern that is no path', () => rule`posts`],
    ['a pattern with a query', () => rule`/posts?x`],
    ['an argument within a segment', () => rule`/x-${integerArg}`],
    ['an argument with something behind it', () => rule`/${integerArg}.html`],
    ['a rest that is not the last', () => rule`/${restArg(stringArg)}/x`],
    ['an argument that is none', () => rule`/${'x' as never}`],
    ['a handler that is no function', () => rule`/`(undefined as never)],
    [
      'otherwise before the end',
      () =>
        dispatchRules(
          otherwise(() => ''),
          rule`/`(() => ''),
        ),
    ],
    ['what is no rule', () => dispatchRules({} as never)],
  ])('rule refuses %s', (_what, make) => {
    expect(make).toThrow(TypeError);
  });
});

describe('types of dispatchRules()', () => {
  it('a handler’s parameters are those of its pattern', () => {
    rule`/archive/${integerArg}/${stringArg}/${oneOfArg('a', 'b')}/${restArg(numberArg)}`((request, ...values) => {
      expectTypeOf(request).toEqualTypeOf<ServletRequest>();
      expectTypeOf(values).toEqualTypeOf<[number, string, 'a' | 'b', number[]]>();
      return '';
    });
    rule('POST')`/x/${createArg<Date>({ in: () => undefined, out: String })}`((_request, day) => {
      expectTypeOf(day).toEqualTypeOf<Date>();
    });
    // @ts-expect-error: the pattern has a number
    rule`/${integerArg}`((_request: ServletRequest, title: string) => title);
    // @ts-expect-error: the pattern has one value
    rule`/${integerArg}`((_request: ServletRequest, year: number, month: number) => year + month);
    // @ts-expect-error: not an argument
    expect(() => rule`/${5}`).toThrow(TypeError);
  });

  it('url() takes a function of the rules and the values of its pattern', () => {
    expectTypeOf(blog.url<typeof reviewArchive>).parameters.toEqualTypeOf<[typeof reviewArchive, number, number]>();
    expectTypeOf(blog.url<typeof listPosts>).parameters.toEqualTypeOf<[typeof listPosts]>();
    const made = rule`/${stringArg}/${integerArg}`(() => '');
    expectTypeOf<Parameters<(typeof made)['url']>>().toEqualTypeOf<[string, number]>();
    // @ts-expect-error: a title is a text
    expect(() => blog.url(reviewPost, 5)).toThrow(DispatchUrlError);
    // @ts-expect-error: a month is missing
    expect(() => blog.url(reviewArchive, 1984)).toThrow(DispatchUrlError);
    // @ts-expect-error: of no rule
    expect(() => blog.url((x: number) => x)).toThrow(DispatchUrlError);
  });

  it('dispatch() returns what the handlers return', () => {
    expectTypeOf(blog.dispatch).returns.toEqualTypeOf<string | [string] | [number, number]>();
    const { dispatch } = dispatchRules(
      rule`/`(async () => 1),
      otherwise(() => 'x'),
    );
    expectTypeOf(dispatch).returns.toEqualTypeOf<Promise<number> | string>();
  });
});
