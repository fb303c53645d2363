import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ESCAPE } from './escape.ts';
import { FLOOD } from './flood.ts';
import { HEAP } from './heap.ts';
import { OFF_HEAP } from './off-heap.ts';
import { PERSISTENCE } from './persistence.ts';
import { PROTOCOL } from './protocol.ts';
import { TIME } from './time.ts';

const ALL = [HEAP, OFF_HEAP, TIME, FLOOD, PERSISTENCE, ESCAPE, PROTOCOL].flat();
const SECURITY = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8');
/** J1 is a test of the jail itself. */
const ELSEWHERE = new Set(['J1']);

/** `E5` and all from `E1` to `E3` where it says `E1-E3`. */
function numbersIn(text: string): string[] {
  return [...text.matchAll(/\b([A-Z])(\d+)(?:-\1(\d+))?\b/g)].flatMap(([, letter, first, last]) =>
    Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, at) => `${letter}${Number(first) + at}`),
  );
}

test('attacks have a number and a name of their own each', () => {
  expect(new Set(ALL.map(({ number }) => number)).size).toBe(ALL.length);
  expect(new Set(ALL.map(({ number, name }) => `${number[0]} ${name}`)).size).toBe(ALL.length);
});

test('SECURITY.md names every attack that gets something, by its number, and none that there is not', () => {
  const named = new Set(numbersIn(SECURITY));
  expect(ALL.filter(({ isOpen, number }) => isOpen === true && !named.has(number))).toEqual([]);
  const known = new Set(ALL.map(({ number }) => number));
  const families = new Set(ALL.map(({ number }) => number[0]));
  const unknown = [...named].filter(
    (number) => families.has(number[0]) && !known.has(number) && !ELSEWHERE.has(number),
  );
  expect(unknown).toEqual([]);
});
