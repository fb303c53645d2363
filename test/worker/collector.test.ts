import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { LastCollection } from '@custodian/protocol';
import { Collector } from '../../packages/worker/src/collector.ts';

const { port1, port2 } = new MessageChannel();
afterEach(() => {
  port1.close();
});

it('Collector.catchUp() answers what its supervisor has asked, within the same turn of the event loop', () => {
  const last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
  const caps: number[] = [];
  const collector = new Collector(port2, last, (bytes) => caps.push(bytes));
  collector.catchUp(receiveMessageOnPort);
  expect(last.begun).toBe(0);
  port1.postMessage({ question: 1 });
  port1.postMessage({ heapMaxBytes: 50 });
  port1.postMessage({ question: 2 });
  collector.catchUp(receiveMessageOnPort);
  expect([last.begun, last.ended, caps]).toEqual([2, 2, [50]]);
  expect(last.liveBytes).toBeGreaterThan(1 << 20);
  expect([receiveMessageOnPort(port1), receiveMessageOnPort(port1), receiveMessageOnPort(port1)]).toEqual([
    { message: 1 },
    { message: 2 },
    undefined,
  ]);
});
