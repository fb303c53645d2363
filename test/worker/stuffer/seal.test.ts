import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PLAIN_MAX_BYTES } from '../../../packages/worker/src/stuffer/compress.ts';
import { Seal, SealError, type SealKey, StateTooLargeError } from '../../../packages/worker/src/stuffer/seal.ts';

const DAY_MS = 86_400_000;
const key = (id: number): SealKey => ({ id, secret: randomBytes(64) });
const KEY = key(7);
const NOW = 1_800_000_000_000;
const sealOf = (more: Partial<ConstructorParameters<typeof Seal>[0]> = {}): Seal =>
  new Seal({ keys: [KEY], servlet: 'sum2', lifetimeMs: DAY_MS, now: () => NOW, ...more });
const state = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ maxLength: 2000 }).map((each) => Uint8Array.from(Buffer.from(each.repeat(3)))),
);
const equal = (left: Uint8Array, right: Uint8Array): boolean => Buffer.from(left).equals(Buffer.from(right));

describe('Seal', () => {
  test('opens what it has sealed, for whom it was sealed', () => {
    fc.assert(
      fc.property(state, fc.option(fc.string()), (bytes, binding) => {
        const seal = sealOf();
        expect(equal(seal.open(seal.seal(bytes, binding), binding), bytes)).toBe(true);
      }),
    );
  });

  test('adds 35 bytes to a small state, and makes less of a large one', () => {
    expect(sealOf().seal(randomBytes(60), null).length).toBe(95);
    expect(sealOf().seal(Buffer.alloc(6000, 'a'), null).length).toBeLessThan(100);
  });

  test('shows nothing of the state', () => {
    const sealed = Buffer.from(sealOf().seal(Buffer.from('the password is secret'), null)).toString('latin1');
    for (const word of ['password', 'secret', 'sum2']) expect(sealed).not.toContain(word);
  });

  test('refuses whatever was changed, cut off or added, in the same words', () => {
    const seal = sealOf();
    const sealed = seal.seal(Buffer.from('state'), 'ada');
    const refused: Uint8Array[] = [];
    for (let at = 0; at < sealed.length; at++) {
      for (const bit of [1, 128]) {
        const changed = Uint8Array.from(sealed);
        changed[at]! ^= bit;
        refused.push(changed);
      }
      refused.push(sealed.subarray(0, at));
    }
    refused.push(Buffer.concat([sealed, Buffer.from([0])]), Buffer.concat([sealed, sealed]), randomBytes(500));
    const messages = new Set<string>();
    for (const bytes of refused) {
      try {
        seal.open(bytes, 'ada');
        messages.add('opened');
      } catch (error) {
        messages.add(`${(error as SealError).code}: ${(error as SealError).message}`);
      }
    }
    expect([...messages]).toEqual([`SERVLET_BAD_LINK: ${new SealError().message}`]);
  });

  test('random bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const headed = Uint8Array.from([1, 7, ...bytes]);
        for (const each of [bytes, headed]) expect(() => sealOf().open(each, null)).toThrow(SealError);
      }),
      { numRuns: 1000 },
    );
  });

  test('opens nothing of another servlet, another key, or another visitor', () => {
    const sealed = sealOf().seal(Buffer.from('state'), 'ada');
    const open =
      (seal: Seal, binding: string | null): (() => unknown) =>
      () =>
        seal.open(sealed, binding);
    expect(open(sealOf({ servlet: 'sum3' }), 'ada')).toThrow(SealError);
    expect(open(sealOf({ keys: [{ id: 7, secret: randomBytes(64) }] }), 'ada')).toThrow(SealError);
    expect(open(sealOf({ keys: [{ id: 8, secret: KEY.secret }] }), 'ada')).toThrow(SealError);
    for (const other of [null, '', 'bob', 'adasum2', 'Ada']) expect(open(sealOf(), other)).toThrow(SealError);
    const forAll = sealOf().seal(Buffer.from('state'), null);
    for (const other of ['', 'ada', 'sum2']) expect(() => sealOf().open(forAll, other)).toThrow(SealError);
  });

  test('a servlet’s name and a binding can’t pass for one another', () => {
    const sealed = sealOf({ servlet: 'ab' }).seal(Buffer.from('x'), null);
    expect(() => sealOf({ servlet: 'b' }).open(sealed, 'a')).toThrow(SealError);
    expect(() => sealOf({ servlet: 'a' }).open(sealed, 'b')).toThrow(SealError);
  });

  test('rotation: the first key seals, all of them open', () => {
    const [older, newer] = [key(1), key(2)];
    const before = sealOf({ keys: [older] });
    const after = sealOf({ keys: [newer, older] });
    const page = before.seal(Buffer.from('begun before'), null);
    expect(Buffer.from(after.open(page, null)).toString()).toBe('begun before');
    expect(after.seal(Buffer.from('x'), null)[1]).toBe(2);
    expect(() => before.open(after.seal(Buffer.from('x'), null), null)).toThrow(SealError);
    expect(() => sealOf({ keys: [newer] }).open(page, null)).toThrow(SealError);
  });

  test('a state expires after its lifetime, and no more than a 64th of it later', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60_000, max: 400 * DAY_MS }), fc.nat(1e12), (lifetimeMs, since) => {
        const now = NOW + since;
        const sealed = sealOf({ lifetimeMs, now: () => now }).seal(Buffer.from('x'), null);
        const openAt =
          (at: number): (() => unknown) =>
          () =>
            sealOf({ now: () => at }).open(sealed, null);
        expect(openAt(now + lifetimeMs - 1)).not.toThrow();
        expect(openAt(now + lifetimeMs * (1 + 1 / 64) + 120_000)).toThrow(SealError);
      }),
      { numRuns: 200 },
    );
  });

  test('the same state is the same bytes for a while, another one has another nonce', () => {
    const nonceOf = (sealed: Uint8Array): string => Buffer.from(sealed.subarray(2, 14)).toString('hex');
    const seal = sealOf();
    expect(equal(seal.seal(Buffer.from('x'), 'a'), sealOf().seal(Buffer.from('x'), 'a'))).toBe(true);
    const nonces = [
      seal.seal(Buffer.from('x'), 'a'),
      seal.seal(Buffer.from('x'), null),
      seal.seal(Buffer.from('y'), 'a'),
      sealOf({ now: () => NOW + DAY_MS }).seal(Buffer.from('x'), 'a'),
      sealOf({ servlet: 'sum3' }).seal(Buffer.from('x'), 'a'),
      ...Array.from({ length: 2000 }, (_, n) => seal.seal(Buffer.from(`n${n}`), null)),
    ].map(nonceOf);
    expect(new Set(nonces).size).toBe(nonces.length);
  });

  test('what a future version has sealed is refused', () => {
    const sealed = Uint8Array.from(sealOf().seal(Buffer.from('x'), null));
    sealed[0] = 2;
    expect(() => sealOf().open(sealed, null)).toThrow(SealError);
  });

  test('a state over 4 MiB is not sealed', () => {
    const seal = sealOf();
    const largest = Buffer.alloc(PLAIN_MAX_BYTES);
    expect(seal.open(seal.seal(largest, null), null).length).toBe(PLAIN_MAX_BYTES);
    expect(() => seal.seal(Buffer.alloc(PLAIN_MAX_BYTES + 1), null)).toThrow(StateTooLargeError);
  });
});
