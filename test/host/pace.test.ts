import { availableParallelism } from 'node:os';
import { expect, suite, test } from 'vitest';
import { Pace } from '../../packages/host/src/cell/pace.ts';

const answered = (pace: Pace, count: number, wallMs: number, cpuMs: number): void => {
  for (let at = 0; at < count; at++) pace.add({ wallMicros: wallMs * 1000, cpuMicros: cpuMs * 1000 });
};

suite('Pace', () => {
  test('is unknown before there are answers enough', () => {
    const pace = new Pace();
    answered(pace, 7, 0.1, 0.1);
    expect(pace.isKnown).toBe(false);
    expect(pace.usefulThreads).toBe(Infinity);
    answered(pace, 1, 0.1, 0.1);
    expect(pace.isKnown).toBe(true);
  });

  test('a pause of the collector does not make a quick servlet slow', () => {
    const pace = new Pace();
    answered(pace, 200, 0.1, 0.1);
    answered(pace, 1, 80, 80);
    expect(pace.typicalMs).toBeLessThan(0.2);
  });

  test('a servlet that has become slow is slow after some answers', () => {
    const pace = new Pace();
    answered(pace, 200, 0.1, 0.1);
    answered(pace, 20, 50, 1);
    expect(pace.typicalMs).toBeGreaterThan(4);
    answered(pace, 200, 0.1, 0.1);
    expect(pace.typicalMs).toBeLessThan(0.3);
  });

  test('it lies where one answer of five is slower', () => {
    const pace = new Pace();
    for (let at = 0; at < 3000; at++) answered(pace, 1, 1 + ((at * 617) % 1000) / 100, 0);
    expect(pace.typicalMs).toBeGreaterThan(6);
    expect(pace.typicalMs).toBeLessThan(11.1);
  });

  test('threads that compute are no use beyond the cores; threads that wait are', () => {
    const computing = new Pace(),
      waiting = new Pace();
    answered(computing, 50, 10, 9);
    answered(waiting, 50, 10, 1);
    expect(computing.usefulThreads).toBe(availableParallelism());
    expect(waiting.usefulThreads).toBe(Infinity);
  });
});
