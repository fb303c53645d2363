import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LastCollection } from '@custodian/protocol';
import { heldMemory, onPressure, setAccountCap } from '../../packages/worker/src/account.ts';
import { Collector } from '../../packages/worker/src/collector.ts';

// V8's is taken when the module is loaded.
const collected = vi.hoisted(() => {
  const kinds: string[] = [];
  Reflect.set(globalThis, 'gc', ({ type }: { type: string }) => void kinds.push(type));
  return kinds;
});
afterAll(() => {
  Reflect.deleteProperty(globalThis, 'gc');
});

it('Collector.catchUp() answers what its supervisor has asked, within the same turn of the event loop', () => {
  const { port1, port2 } = new MessageChannel();
  const last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
  const caps: number[] = [];
  const collector = new Collector(port2, last, (bytes) => caps.push(bytes));
  collector.catchUp(receiveMessageOnPort);
  expect(last.begun).toBe(0);
  port1.postMessage({ question: 1, isWhole: true });
  port1.postMessage({ heapMaxBytes: 50 });
  port1.postMessage({ question: 2, isWhole: true });
  collector.catchUp(receiveMessageOnPort);
  expect([last.begun, last.ended, caps]).toEqual([2, 2, [50]]);
  expect(last.heldBytes).toBeGreaterThan(1 << 20);
  expect([receiveMessageOnPort(port1), receiveMessageOnPort(port1), receiveMessageOnPort(port1)]).toEqual([
    { message: 1 },
    { message: 2 },
    undefined,
  ]);
  port1.close();
});

it('Collector answers by what a port was when it began: a servlet that replaces its methods gets no hold of it', () => {
  const { port1, port2 } = new MessageChannel();
  const last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
  const collector = new Collector(port2, last, () => {});
  port1.postMessage({ question: 1, isWhole: true });
  const post = vi.spyOn(Object.getPrototypeOf(port2) as MessagePort, 'postMessage');
  try {
    collector.catchUp(receiveMessageOnPort);
    expect(post).not.toHaveBeenCalled();
    expect(receiveMessageOnPort(port1)).toEqual({ message: 1 });
  } finally {
    post.mockRestore();
    port1.close();
  }
});

describe('Collector', () => {
  const WHOLE = ['major', 'minor'];
  let last: LastCollection;
  let port1: MessagePort;
  let question: number;

  beforeEach(() => {
    const channel = new MessageChannel();
    port1 = channel.port1;
    last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
    new Collector(channel.port2, last, () => {});
    question = 0;
    holdShare(0.5);
    return () => {
      port1.close();
      setAccountCap(Infinity);
    };
  });

  /** A cap of which this share is held. */
  function holdShare(share: number): void {
    const { heapBytes, offHeapBytes } = heldMemory();
    setAccountCap((heapBytes + offHeapBytes) / share);
  }

  /** What was collected of this, and whether that was all. */
  async function ask(isWhole: boolean): Promise<[kinds: string[], isWhole: boolean]> {
    collected.length = 0;
    port1.postMessage({ question: ++question, isWhole });
    await vi.waitUntil(() => last.ended === question);
    return [[...collected], last.isWhole];
  }

  it('collects all at first, and then what is young as long as it is not asked for all', async () => {
    expect(await ask(false)).toEqual([WHOLE, true]);
    expect(await ask(false)).toEqual([['minor'], false]);
    expect(await ask(true)).toEqual([WHOLE, true]);
    expect(await ask(false)).toEqual([['minor'], false]);
  });

  it('collects all when it is over its cap without the young, since that is what it is judged by', async () => {
    await ask(true);
    holdShare(3);
    expect(await ask(false)).toEqual([['minor', ...WHOLE], true]);
  });

  it('collects all before it tells the servlet of pressure', async () => {
    await ask(true);
    holdShare(0.97);
    const seen: string[][] = [];
    const stop = onPressure(() => seen.push([...collected]));
    expect(await ask(false)).toEqual([['minor', ...WHOLE, ...WHOLE], true]);
    stop();
    expect(seen).toEqual([['minor', ...WHOLE]]);
  });
});
