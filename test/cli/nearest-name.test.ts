import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { didYouMean, nearestName } from '../../packages/host/src/cli/nearest-name.ts';

const NAMES = ['port', 'host', 'open', 'config', 'unit', 'profile', 'warm-cells', 'log'];

describe('nearestName()', () => {
  test.each([
    ['prot', 'port'],
    ['PORT', 'port'],
    ['warmcells', 'warm-cells'],
    ['warmCell', 'warm-cells'],
    ['confg', 'config'],
    ['prof', 'profile'],
  ])('finds what "%s" was meant for', (word, name) => {
    expect(nearestName(word, NAMES)).toBe(name);
  });

  test.each(['zebra', 'xy', '', 'q'])('guesses nothing for "%s"', (word) => {
    expect(nearestName(word, NAMES)).toBeNull();
  });

  test('finds every name by itself, and answers some name or null to any text', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), fc.string(), (name, text) => {
        expect(nearestName(name, NAMES)).toBe(name);
        expect([...NAMES, null]).toContain(nearestName(text, NAMES));
      }),
    );
  });
});

test('didYouMean() is a question or nothing', () => {
  expect(didYouMean('prot', NAMES, '--')).toBe(' (did you mean "--port"?)');
  expect(didYouMean('zebra', NAMES)).toBe('');
});
