import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHeaderLines } from '@custodian/protocol';
import { headerLines, HeaderError } from '../../../packages/worker/src/http/reply-head.ts';

describe('headerLines()', () => {
  it('headerLines() writes objects, lists, pairs, Map and Headers', () => {
    const expected = 'X-A: 1\r\nX-B: 2\r\nX-B: 3\r\n';
    expect(headerLines({ 'X-A': 1, 'X-B': ['2', 3] }).lines).toBe(expected);
    expect(
      headerLines([
        ['X-A', '1'],
        ['X-B', '2'],
        ['X-B', '3'],
      ]).lines,
    ).toBe(expected);
    expect(
      headerLines(
        new Map([
          ['X-A', ['1']],
          ['X-B', ['2', '3']],
        ]),
      ).lines,
    ).toBe(expected);
    expect(
      headerLines(
        new Headers([
          ['Set-Cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ]),
      ).lines,
    ).toBe('set-cookie: a=1\r\nset-cookie: b=2\r\n');
    expect(headerLines(undefined)).toEqual({ lines: '', contentLength: -1, hasContentType: false });
  });

  it('headerLines() keeps the lines of the connection and the framing back, and remembers the length', () => {
    const headers = {
      Connection: 'upgrade',
      'Content-LENGTH': '12',
      'transfer-encoding': 'chunked',
      'Keep-Alive': 'x',
      Upgrade: 'x',
      TE: 'x',
      Trailer: 'x',
      'content-type': 'a/b',
    };
    expect(headerLines(headers)).toEqual({ lines: 'content-type: a/b\r\n', contentLength: 12, hasContentType: true });
  });

  it.each([
    [{ 'X A': '1' }],
    [{ '': '1' }],
    [{ 'X:': '1' }],
    [{ 'X-\u00e9': '1' }],
    [{ 'X-A': '1\r\nSet-Cookie: a=1' }],
    [{ 'X-A': 'a\nb' }],
    [{ 'X-A': '\0' }],
    [{ 'X-A': 'žluť' }],
    [{ 'X-A': true }],
    [{ 'X-A': null }],
    [{ 'Content-Length': '1e3' }],
    [{ 'Content-Length': '-1' }],
    [{ 'X-A': 'x'.repeat(70_000) }],
    ['X-A: 1'],
    [[['X-A']]],
    [[['X-A', '1', '2']]],
    [7],
  ])('headerLines() refuses %j', (headers) => {
    expect(() => headerLines(headers as never)).toThrow(HeaderError);
  });

  it('headerLines() gives what the acceptor takes, or throws', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('te', 'Upgrade', 'X-A', 'a\r\nb: c', '\xe9'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const lines = valueOrError(() => headerLines(pairs).lines);
        expect(
          lines instanceof HeaderError || valueOrError(() => checkHeaderLines(lines as string)) === undefined,
        ).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

function valueOrError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
