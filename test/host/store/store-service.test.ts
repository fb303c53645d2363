import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../../../packages/host/src/index.ts';
import { MemoryStore } from '../../../packages/host/src/store/memory-store.ts';
import { StoreService } from '../../../packages/host/src/store/store-service.ts';
import { ask, type AskError } from '../../../packages/worker/src/asks.ts';
import { startTrusted } from '../../support/started-host.ts';
import { connectAsks } from '../../support/thread-asks.ts';

const ASKS = JSON.stringify(new URL('../../../packages/worker/src/asks.ts', import.meta.url).href);
/** Does with the store what its query says; answers with what came back, or the code of the error. */
const KEEPER = `import { ask } from ${ASKS};
  export default async function keeper({ query }) {
    try {
      if (query.get('get') !== undefined) return String(await (await ask('store', { get: query.get('get') })).bytes(1e7));
      const body = Buffer.alloc(Number(query.get('bytes')), query.get('fill') ?? 'x');
      return (await ask('store', { put: Number(query.get('ms') ?? 60000) }, { body })).json().key;
    } catch (error) { return error.code; }
  }`;

describe('StoreService', () => {
  let stateDir: string;
  beforeAll(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'custodian-state-'));
  });
  afterAll(() => rmSync(stateDir, { recursive: true }));
  const textOf = async (url: string): Promise<string> => (await fetch(url)).text();

  test('what a servlet keeps it finds again, in another host too; another servlet does not', async () => {
    let key = '';
    for (const round of [1, 2]) {
      await using started = await startTrusted({ keeper: KEEPER, other: KEEPER }, { stateDir });
      if (round === 1) key = await textOf(`${started.url}/keeper?bytes=100000`);
      expect(key).toMatch(/^[\w-]{43}$/);
      expect(await textOf(`${started.url}/keeper?get=${key}`)).toBe('x'.repeat(100_000));
      expect(await textOf(`${started.url}/other?get=${key}`)).toBe('STORE_MISSING');
      expect(await textOf(`${started.url}/keeper?get=../../keys`)).toBe('STORE_MISSING');
    }
  });

  test('the quota is the servlet’s limit, and no entry is larger than it or than 5 MB', async () => {
    await using started = await startTrusted(
      { keeper: KEEPER, large: KEEPER },
      { store: 'memory', limits: { storeMb: 1 } },
      { large: { limits: { storeMb: 100 } } },
    );
    expect(await textOf(`${started.url}/keeper?bytes=1048577`)).toBe('STORE_TOO_LARGE');
    expect(await textOf(`${started.url}/large?bytes=${5 * 2 ** 20 + 1}`)).toBe('STORE_TOO_LARGE');
    const keys: string[] = [];
    for (const fill of ['a', 'b', 'c']) keys.push(await textOf(`${started.url}/keeper?bytes=400000&fill=${fill}`));
    const found = await Promise.all(keys.map((key) => textOf(`${started.url}/keeper?get=${key}`)));
    expect(found.map((text) => text.length)).toEqual([13, 400_000, 400_000]);
  });

  test('what a servlet keeps at once has a bound, whether it arrives or waits for the store; others keep on', async () => {
    const [held, memory] = [Promise.withResolvers<void>(), new MemoryStore()];
    const put = memory.put.bind(memory);
    memory.put = async (entry) => {
      if (entry.servlet === 'keeper') await held.promise;
      return put(entry);
    };
    const service = new StoreService(memory, () => {});
    const keep = (bytes: number): Promise<unknown> =>
      ask('store', { put: 60_000 }, { body: Buffer.alloc(bytes) }).then(
        () => 'kept',
        (error: AskError) => error.code,
      );
    connectAsks('keeper', [service]);
    const large = Array.from({ length: 13 }, () => keep(5 << 20));
    expect(await Promise.race(large)).toBe('STORE_UNAVAILABLE');
    connectAsks('another', [service]);
    expect(await keep(5 << 20)).toBe('kept');
    held.resolve();
    expect((await Promise.all(large)).filter((outcome) => outcome === 'kept')).toHaveLength(12);
    await service.close();
  });

  test('an ask that is neither put nor get, or for ever, kills the cell', async () => {
    await using started = await startTrusted({ keeper: KEEPER }, { store: 'memory' });
    const { status } = await fetch(`${started.url}/keeper?bytes=1&ms=1e15`);
    expect(status).toBe(500);
    expect(started.host.ledger.obituaries.map(({ cause }) => cause)).toEqual(['protocol']);
  });

  test('a store that can’t be used is said to be unavailable, and its cause is in the log', async () => {
    const broken = join(stateDir, 'broken.sqlite');
    writeFileSync(broken, 'no database at all '.repeat(100));
    const log = join(stateDir, 'log');
    {
      await using started = await startTrusted(
        { keeper: KEEPER },
        { store: `sqlite:${broken}`, log: 'events', logDestination: log },
      );
      expect(await textOf(`${started.url}/keeper?bytes=10`)).toBe('STORE_UNAVAILABLE');
    }
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(log, 'utf8')).toContain('file is not a database');
  });

  test('a store or keys that are none are told when the host starts', async () => {
    const servlets = join(stateDir, 'hello.mjs');
    writeFileSync(servlets, 'export default () => "hello"');
    await expect(serve({ servlets, store: 'mysql://x' })).rejects.toMatchObject({ code: 'CUSTODIAN_CONFIG' });
    await expect(serve({ servlets, keyFile: servlets })).rejects.toMatchObject({ code: 'CUSTODIAN_CONFIG' });
  });
});
