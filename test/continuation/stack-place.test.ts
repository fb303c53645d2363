import { describe, expect, test } from 'vitest';
import { authorsCalls, placeInStack, placeOfCall } from '../../packages/worker/src/continuation/stack-place.ts';

describe('placeInStack()', () => {
  test.each([
    ['    at f (/srv/shop.ts:3:9)', '/srv/shop.ts'],
    ['    at async f$1 (/srv/My Söps (1)/shop.ts:3:9)', '/srv/My Söps (1)/shop.ts'],
    ['    at Module.f (file:///srv/My%20S%C3%B6ps%20(1)/shop.ts:3:9)', '/srv/My Söps (1)/shop.ts'],
    ['    at async file:///srv/a%25b.ts:3:9', '/srv/a%b.ts'],
    ['    at /srv/My (1)/shop.ts:3:9', '/srv/My (1)/shop.ts'],
    ['    at new Shop [as x] (/srv/shop.ts:3:9)', '/srv/shop.ts'],
    ['    at f (/srv/My Shop/shop.ts:3:9)', '/srv/My Shop/shop.ts'],
  ])('reads %s', (line, file) => {
    expect(placeInStack(line)).toEqual({ file, line: 3, column: 9 });
    expect(placeOfCall(line.replace('    at ', ''))).toEqual({ file, line: 3, column: 9 });
  });

  test.each([
    '    at async Promise.all (index 0)',
    '    at Array.map (<anonymous>)',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)',
    '    at eval (eval at f (/srv/shop.ts:1:1), <anonymous>:3:9)',
    '    at call (data:text/javascript,export const call = 1:3:9)',
    'Error: in /srv/shop.ts',
    // Lines of a message.
    '/srv/shop.ts:3:9',
    'f (/srv/shop.ts:3:9)',
  ])('finds no file in %s', (line) => expect(placeInStack(line)).toBe(null));
});

describe('authorsCalls()', () => {
  const at = (...calls: string[]): string[] => calls.map((call) => `    at ${call}`);

  test('names a compiled function once, where it was', () => {
    const lines = at(
      'f$1 (/a.ts:3:9)',
      'f (/a.ts:1:1)',
      'f$1 (/a.ts:4:9)',
      'Object.f (/a.ts:1:1)',
      'async g$2 (/a.ts:8:1)',
    );
    expect(authorsCalls(lines)).toEqual(at('f (/a.ts:3:9)', 'f (/a.ts:4:9)', 'async g (/a.ts:8:1)'));
  });

  test('names what has no name by what it is reached by', () => {
    const lines = at(
      'anonymous$2 (/a.ts:3:9)',
      'Shop.#pay (/a.ts:2:1)',
      'anonymous$1 (/a.ts:9:9)',
      '<anonymous> (/a.ts:7:1)',
    );
    expect(authorsCalls(lines)).toEqual(at('Shop.#pay (/a.ts:3:9)', '<anonymous> (/a.ts:9:9)'));
  });

  test('leaves the lines of a message', () => {
    const lines = ['Error: total$1 (/a.ts:1:1)', 'price$5 (incl. tax)', 'price (/a.ts:1:1)', ...at('f (/a.ts:3:9)')];
    expect(authorsCalls(lines)).toEqual(lines);
  });

  test("leaves the author's own function of the name `anonymous`, and lines without a place", () => {
    const lines = at('anonymous (/a.ts:3:9)', 'f (/a.ts:4:9)', 'anonymous (index 0)', 'Array.map (<anonymous>)');
    expect(authorsCalls(lines)).toEqual(lines);
    expect(authorsCalls(at('anonymous$1 (<anonymous>)', 'Array.map (<anonymous>)'))).toEqual(
      at('anonymous (<anonymous>)', 'Array.map (<anonymous>)'),
    );
  });

  test('leaves the calls of others', () => {
    const lines = [
      'Error: f',
      ...at(
        'f (/a.ts:3:9)',
        'f (/a.ts:4:9)',
        'anonymous$1 (/a.ts:5:9)',
        'Array.map (<anonymous>)',
        'g$1 (/a.ts:7:1)',
        'h (/a.ts:8:1)',
      ),
    ];
    expect(authorsCalls(lines)).toEqual([
      'Error: f',
      ...at(
        'f (/a.ts:3:9)',
        'f (/a.ts:4:9)',
        'anonymous (/a.ts:5:9)',
        'Array.map (<anonymous>)',
        'g (/a.ts:7:1)',
        'h (/a.ts:8:1)',
      ),
    ]);
  });
});
