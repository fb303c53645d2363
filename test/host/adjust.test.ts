import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const MB = 1 << 20;
const HOLDS = `
  const held = [];
  export default async (request) => {
    const mb = Number(new URL(request.url, 'http://x').searchParams.get('mb') ?? 0);
    for (let at = 0; at < mb; at++) held.push(Buffer.alloc(1 << 20, 1));
    return String(held.length);
  };`;
const TELLS = `
  import { account } from '@custodian/worker';
  export default async () => String((await account()).thread.maxBytes >> 20);`;
const SPINS = `export default () => { for (const end = Date.now() + 1500; Date.now() < end;); return 'done'; };`;
const TOKEN = 'an operator only knows this';
const oneThread = { spareThreads: 0, limits: { threadsMaxCount: 1 } };

const page = async (started: StartedHost, path: string): Promise<string> => (await fetch(started.url + path)).text();

describe('host.adjust()', () => {
  test('host.adjust() gives a running thread room for more, and says which limits count', async () => {
    await using started = await StartedHost.start({ holds: HOLDS }, { limits: { heapMb: 40 } }, { holds: oneThread });
    expect(await page(started, '/holds?mb=20')).toBe('20');
    expect(started.host.adjust('holds', { heapMb: 90 })).toMatchObject({ heapMb: 90, threadsMaxCount: 1 });
    // Were it another thread, it would have forgotten the first ones.
    for (const mb of [30, 40, 50, 60]) expect(await page(started, '/holds?mb=10')).toBe(String(mb));
    expect(started.host.servlets[0]?.limits.heapMb).toBe(90);
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  test('host.adjust() ends a thread that holds more than it may from now on, and not one that does not', async () => {
    await using started = await StartedHost.start(
      { holds: HOLDS, other: HOLDS },
      { limits: { heapMb: 80 } },
      { holds: oneThread, other: oneThread },
    );
    expect(await page(started, '/holds?mb=40')).toBe('40');
    expect(await page(started, '/other?mb=5')).toBe('5');
    started.host.adjust('holds', { heapMb: 30 });
    started.host.adjust('other', { heapMb: 30 });
    await eventually(
      () => started.host.ledger.obituaries.length,
      (count) => count > 0,
    );
    expect(started.host.ledger.obituaries).toMatchObject([{ servlet: 'holds', cause: 'heap', limitValue: 30 }]);
    expect(await page(started, '/holds')).toBe('0');
    expect(await page(started, '/other')).toBe('5');
  });

  test('host.adjust() changes what a servlet knows of its cap, and what the host has promised', async () => {
    await using started = await StartedHost.start(
      { tells: TELLS },
      { admin: { token: TOKEN }, limits: { heapMb: 40, memoryMb: 100 } },
      { tells: oneThread },
    );
    expect(await page(started, '/tells')).toBe('40');
    const promisedMb = async (): Promise<number> => {
      const admin = new URL(started.host.adminUrl as string);
      const headers = { authorization: `Bearer ${TOKEN}` };
      const state = (await (await fetch(`${admin.origin}/_custodian/state.json`, { headers })).json()) as {
        reservedBytes: number;
      };
      return state.reservedBytes / MB;
    };
    expect(await promisedMb()).toBe(40);
    started.host.adjust('tells', { heapMb: 64 });
    expect(await promisedMb()).toBe(64);
    await eventually(
      () => page(started, '/tells'),
      (mb) => mb === '64',
    );
    // More than the machine may promise: the thread that there is keeps its cap.
    started.host.adjust('tells', { heapMb: 200 });
    expect(await promisedMb()).toBe(64);
    started.host.adjust('tells', { heapMb: 50 });
    expect(await promisedMb()).toBe(50);
  });

  test('host.adjust() holds requests to other clocks from the next one on', async () => {
    await using started = await StartedHost.start({ spins: SPINS }, {}, { spins: oneThread });
    expect(await page(started, '/spins')).toBe('done');
    started.host.adjust('spins', { wallMs: 300 });
    expect((await fetch(`${started.url}/spins`)).status).toBe(504);
    started.host.adjust('spins', { wallMs: 9000 });
    expect(await page(started, '/spins')).toBe('done');
  });

  test("host.adjust() leaves a servlet's own limits as the tighter ones, and concerns one servlet alone", async () => {
    const modest = `export const limits = { heapMb: 25 }; ${TELLS}`;
    await using started = await StartedHost.start({ modest, tells: TELLS }, {}, { modest: oneThread });
    await page(started, '/modest');
    expect(started.host.adjust('modest', { heapMb: 100, cpuMs: 777 })).toMatchObject({ heapMb: 25, cpuMs: 777 });
    expect(started.host.servlets.map(({ limits }) => limits.cpuMs)).toEqual([777, expect.any(Number)]);
    expect(started.host.servlets[1]?.limits.cpuMs).not.toBe(777);
  });

  test('host.adjust() refuses what is no servlet, no limit, or none of a servlet', async () => {
    await using started = await StartedHost.start({ tells: TELLS });
    const { host } = started;
    expect(() => host.adjust('nobody', { heapMb: 10 })).toThrow(RangeError);
    expect(() => host.adjust('tells', { heapMb: -1 })).toThrow(RangeError);
    expect(() => host.adjust('tells', { heapMB: 10 } as never)).toThrow(TypeError);
    expect(() => host.adjust('tells', { memoryMb: 10 })).toThrow(/one of the host's/);
    expect(host.servlets[0]?.limits.heapMb).toBe(50);
  });
});
