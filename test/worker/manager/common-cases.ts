import { describe, expect, test } from 'vitest';
import type {
  ContinuationManager,
  ExpirationHandler,
  ManagerOptions,
} from '../../../packages/worker/src/manager/manager.ts';
import { ManualClock } from './manual-clock.ts';

/** What `lookup` throws, by its code and who answers. */
export function expiryOf(look: () => unknown): { code: string; handler: ExpirationHandler | null } {
  try {
    look();
  } catch (error) {
    const { code, handler } = error as { code: string; handler: ExpirationHandler | null };
    return { code, handler };
  }
  throw new Error('it has not expired');
}

/** What every manager must do; `keeps`: it keeps anything at all. */
export function managerCases(
  name: string,
  create: (options: ManagerOptions) => ContinuationManager,
  { keeps }: { keeps: boolean },
): void {
  const setUp: SetUp = () => {
    const clock = new ManualClock();
    return { manager: create({ onExpired: managers, clock }), clock };
  };
  describe(`${name}, as every manager`, () => {
    test('nonces are 128 random bits, base64url', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const nonces = Array.from({ length: 200 }, () => manager.store(instance, null, null, 1)[1]);
      expect(new Set(nonces).size).toBe(200);
      for (const nonce of nonces) expect(Buffer.from(nonce, 'base64url')).toHaveLength(16);
    });

    test('an unknown instance, an unknown continuation and a wrong nonce are answered by the manager’s handler', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const [id, nonce] = manager.store(instance, 'k', own, 1);
      for (const look of [
        () => manager.lookup(instance + 1, id, nonce),
        () => manager.lookup(instance, id + 1, nonce),
        () => manager.lookup(instance, id, wrong(nonce)),
        () => manager.lookup(instance, id, ''),
      ])
        expect(expiryOf(look).handler).toBe(managers);
    });

    test('clear() of an instance that is unknown does nothing', () => {
      const { manager } = setUp();
      manager.clear(17);
      manager.adjustTimeout(17, 1);
      expect([manager.count, manager.bytes]).toEqual([0, 0]);
    });
  });
  if (keeps) keepingCases(name, setUp);
}

type SetUp = () => { manager: ContinuationManager; clock: ManualClock };

const managers: ExpirationHandler = () => 'of the manager';
const own: ExpirationHandler = () => 'own';
const wrong = (nonce: string): string => `${nonce[0] === 'A' ? 'B' : 'A'}${nonce.slice(1)}`;

/** What every manager must do that keeps continuations. */
function keepingCases(name: string, setUp: SetUp): void {
  describe(`${name}, as every manager that keeps something`, () => {
    test('what is stored is found, any number of times', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const kept = Array.from({ length: 30 }, (_, index) => manager.store(instance, { index }, null, 10));
      for (const [index, [id, nonce]] of kept.entries()) {
        expect(manager.lookup(instance, id, nonce)).toEqual({ index });
        expect(manager.lookup(instance, id, nonce)).toBe(manager.peek(instance, id, nonce));
      }
      expect([manager.count, manager.bytes]).toEqual([30, 300]);
    });

    test('clear() expires what the instance has; own handlers answer, to the right nonce only; others stay', () => {
      const { manager } = setUp();
      const [instance, other] = [manager.createInstance(), manager.createInstance()];
      const [id, nonce] = manager.store(instance, 'k', own, 5);
      const [plainId, plainNonce] = manager.store(instance, 'k', null, 5);
      const [otherId, otherNonce] = manager.store(other, 'other', null, 7);
      manager.clear(instance);
      expect(expiryOf(() => manager.lookup(instance, id, nonce)).handler).toBe(own);
      expect(expiryOf(() => manager.lookup(instance, id, wrong(nonce))).handler).toBe(managers);
      expect(expiryOf(() => manager.lookup(instance, plainId, plainNonce)).handler).toBe(managers);
      expect(manager.lookup(other, otherId, otherNonce)).toBe('other');
      expect([manager.count, manager.bytes]).toEqual([1, 7]);
    });

    test('the own handlers of the last 1,000 that have expired answer, of earlier ones the manager’s', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const kept = Array.from({ length: 1001 }, () => manager.store(instance, 'k', own, 1));
      manager.clear(instance);
      const handlers = kept.map(([id, nonce]) => expiryOf(() => manager.lookup(instance, id, nonce)).handler);
      expect([
        handlers.filter((each) => each === own).length,
        handlers.filter((each) => each === managers).length,
      ]).toEqual([1000, 1]);
    });

    test('numbers are not used again after clear()', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const [before] = manager.store(instance, 'k', null, 1);
      manager.clear(instance);
      expect(manager.store(instance, 'k', null, 1)[0]).toBeGreaterThan(before);
    });

    test('onChange() is called at every change', () => {
      const { manager } = setUp();
      const seen: number[] = [];
      manager.onChange = () => seen.push(manager.count);
      const instance = manager.createInstance();
      manager.store(instance, 'k', null, 1);
      manager.store(instance, 'k', null, 1);
      manager.clear(instance);
      expect(seen).toEqual([1, 2, 0]);
    });

    test('an instance that came to hold nothing is given up', () => {
      const { manager, clock } = setUp();
      const instance = manager.createInstance();
      expect(manager.hasInstance(instance)).toBe(true);
      clock.pass(48 * 3600_000);
      expect([manager.hasInstance(instance), clock.tickCount]).toEqual([false, 0]);
    });

    test('10,000 continuations of one instance are found, and go together', () => {
      const { manager } = setUp();
      const instance = manager.createInstance();
      const kept = Array.from({ length: 10_000 }, (_, index) => manager.store(instance, index, null, 1));
      expect(kept.every(([id, nonce], index) => manager.lookup(instance, id, nonce) === index)).toBe(true);
      manager.clear(instance);
      expect([manager.count, manager.bytes]).toEqual([0, 0]);
    });

    test('everything expires at last, its clocks stop, and an own handler still answers', () => {
      const { manager, clock } = setUp();
      const instance = manager.createInstance();
      const [id, nonce] = manager.store(instance, 'k', own, 5);
      clock.pass(48 * 3600_000);
      expect([manager.count, manager.bytes, manager.hasInstance(instance), clock.tickCount]).toEqual([0, 0, false, 0]);
      expect(expiryOf(() => manager.lookup(instance, id, nonce)).handler).toBe(own);
      expect(() => manager.store(instance, 'k', null, 1)).toThrow(
        expect.objectContaining({ code: 'SERVLET_NO_INSTANCE' }),
      );
      const next = manager.createInstance();
      expect(next).not.toBe(instance);
      const [nextId, nextNonce] = manager.store(next, 'again', null, 1);
      expect(manager.lookup(next, nextId, nextNonce)).toBe('again');
    });
  });
}
