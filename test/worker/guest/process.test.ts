import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

const room = (path: string): string => JSON.stringify(new URL(`../../../packages/worker/src/${path}`, import.meta.url));

/** By which properties a thread's process leads to a port: before a guest's thread is enclosed, and after. */
const CODE = `
  import { MessagePort, parentPort } from 'node:worker_threads';
  const { replaceOutput } = await import(${room('output.ts')});
  const { guestProcess } = await import(${room('guest/process.ts')});
  function ways(value, where, seen = new Set()) {
    if (value instanceof MessagePort) return [where];
    if (value === null || typeof value !== 'object' || seen.has(value) || seen.size > 5000) return [];
    seen.add(value);
    return Reflect.ownKeys(value).flatMap((key) => {
      try { return ways(value[key], where + '.' + String(key), seen); } catch { return []; }
    });
  }
  const before = ways(process, 'process');
  replaceOutput({}, 0);
  guestProcess(() => undefined);
  parentPort.postMessage({ before, after: ways(process, 'process') });
`;

test('guestProcess() leaves no way from the process to the port of its supervisor', async () => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(CODE)}`));
  const [{ before, after }] = (await once(worker, 'message')) as [{ before: string[]; after: string[] }];
  await worker.terminate();
  expect(before.filter((way) => way.startsWith('process.stdin'))).not.toEqual([]);
  expect(after).toEqual([]);
});
