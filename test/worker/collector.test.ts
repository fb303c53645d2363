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
  last.ask(1, true);
  port1.postMessage('asked');
  port1.postMessage({ heapMaxBytes: 50 });
  last.ask(2, true);
  port1.postMessage('asked');
  collected.length = 0;
  collector.catchUp(receiveMessageOnPort);
  expect([last.begun, last.ended, caps, collected]).toEqual([2, 2, [50], ['major']]);
  expect(last.heldBytes).toBeGreaterThan(1 << 20);
  expect([receiveMessageOnPort(port1), receiveMessageOnPort(port1), receiveMessageOnPort(port1)]).toEqual([
    { message: 2 },
    { message: 2 },
    undefined,
  ]);
  port1.close();
});

it('Collector answers by what a port was when it began: a servlet that replaces its methods gets no hold of it', () => {
  const { port1, port2 } = new MessageChannel();
  const last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
  const collector = new Collector(port2, last, () => {});
  last.ask(1, true);
  port1.postMessage('asked');
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
  const WHOLE = ['major'];
  let last: LastCollection;
  let port1: MessagePort;
  let question: number;
  let nowMs: number;

  beforeEach(() => {
    nowMs = 1000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const channel = new MessageChannel();
    port1 = channel.port1;
    last = new LastCollection(new SharedArrayBuffer(LastCollection.BYTES));
    new Collector(channel.port2, last, () => {});
    question = 0;
    holdShare(0.5);
    return async () => {
      // It looks no more.
      nowMs = Infinity;
      await new Promise((resolve) => setImmediate(resolve));
      clock.mockRestore();
      port1.close();
      setAccountCap(Infinity);
    };
  });

  /** A cap of which this share is held. */
  function holdShare(share: number): void {
    const { heapBytes, offHeapBytes } = heldMemory();
    setAccountCap((heapBytes + offHeapBytes) / share);
  }

  /** What was collected of this, and whether that was all. `afterMs`: since the last question. */
  async function ask(isWhole: boolean, afterMs: number = 1001): Promise<[kinds: string[], isWhole: boolean]> {
    collected.length = 0;
    nowMs += afterMs;
    last.ask(++question, isWhole);
    port1.postMessage('asked');
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

  it('goes by what it sees at each turn for a second after it was asked, unless it is asked for all', async () => {
    await ask(true);
    expect(await ask(false, 900)).toEqual([[], false]);
    expect(await ask(true, 900)).toEqual([WHOLE, true]);
    expect(await ask(false)).toEqual([['minor'], false]);
  });

  it('has answered what it was asked when it collects by itself', async () => {
    await ask(true);
    collected.length = 0;
    last.ask(++question, true);
    holdShare(1);
    const garbage = Buffer.alloc(heldMemory().maxBytes / 2);
    await vi.waitUntil(() => last.ended === question);
    expect([collected.slice(0, 1), last.isWhole]).toEqual([WHOLE, true]);
    holdShare(0.5);
    collected.length = 0;
    const answers: unknown[] = [];
    port1.on('message', (answer) => answers.push(answer));
    port1.postMessage('asked');
    await vi.waitUntil(() => answers.includes(question));
    expect(collected).toEqual([]);
    expect(garbage[0]).toBe(0);
  });

  it('collects sooner by as much as it is charged with beside its statistics', async () => {
    await ask(true);
    collected.length = 0;
    holdShare(0.25);
    const live = heldMemory().maxBytes / 4;
    const garbage = Buffer.alloc(live * 1.2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(collected).toEqual([]);
    last.charge(live * 2);
    await vi.waitUntil(() => collected.length > 0, { interval: 1 });
    expect(garbage[0]).toBe(0);
  });
});
