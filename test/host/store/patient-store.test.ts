import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { DirectoryStore } from '../../../packages/host/src/store/directory-store.ts';
import { PatientStore } from '../../../packages/host/src/store/patient-store.ts';
import { MemoryStore } from '../../../packages/host/src/store/memory-store.ts';
import { RedisStore } from '../../../packages/host/src/store/redis-store.ts';
import { keyFor, type StoreEntry, StoreUnavailableError } from '../../../packages/host/src/store/store.ts';
import { DatabaseServer, redisMissing } from '../../support/database-server.ts';
import { eventually } from '../../support/eventually.ts';
import { StoreTap } from '../../support/store-tap.ts';

const ENTRY = { servlet: 'patient', bytes: Buffer.from('bytes'), expiresAt: Date.now() + 1e7, quotaBytes: 1e6 };
const HOLDER = fileURLToPath(new URL('../../support/lock-holder.ts', import.meta.url));
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

  test('asks nothing more for a servlet of which much is under way, answered late or not: it is held here', async () => {
    await using server = await DatabaseServer.redis();
    await using tap = await StoreTap.start(Number(new URL(server.url).port));
    const redis = new RedisStore(`redis://127.0.0.1:${tap.port}`);
    const key = await redis.put(ENTRY);
    const store = new PatientStore(redis, { answerMaxMs: 300, maxCount: 5 });
    const stillness = Promise.withResolvers<void>();
    tap.onEvent = () => stillness.promise;
    const refusal = { code: 'STORE_UNAVAILABLE', cause: { message: 'the servlet has too much under way there' } };
    const patience = { code: 'STORE_UNAVAILABLE', cause: { message: 'it has not answered for 300 ms' } };
    const puts = Array.from({ length: 5 }, () => store.put(ENTRY));
    await expect(store.put(ENTRY)).rejects.toMatchObject(refusal);
    // The others are not kept from trying.
    await Promise.all([
      expect(store.put({ ...ENTRY, servlet: 'another' })).rejects.toMatchObject(patience),
      expect(store.get('patient', key)).rejects.toMatchObject(patience),
      ...puts.map((put) => expect(put).rejects.toMatchObject(patience)),
    ]);
    await expect(store.put(ENTRY)).rejects.toMatchObject(refusal);
    stillness.resolve();
    tap.onEvent = null;
    await eventually(
      () => store.put(ENTRY).catch(() => null),
      (kept) => kept === key,
    );
    await store.close();
  });
});

