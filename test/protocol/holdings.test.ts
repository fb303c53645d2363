import { CONTINUATIONS_TOLD, type Holdings, INSTANCES_TOLD, readHoldings, writeHoldings } from '@custodian/protocol';
import { describe, expect, test } from 'vitest';

const HOLDINGS: Holdings = {
  instances: 7,
  newest: [
    { number: 9, continuations: 2, bytes: 700, ageMs: 4000, newest: [{ number: 3, bytes: 300, ageMs: 1000 }] },
    { number: 8, continuations: 0, bytes: 0, ageMs: 60_000, newest: [] },
  ],
};

describe('readHoldings()', () => {
  test('reads what writeHoldings() wrote', () => {
    expect(readHoldings(writeHoldings(HOLDINGS))).toEqual(HOLDINGS);
    expect(readHoldings(writeHoldings({ instances: 0, newest: [] }))).toEqual({ instances: 0, newest: [] });
  });

  test('takes no payload that is cut short, too long or beyond what is ever told', () => {
    const whole = writeHoldings(HOLDINGS);
    for (let length = 0; length < whole.length; length++)
      expect(() => readHoldings(whole.subarray(0, length))).toThrow('Cannot read what a thread holds');
    expect(() => readHoldings(Buffer.concat([whole, Buffer.alloc(4)]))).toThrow('more than it says');
    const many = { number: 1, continuations: 1, bytes: 1, ageMs: 0, newest: [] };
    expect(() => readHoldings(writeHoldings({ instances: 1, newest: Array(INSTANCES_TOLD + 1).fill(many) }))).toThrow(
      `${INSTANCES_TOLD} may be`,
    );
    const deep = { ...many, newest: Array(CONTINUATIONS_TOLD + 1).fill({ number: 1, bytes: 1, ageMs: 0 }) };
    expect(() => readHoldings(writeHoldings({ instances: 1, newest: [deep] }))).toThrow(`${CONTINUATIONS_TOLD} may be`);
  });
});
