import { describe, expect, test } from 'vitest';
import { placeInStack } from '../../packages/worker/src/continuation/stack-place.ts';

describe('placeInStack()', () => {
  test.each([
    ['    at f (/srv/shop.ts:3:9)', '/srv/shop.ts'],
    ['    at async f$1 (/srv/My Söps (1)/shop.ts:3:9)', '/srv/My Söps (1)/shop.ts'],
    ['    at Module.f (file:///srv/My%20S%C3%B6ps%20(1)/shop.ts:3:9)', '/srv/My Söps (1)/shop.ts'],
    ['    at async file:///srv/a%25b.ts:3:9', '/srv/a%b.ts'],
    ['    at /srv/My (1)/shop.ts:3:9', '/srv/My (1)/shop.ts'],
    ['    at new Shop [as x] (/srv/shop.ts:3:9)', '/srv/shop.ts'],
    ['f (/srv/My Shop/shop.ts:3:9)', '/srv/My Shop/shop.ts'],
  ])('reads %s', (line, file) => {
    expect(placeInStack(line)).toEqual({ file, line: 3, column: 9 });
  });

  test.each([
    '    at async Promise.all (index 0)',
    '    at Array.map (<anonymous>)',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)',
    '    at eval (eval at f (/srv/shop.ts:1:1), <anonymous>:3:9)',
    '    at call (data:text/javascript,export const call = 1:3:9)',
    'Error: in /srv/shop.ts',
  ])('finds no file in %s', (line) => expect(placeInStack(line)).toBe(null));
});