describe('PatientStore over a store that hangs', () => {
  test('from 64 late answers on, the servlet’s visitors are told at once, and others and other kinds are asked on', async () => {
    const memory = new MemoryStore();
    const key = await memory.put(ENTRY);
    const hang = Promise.withResolvers<string>();
    let asked = 0;
    memory.tag = () => (asked++, hang.promise);
    const store = new PatientStore(memory, { answerMaxMs: 20 });
    const late = { code: 'STORE_UNAVAILABLE', cause: { message: 'it has not answered for 20 ms' } };
    const tags = Array.from({ length: 64 }, () => store.tag('patient', key));
    // They are short, and wait for no turn.
    expect(asked).toBe(64);
    await Promise.all(tags.map((tag) => expect(tag).rejects.toMatchObject(late)));
    const owed = { code: 'STORE_UNAVAILABLE', cause: { message: 'it owes the servlet 64 answers and more' } };
    await expect(store.tag('patient', key)).rejects.toMatchObject(owed);
    expect(asked).toBe(64);
    await expect(store.tag('another', key)).rejects.toMatchObject(late);
    expect(await store.put(ENTRY)).toBe(key);
    expect(Buffer.from((await store.get('patient', key))!).toString()).toBe('bytes');
    hang.resolve('tag');
    await nextTurn();
    expect(await store.tag('patient', key)).toBe('tag');
  });

  test('when 8 entries are late, those that waited for them are never asked for, and the next are told at once', async () => {
    const memory = new MemoryStore();
    const key = await memory.put(ENTRY);
    const hang = Promise.withResolvers<null>();
    let asked = 0;
    memory.get = () => (asked++, hang.promise);
    const store = new PatientStore(memory, { answerMaxMs: 20 });
    const finds = Array.from({ length: 64 }, () => store.get('patient', key).catch((error: Error) => error.cause));
    const causes = (await Promise.all(finds)).map((cause) => (cause as Error).message);
    expect(causes.slice(0, 8)).toEqual(Array(8).fill('it has not answered for 20 ms'));
    expect(causes.slice(8)).toEqual(Array(56).fill('too many of the servlet are on their way'));
    const owed = { code: 'STORE_UNAVAILABLE', cause: { message: 'it owes the servlet 8 answers and more' } };
    await expect(store.get('patient', key)).rejects.toMatchObject(owed);
    expect(await store.tag('patient', key)).toHaveLength(5);
    hang.resolve(null);
    await nextTurn();
    expect(asked).toBe(8);
    expect(await store.get('patient', key)).toBeNull();
  });

  test('it is not late with what waited for its turn', async () => {
    const memory = new MemoryStore();
    const key = await memory.put(ENTRY);
    memory.get = () => setTimeout(600, null);
    const store = new PatientStore(memory, { answerMaxMs: 1000 });
    const finds = Array.from({ length: 16 }, () => store.get('patient', key));
    expect(await Promise.all(finds)).toEqual(Array(16).fill(null));
  });

  test('so many entries of a servlet are on their way at once: the others wait, and those of another servlet do not', async () => {
    const memory = new MemoryStore();
    const key = await memory.put(ENTRY);
    const open = { patient: 0, another: 0 };
    const gate = Promise.withResolvers<null>();
    memory.get = async (servlet) => {
      open[servlet as keyof typeof open]++;
      await gate.promise;
      open[servlet as keyof typeof open]--;
      return null;
    };
    const store = new PatientStore(memory);
    const finds = Array.from({ length: 1000 }, () => store.get('patient', key));
    finds.push(store.get('another', key));
    await nextTurn();
    expect(open).toEqual({ patient: 8, another: 1 });
    gate.resolve(null);
    expect(new Set(await Promise.all(finds))).toEqual(new Set([null]));
    expect(open).toEqual({ patient: 0, another: 0 });
  });

  test('makes one timer for what is asked of it, and leaves none', async () => {
    const store = new PatientStore(new MemoryStore());
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    try {
      const key = await store.put(ENTRY);
      await store.tag('patient', key);
      await store.get('patient', key);
      expect(timers).toHaveBeenCalledTimes(3);
      expect(cleared.mock.calls.flat()).toEqual(timers.mock.results.map(({ value }) => value as unknown));
    } finally {
      vi.restoreAllMocks();
    }
  });

  test('what it throws at once takes no share for ever', async () => {
    const memory = new MemoryStore();
    const key = await memory.put(ENTRY);
    const store = new PatientStore(memory, { maxCount: 1 });
    const get = memory.get.bind(memory);
    memory.get = () => {
      throw new Error('at once');
    };
    await expect(store.get('patient', key)).rejects.toThrow('at once');
    memory.get = get;
    expect(Buffer.from((await store.get('patient', key))!).toString()).toBe('bytes');
  });
});

describe('PatientStore over a directory', () => {
  test('while a lock of another process is not given back, all that does not need it goes on', async () => {
    const root = mkdtempSync(join(tmpdir(), 'custodian-patient-'));
    const holder = spawn(process.execPath, ['--no-warnings', HOLDER, 'hold', join(root, 'locks'), '0'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const gone = once(holder, 'exit');
    await once(holder.stdout, 'data');
    const store = new PatientStore(new DirectoryStore(root), { answerMaxMs: 200 });
    const named = (isStuck: boolean): StoreEntry[] =>
      Array.from({ length: 2000 }, (_, n) => ({ ...ENTRY, name: `n${n}` })).filter(
        (entry) => (createHash('sha256').update(keyFor(entry)).digest()[0]! % 16 === 0) === isStuck,
      );
    const [free] = named(false);
    const key = await store.put(free!);
    const stuck = await Promise.allSettled(
      named(true)
        .slice(0, 60)
        .map((entry) => store.put(entry)),
    );
    expect(new Set(stuck.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(Buffer.from((await store.get('patient', key))!).toString()).toBe('bytes');
    expect(await store.put({ ...free!, bytes: Buffer.from('other') })).toBe(key);
    holder.stdin.end();
    await gone;
    await store.close();
    rmSync(root, { recursive: true });
  });
});
