import { describe, expect, test } from 'vitest';
import { Frame } from '../../packages/worker/src/continuation/frame.ts';
import { type Estimate, estimateBytes } from '../../packages/worker/src/continuation/estimate.ts';

/** A continuation of one frame for each list of locals, innermost first. */
function framesOf(...locals: unknown[][]): Frame {
  const frames = locals.map((each) => new Frame(null, 1, each, () => {}));
  frames.forEach((frame, index) => (frame.next = frames[index + 1] ?? null));
  return frames[0]!;
}

const weighed = (...locals: unknown[][]): Estimate => estimateBytes(framesOf(...locals));

describe('estimateBytes()', () => {
  test('estimateBytes() grows with what the locals hold', () => {
    const small = weighed([1, 'x']).bytes;
    expect(weighed([1, 'x'.repeat(1001)]).bytes - small).toBe(2000);
    expect(weighed([new Uint8Array(5000)]).bytes).toBeGreaterThan(5000);
    expect(weighed([new Map([['key', 'value']])]).bytes).toBeGreaterThan(weighed([new Map()]).bytes);
  });

  test('estimateBytes() charges for a frame once', () => {
    const outer = framesOf(['x'.repeat(1000)]);
    const inner = framesOf([1]);
    inner.next = outer;
    expect(estimateBytes(outer).bytes).toBeGreaterThan(2000);
    expect(estimateBytes(inner).bytes).toBeLessThan(200);
  });

  test.each([
    ['a list', (count: number) => Array.from({ length: count }, (_, index) => ({ index, text: 'abc' }))],
    ['a map', (count: number) => new Map(Array.from({ length: count }, (_, index) => [index, { text: 'abc' }]))],
    [
      'a dictionary',
      (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, { text: 'abc' }])),
    ],
  ])('estimateBytes() weighs %s by a sample', (_what, make) => {
    const ratio = weighed([make(64_000)]).bytes / weighed([make(640)]).bytes;
    expect(ratio).toBeGreaterThan(80);
    expect(ratio).toBeLessThan(110);
  });

  test('estimateBytes() charges for what the page before kept as well by its growth only', () => {
    const cart = Array.from({ length: 1000 }, (_, index) => ({ index }));
    const text = 'x'.repeat(10_000);
    const first = weighed([cart, text, 'light']);
    expect([...first.heavy!.keys()]).toEqual([cart, text]);
    const second = estimateBytes(framesOf([cart, text, 'light']), [], first.heavy);
    expect(second.bytes).toBeLessThan(300);
    cart.push(...Array.from({ length: 1000 }, (_, index) => ({ index })));
    const third = estimateBytes(framesOf([cart]), [], second.heavy);
    expect(third.bytes / first.heavy!.get(cart)!).toBeCloseTo(1, 1);
    expect([...third.heavy!.keys()]).toEqual([cart]);
  });

  test('estimateBytes() counts other values as well, calls no accessor, and ends on cycles and depth', () => {
    expect(estimateBytes(null, ['x'.repeat(100)]).bytes).toBe(216);
    const cycle: Record<string, unknown> = {
      get boom() {
        throw new Error('called');
      },
    };
    cycle['self'] = cycle;
    let deep: unknown = null;
    for (let depth = 0; depth < 10_000; depth++) deep = { deep };
    expect(weighed([cycle, deep]).bytes).toBeGreaterThan(100);
  });
});
