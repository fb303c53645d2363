import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const CACHE = (isYielding: boolean): string => `
  import { onPressure } from '@custodian/worker';
  let cache = [];
  let relieved = 0;
  ${isYielding ? 'onPressure(() => { relieved++; cache = []; });' : ''}
  export default async () => {
    cache.push(Buffer.alloc(1 << 19, 1));
    await new Promise((resolve) => setTimeout(resolve, 25));
    return String(relieved);
  };`;
const ACCOUNT = `
  import { account } from '@custodian/worker';
  const kept = Buffer.alloc(3 << 20, 1);
  export default async () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify([await account(), kept.length]) });`;

test('onPressure() lets a cache shrink before its thread is ended for it; without it the thread is', async () => {
  await using started = await StartedHost.start(
    { yields: CACHE(true), keeps: CACHE(false) },
    { limits: { heapMb: 32 } },
    { yields: { spareThreads: 0 }, keeps: { spareThreads: 0 } },
  );
  const visit = async (name: string): Promise<Response> => fetch(`${started.url}/${name}`);
  let relieved = 0;
  for (let count = 0; count < 120; count++) {
    const response = await visit('yields');
    expect(response.status).toBe(200);
    relieved = Number(await response.text());
  }
  expect(relieved).toBeGreaterThanOrEqual(2);
  expect(started.host.ledger.obituaries).toEqual([]);
  // It may be ended while it answers, or between two answers.
  for (let count = 0; count < 120 && started.host.ledger.obituaries.length === 0; count++)
    await (await visit('keeps')).text();
  expect(started.host.ledger.obituaries).toMatchObject([{ servlet: 'keeps', cause: 'heap' }]);
});

test('account() counts no buffers that a collection has freed: none is given back later than that', async () => {
  const litter = `
    import { account } from '@custodian/worker';
    const { gc } = globalThis;
    export default async () => {
      const heldBytes = [];
      for (const type of ['major', 'minor', 'minor', 'minor']) {
        for (let count = 0; count < 16; count++) Buffer.alloc(1 << 20, 1);
        gc({ type, execution: 'sync' });
        heldBytes.push((await account()).thread.offHeapBytes);
      }
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(heldBytes) };
    };`;
  await using started = await StartedHost.start({ litter }, {}, { litter: { profile: 'trusted' } });
  const heldBytes = (await (await fetch(`${started.url}/litter`)).json()) as number[];
  expect(heldBytes).toHaveLength(4);
  expect(Math.max(...heldBytes)).toBeLessThan(8 << 20);
});

test('onPressure() is not called for buffers that were let go', async () => {
  const litter = `
    import { onPressure } from '@custodian/worker';
    let calls = 0;
    onPressure(() => calls++);
    export default async () => {
      for (let count = 0; count < 80; count++) {
        Buffer.alloc(1 << 20, 1);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return String(calls);
    };`;
  await using started = await StartedHost.start({ litter }, { limits: { heapMb: 40, wallMs: 25_000 } });
  expect(await (await fetch(`${started.url}/litter`)).text()).toBe('0');
  const peak = started.host.ledger.accounts.get('litter')?.peakBytes ?? 0;
  // It was asked to collect, and did.
  expect(peak).toBeGreaterThan(28 << 20);
  expect(started.host.ledger.obituaries).toEqual([]);
});

test('what a servlet costs is told by nothing that it can replace', async () => {
  const lies = `
    process.threadCpuUsage = () => ({ user: 0, system: 0 });
    performance.now = () => 0;
    Math.round = Math.max = Math.min = () => 0;
    export default () => { for (const end = Date.now() + 300; Date.now() < end;); return 'cheap'; };`;
  await using started = await StartedHost.start({ lies });
  await started.warm('/lies');
  const [request] = started.host.ledger.recent;
  expect(request?.wallMs).toBeGreaterThanOrEqual(290);
  expect(request?.cpuMs).toBeGreaterThan(50);
});

test('the ledger has the CPU time of threads as it is read from outside of them, whatever they say and between requests too', async () => {
  const hides = `
    const { writeUInt32BE } = Buffer.prototype;
    // What a request cost, in microseconds, is the only such number on the wire.
    Buffer.prototype.writeUInt32BE = function (value, at) { return writeUInt32BE.call(this, value > 50_000 ? 0 : value, at); };
    const cpuMs = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000; };
    const burn = (ms) => { for (const end = cpuMs() + ms; cpuMs() < end;); };
    export default () => { burn(200); for (let at = 1; at <= 10; at++) setTimeout(() => burn(20), at * 30); return 'cheap'; };`;
  await using started = await StartedHost.start({ hides }, {}, { hides: { spareThreads: 0 } });
  await started.warm('/hides');
  const account = started.host.ledger.account('hides');
  const loadedMs = account.threadCpuMs;
  await started.warm('/hides');
  expect(account.cpuMs).toBeLessThan(50);
  await eventually(
    () => account.threadCpuMs - loadedMs,
    (ms) => ms > 250,
  );
});

test('account() tells a servlet what it holds and what it has cost, of its own only', async () => {
  await using started = await StartedHost.start({ mine: ACCOUNT, other: ACCOUNT }, { limits: { heapMb: 40 } });
  await started.warm('/mine', '/mine', '/other');
  const [account] = (await (await fetch(`${started.url}/mine`)).json()) as [
    { thread: Record<string, number>; servlet: unknown },
  ];
  expect(account.servlet).toMatchObject({ requests: 2, failures: 0, deaths: 0 });
  expect(account.thread).toMatchObject({ maxBytes: 40 << 20, cpuMs: expect.any(Number) });
  const { heapBytes, offHeapBytes } = account.thread as { heapBytes: number; offHeapBytes: number };
  expect(offHeapBytes).toBeGreaterThan(3 << 20);
  expect(heapBytes + offHeapBytes).toBeLessThan(40 << 20);
});

test('what V8 keeps of the heap of a thread that was ended is no reason to kill the one that comes after it', async () => {
  const take = `
    const doubles = Array.from({ length: 8190 }, Math.random);
    const text = Buffer.alloc(1 << 19, 'x');
    export default async (request) => {
      const hoard = [];
      if (request.url.endsWith('?bomb')) for (;;) hoard.push(doubles.slice());
      // Pieces that large are not taken from what is kept.
      for (let mb = 0; mb < 120; mb++) {
        hoard.push(text.toString('latin1'), text.toString('latin1'));
        if (mb % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return String(process.pid) + ' ' + hoard.length;
    };`;
  await using started = await StartedHost.start(
    { take },
    { limits: { heapMb: 200 } },
    { take: { profile: 'trusted', spareThreads: 0 } },
  );
  const visit = async (query: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(`${started.url}/take${query}`);
    return { status: response.status, text: await response.text() };
  };
  const first = await visit('');
  for (let bomb = 0; bomb < 2; bomb++) expect(await visit('?bomb')).toMatchObject({ status: 503 });
  // In the same process.
  expect(await visit('')).toEqual({ status: 200, text: first.text });
  expect(started.host.ledger.obituaries.map(({ cause }) => cause)).toEqual(['heap', 'heap']);
});
