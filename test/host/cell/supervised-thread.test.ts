import { Worker } from 'node:worker_threads';
import type { LeaseOrder } from '@custodian/protocol';
import { describe, expect, it } from 'vitest';
import { lookAgainMs } from '../../../packages/host/src/cell/look-pace.ts';
import { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';
import { ThreadMeter } from '../../../packages/host/src/cell/thread-meter.ts';

const MB = 1 << 20;

describe('SupervisedThread', () => {
  it('SupervisedThread answers who asks for a sample while one is on its way when that has come', async () => {
    const gone = Promise.withResolvers<void>();
    const order = { lease: 1, heapMaxBytes: 1000 * MB } as LeaseOrder;
    const thread = new SupervisedThread(
      order,
      () => {},
      () => gone.resolve(),
    );
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
    thread.attach(worker, null);
    try {
      await new Promise((resolve) => worker.once('online', resolve));
      void thread.sample();
      expect(thread.lastSample.heapBytes).toBe(0);
      await thread.sample();
      expect(thread.lastSample.heapBytes).toBeGreaterThan(MB);
    } finally {
      await worker.terminate();
      await gone.promise;
    }
  });
});

describe('lookAgainMs()', () => {
  it('lookAgainMs() is sooner the less room is left, within bounds', () => {
    expect([-MB, 0, 8 * MB, 100 * MB, 120 * MB, 1000 * MB].map(lookAgainMs)).toEqual([10, 10, 10, 25, 30, 50]);
  });
});

describe('ThreadMeter', () => {
  it('ThreadMeter charges a request with what it was seen with, and not with what the one before it had', () => {
    const meter = new ThreadMeter();
    const seen = (heapBytes: number, unexplainedBytes: number): void => {
      meter.onSample({ lease: 1, heapBytes, offHeapBytes: 0, unexplainedBytes, cpuMs: 1 });
    };
    meter.beginRequest();
    seen(20 * MB, 60 * MB);
    expect(meter.requestPeakBytes).toBe(80 * MB);
    meter.beginRequest();
    seen(12 * MB, 0);
    expect(meter.requestPeakBytes).toBe(12 * MB);
  });

  it('ThreadMeter charges a request that was over before a sample with what was seen last', () => {
    const meter = new ThreadMeter();
    meter.onSample({ lease: 1, heapBytes: 12 * MB, offHeapBytes: 0, unexplainedBytes: 0, cpuMs: 1 });
    meter.beginRequest();
    expect(meter.requestPeakBytes).toBe(12 * MB);
  });
});
