import { describe, expect, test } from 'vitest';
import { Frame } from '../../packages/worker/src/continuation/frame.ts';
import { PageWeight, SharedWeights } from '../../packages/worker/src/continuation/estimate.ts';

/** A continuation of one frame for each list of locals, innermost first. */
function framesOf(...locals: unknown[][]): Frame {
  const frames = locals.map((each) => new Frame(null, 1, each, () => {}));
  frames.forEach((frame, index) => (frame.next = frames[index + 1] ?? null));
  return frames[0]!;
}

const page = (frames: Frame | null, shared = new SharedWeights(), others: unknown[] = []): PageWeight =>
  new PageWeight(frames, others, shared);
const weighed = (...locals: unknown[][]): number => page(framesOf(...locals)).hold();

describe('PageWeight', () => {
  test('PageWeight grows with what the locals hold', () => {
    const small = weighed([1, 'x']);
    expect(weighed([1, 'x'.repeat(1001)]) - small).toBe(2000);
    expect(weighed([new Uint8Array(5000)])).toBeGreaterThan(5000);
    expect(weighed([new Map([['key', 'value']])])).toBeGreaterThan(weighed([new Map()]));
  });

  test('PageWeight charges for a frame once, and frees it with the last page that has it', () => {
    const outer = framesOf(['x'.repeat(1000)]);
    const inner = framesOf([1]);
    inner.next = outer;
    const [first, second] = [page(outer), page(inner)];
    const held = first.hold();
    expect(held).toBeGreaterThan(2000);
    const more = second.hold();
    expect(more).toBeLessThan(200);
    expect(first.release()).toBe(0);
    expect(second.release()).toBe(held + more);
    expect(page(outer).hold()).toBe(held);
  });

  test('PageWeight of a page with several links is freed with the last of them', () => {
    const weight = page(framesOf(['x'.repeat(1000)]));
    const held = weight.hold();
    expect([weight.hold(), weight.release(), weight.release()]).toEqual([0, 0, held]);
  });

  test.each([
    ['a list', (count: number) => Array.from({ length: count }, (_, index) => ({ index, text: 'abc' }))],
    ['a map', (count: number) => new Map(Array.from({ length: count }, (_, index) => [index, { text: 'abc' }]))],
    [
      'a dictionary',
      (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, { text: 'abc' }])),
    ],
  ])('PageWeight weighs %s by a sample', (_what, make) => {
    const ratio = weighed([make(64_000)]) / weighed([make(640)]);
    expect(ratio).toBeGreaterThan(80);
    expect(ratio).toBeLessThan(110);
  });

  test('PageWeight charges for what pages of a visit share once, and then for its growth, for as long as one of them has it', () => {
    const shared = new SharedWeights();
    const cart = Array.from({ length: 1000 }, (_, index) => ({ index }));
    const text = 'x'.repeat(10_000);
    const first = page(framesOf([cart, text, 'light']), shared);
    const second = page(framesOf([cart, text, 'light']), shared);
    const held = first.hold();
    expect(second.hold()).toBeLessThan(300);
    cart.push(...Array.from({ length: 1000 }, (_, index) => ({ index })));
    const third = page(framesOf([cart]), shared);
    const growth = third.hold();
    expect(growth / (held - 20_000)).toBeCloseTo(1, 1);
    expect(first.release()).toBeLessThan(300);
    expect(second.release()).toBeGreaterThan(20_000);
    expect(third.release()).toBeGreaterThan(1.9 * growth);
  });

  test('PageWeight frees what others of its frames were charged for, whoever was', () => {
    const outer = framesOf([new Uint8Array(10_000)]);
    const [first, second] = [page(framesOf([1])), page(framesOf([2]))];
    const inner = framesOf([3]);
    inner.next = outer;
    const [charged, other] = [page(outer), page(inner)];
    const held = [first, second, charged, other].reduce((sum, each) => sum + each.hold(), 0);
    const freed = [charged, first, second, other].reduce((sum, each) => sum + each.release(), 0);
    expect(freed).toBe(held);
  });

  test('PageWeight weighs what throws when it is looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const weight = page(framesOf([proxy, 'x'.repeat(1000)]));
    const held = weight.hold();
    expect(held).toBeGreaterThan(2000);
    expect(weight.release()).toBe(held);
  });

  test('PageWeight counts other values as well, calls no accessor, and ends on cycles and depth', () => {
    expect(page(null, undefined, ['x'.repeat(100)]).hold()).toBe(216);
    const cycle: Record<string, unknown> = {
      get boom() {
        throw new Error('called');
      },
    };
    cycle['self'] = cycle;
    let deep: unknown = null;
    for (let depth = 0; depth < 10_000; depth++) deep = { deep };
    expect(weighed([cycle, deep])).toBeGreaterThan(100);
  });
});
