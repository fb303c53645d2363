import { expect, test } from 'vitest';
import type { FunctionDescription } from '../../packages/worker/src/continuation/frame.ts';
import { addLogicalStack, Callers } from '../../packages/worker/src/continuation/logical-stack.ts';
import { Frame } from '../../packages/worker/src/continuation/runtime.ts';

const meta = {
  name: 'f',
  file: '/shop.ts',
  awaits: [{ line: 3, column: 9 }],
} as unknown as FunctionDescription;

test('Callers counts deep callers once, however many errors pass them, and each error has its own', () => {
  const depth = 2000;
  let reads = 0;
  let outermost: Frame | null = null;
  for (let at = 0; at < depth; at++) {
    const frame: Frame = new Frame(meta, 1, [], null);
    const next = outermost;
    Object.defineProperty(frame, 'next', { get: () => (reads++, next) });
    outermost = frame;
  }
  const callers = new Callers();
  const errors: Error[] = [];
  for (let frame: Frame | null = outermost; frame; frame = frame.next) {
    const error = new Error('new in each frame');
    callers.left(error, frame);
    errors.push(error);
  }
  expect(reads).toBeLessThan(depth * 60);
  for (const left of [depth, depth - 700, 52, 51, 50, 1]) {
    const error = errors[depth - left]!;
    addLogicalStack(error);
    const lines = error.stack!.split('\n').filter((line) => line.includes('/shop.ts:3:9') || line.includes(' more'));
    expect(lines).toHaveLength(Math.min(left, 51));
    expect(lines.at(-1)).toBe(left > 50 ? `    ... ${left - 50} more` : '    at async f (/shop.ts:3:9)');
  }
});
