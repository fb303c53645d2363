import { describe, expect, test } from 'vitest';
import { PatientStore } from '../../../packages/host/src/store/patient-store.ts';
import { RedisStore } from '../../../packages/host/src/store/redis-store.ts';
import { StoreUnavailableError } from '../../../packages/host/src/store/store.ts';
import { DatabaseServer, redisMissing } from '../../support/database-server.ts';
import { eventually } from '../../support/eventually.ts';
import { StoreTap } from '../../support/store-tap.ts';

const ENTRY = { servlet: 'patient', bytes: Buffer.from('bytes'), expiresAt: Date.now() + 1e7, quotaBytes: 1e6 };
const missing = redisMissing();
if (missing !== null) console.warn(`test/host/store: PatientStore is skipped: ${missing}`);

describe.skipIf(missing !== null)('PatientStore', () => {
  test('waits no longer than it says for a store that takes what it is sent and says nothing, and goes on when that does', async () => {
    await using server = await DatabaseServer.redis();
    await using tap = await StoreTap.start(Number(new URL(server.url).port));
    const redis = new RedisStore(`redis://127.0.0.1:${tap.port}`);
    const key = await redis.put(ENTRY);
    const store = new PatientStore(redis, { answerMaxMs: 200 });
    const stillness = Promise.withResolvers<void>();
    tap.onEvent = () => stillness.promise;
    const refusal = { code: 'STORE_UNAVAILABLE', cause: { message: 'it has not answered for 200 ms' } };
    await expect(store.get('patient', key)).rejects.toMatchObject(refusal);
    await expect(store.put({ ...ENTRY, bytes: Buffer.from('more') })).rejects.toMatchObject(refusal);
    await expect(store.tag('patient', key)).rejects.toMatchObject(refusal);
    stillness.resolve();
    tap.onEvent = null;
    const found = await eventually(
      () => store.get('patient', key).catch((error: unknown) => error),
      (answer) => !(answer instanceof StoreUnavailableError),
    );
    expect(Buffer.from(found as Uint8Array).toString()).toBe('bytes');
    await store.close();
  });

  test('asks nothing more while very much is not answered, since all of that is held here', async () => {
    await using server = await DatabaseServer.redis();
    await using tap = await StoreTap.start(Number(new URL(server.url).port));
    const redis = new RedisStore(`redis://127.0.0.1:${tap.port}`);
    const key = await redis.put(ENTRY);
    const store = new PatientStore(redis, { answerMaxMs: 100 });
    const stillness = Promise.withResolvers<void>();
    tap.onEvent = () => stillness.promise;
    await Promise.allSettled(Array.from({ length: 64 }, () => store.get('patient', key)));
    await expect(store.get('patient', key)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      cause: { message: 'it has not answered 64 times' },
    });
    stillness.resolve();
    tap.onEvent = null;
    await eventually(
      () => store.get('patient', key).catch(() => null),
      (bytes) => bytes !== null,
    );
    await store.close();
  });
});
