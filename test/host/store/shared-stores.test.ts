import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PostgresStore } from '../../../packages/host/src/store/postgres-store.ts';
import { RedisStore } from '../../../packages/host/src/store/redis-store.ts';
import type { ContinuationStore } from '../../../packages/host/src/store/store.ts';
import { DatabaseServer, postgresMissing, redisMissing } from '../../support/database-server.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { storeCases } from './store-cases.ts';

const ENTRY = { servlet: 'killed', bytes: Buffer.from('bytes'), expiresAt: Date.now() + 1e7, quotaBytes: 1e6 };

const KINDS = [
  {
    name: 'RedisStore',
    missing: redisMissing(),
    start: () => DatabaseServer.redis(),
    open: (url: string) => new RedisStore(url),
    nowhere: (port: number) => `redis://127.0.0.1:${port}`,
  },
  {
    name: 'PostgresStore',
    missing: postgresMissing(),
    start: () => DatabaseServer.postgres(),
    open: (url: string) => new PostgresStore(url),
    nowhere: (port: number) => `postgres://custodian@127.0.0.1:${port}/postgres`,
  },
];

for (const { name, missing, start, open, nowhere } of KINDS) {
  if (missing !== null) console.warn(`test/host/store: ${name} is skipped: ${missing}`);
  describe.skipIf(missing !== null)(`${name} with a real server`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await start();
    }, 60_000);
    afterAll(() => server?.[Symbol.asyncDispose]());

    storeCases(name, () => open(server.url), { keepsOverClose: true });

    test('when the server is killed it is not available, and when it is back everything is there', async () => {
      await using _closing = closing(open(server.url));
      const { store } = _closing;
      const key = await store.put(ENTRY);
      await server.kill();
      const begun = performance.now();
      await expect(store.get('killed', key)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(store.put(ENTRY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(performance.now() - begun).toBeLessThan(10_000);
      await server.start();
      const found = await eventually(
        () => store.get('killed', key).catch(() => null),
        (bytes) => bytes !== null,
        { ms: 15_000 },
      );
      expect(Buffer.from(found!).toString()).toBe('bytes');
    });
  });

  test(`${name} without a server is not available, and can be closed`, async () => {
    const store = open(nowhere(await freePort()));
    await expect(store.put(ENTRY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await store.close();
  });
}

function closing(store: ContinuationStore): AsyncDisposable & { store: ContinuationStore } {
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

test.skipIf(redisMissing() !== null)(
  'RedisStore keeps what it says, and goes on, when Redis has thrown a part of its books away',
  async () => {
    await using server = await DatabaseServer.redis();
    await using _closing = closing(new RedisStore(server.url));
    const { store } = _closing;
    const put = (text: string): Promise<string> =>
      store.put({ ...ENTRY, bytes: Buffer.from(text), quotaBytes: 3 * 257 });
    for (const text of ['a', 'b', 'c']) await put(text);
    const { createClient } = await import('@redis/client');
    const client = await createClient({ url: server.url }).connect();
    const [order] = await client.keys('*:order');
    await client.del(order!);
    client.destroy();
    for (const text of ['d', 'e', 'f', 'g']) {
      const key = await put(text);
      expect(await store.get('killed', key)).not.toBeNull();
    }
    expect(await store.usage('killed')).toBe(3 * 257);
  },
);
