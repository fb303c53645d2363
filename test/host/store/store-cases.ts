import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContinuationStore, ENTRY_COST_BYTES, keyOf, keyOfName } from '../../../packages/host/src/store/store.ts';
import { eventually } from '../../support/eventually.ts';

const HOUR_MS = 3_600_000;
const QUOTA = 1 << 20;

/** What every store must do. `open`: the same store again, as another process would. */
export function storeCases(name: string, open: () => ContinuationStore, options: { keepsOverClose: boolean }): void {
  describe(`${name}, as every store`, () => {
    let store: ContinuationStore;
    let servletCount = 0;
    /** One that no other test has. */
    const freshServlet = (): string => `${name} shop/cart ${process.pid} ${++servletCount}`;
    const entry = (
      servlet: string,
      bytes: Uint8Array,
      more: { name?: string; replaces?: readonly string[]; expiresAt?: number; quotaBytes?: number } = {},
    ): Parameters<ContinuationStore['put']>[0] => ({
      servlet,
      bytes,
      expiresAt: Date.now() + HOUR_MS,
      quotaBytes: QUOTA,
      ...more,
    });
    beforeAll(() => {
      store = open();
    });
    afterAll(() => store.close());

    test('get() gives back the bytes that put() was given, whatever they are, under the key of their content', async () => {
      const servlet = freshServlet();
      const large = [0, 1, 65_536, 300_000].map((bytes) => Uint8Array.from(randomBytes(bytes)));
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...large)), async (bytes) => {
          const key = await store.put(entry(servlet, bytes));
          expect(key).toBe(keyOf(bytes));
          expect(Buffer.from((await store.get(servlet, key))!).equals(Buffer.from(bytes))).toBe(true);
        }),
        { numRuns: 25 },
      );
    });

    test('get() knows nothing of another servlet’s, of no key, and of what only looks like one', async () => {
      const servlet = freshServlet();
      const key = await store.put(entry(servlet, Buffer.from('mine')));
      expect(await store.get(freshServlet(), key)).toBeNull();
      for (const other of [
        keyOf(Buffer.from('x')),
        '',
        '..',
        '../../etc/passwd',
        `${key}x`,
        key.slice(1),
        `*${key.slice(1)}`,
      ])
        expect(await store.get(servlet, other), other).toBeNull();
    });

    test('what is kept twice is there once, and lives as long as the longer of both', async () => {
      const servlet = freshServlet();
      const bytes = randomBytes(100);
      await store.put(entry(servlet, bytes, { expiresAt: Date.now() + 300 }));
      await store.put(entry(servlet, bytes));
      const key = await store.put(entry(servlet, bytes, { expiresAt: Date.now() + 1 }));
      expect(await store.usage(servlet)).toBe(100 + ENTRY_COST_BYTES);
      await new Promise((resolve) => setTimeout(resolve, 400));
      await store.sweep();
      expect(await store.get(servlet, key)).not.toBeNull();
    });

    test('what is kept under a name takes the place of what was, counts once, and lives as long as the last says', async () => {
      const servlet = freshServlet();
      const content = await store.put(entry(servlet, Buffer.from('r0.1-1-abc.1')));
      let key = '';
      for (const length of [700, 10, 2000]) {
        const bytes = randomBytes(length);
        key = await store.put(entry(servlet, bytes, { name: 'r0.1-1-abc.1' }));
        expect(Buffer.from((await store.get(servlet, key))!).equals(bytes)).toBe(true);
        expect(await store.usage(servlet)).toBe(12 + length + 2 * ENTRY_COST_BYTES);
      }
      expect(key).toBe(keyOfName('r0.1-1-abc.1'));
      expect(key).not.toBe(content);
      await store.put(entry(servlet, Buffer.from('short'), { name: 'r0.1-1-abc.1', expiresAt: Date.now() + 200 }));
      await eventually(
        () => store.get(servlet, key),
        (found) => found === null,
      );
      await store.sweep();
      expect(await store.usage(servlet)).toBe(12 + ENTRY_COST_BYTES);
    });

    test('of what has a name only that is replaced which was named, and nothing of what was not seen', async () => {
      const servlet = freshServlet();
      const put = (tag: string, replaces: string[], expiresAt = Date.now() + HOUR_MS): Promise<string> =>
        store.put(
          entry(servlet, Buffer.from(`${tag}${'-'.repeat(14)} of ${tag}`), { name: 'home', replaces, expiresAt }),
        );
      const tagged = (tag: string): string => `${tag}${'-'.repeat(14)}`;
      const CONFLICT = { code: 'STORE_CONFLICT' };
      await expect(put('t1', [tagged('t0')])).rejects.toMatchObject(CONFLICT);
      const key = await put('t1', ['']);
      await expect(put('t2', [''])).rejects.toMatchObject(CONFLICT);
      await expect(put('t2', [])).rejects.toMatchObject(CONFLICT);
      await put('t2', [tagged('t1')]);
      await expect(put('t3', [tagged('t1'), '', tagged('t0')])).rejects.toMatchObject(CONFLICT);
      expect(Buffer.from((await store.get(servlet, key))!).toString()).toBe(`${tagged('t2')} of t2`);
      expect(await store.tag(servlet, key)).toBe(tagged('t2'));
      expect(await store.tag(freshServlet(), key)).toBe('');
      await put('t3', [tagged('t9'), tagged('t2')], Date.now() + 200);
      await eventually(
        () => store.get(servlet, key),
        (found) => found === null,
      );
      // What has expired is nothing, swept or not.
      expect(await store.tag(servlet, key)).toBe('');
      await expect(put('t4', [tagged('t3')])).rejects.toMatchObject(CONFLICT);
      await put('t4', ['']);
      expect(await store.usage(servlet)).toBe(22 + ENTRY_COST_BYTES);
    });

    test('of many who replace the same at once, one does', async () => {
      const servlet = freshServlet();
      const stores = [store, ...(options.keepsOverClose ? [open(), open()] : [])];
      try {
        let last = '';
        for (let round = 0; round < 8; round++) {
          const tags = Array.from({ length: 6 }, (_, each) => `tag-${round}-${each}---------`);
          const outcomes = await Promise.allSettled(
            tags.map((tag, each) => {
              const bytes = Buffer.from(tag);
              return stores[each % stores.length]!.put(entry(servlet, bytes, { name: 'home', replaces: [last] }));
            }),
          );
          const kept = tags.filter((_, each) => outcomes[each]!.status === 'fulfilled');
          expect(kept).toHaveLength(1);
          const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
          for (const reason of reasons) expect(reason).toMatchObject({ code: 'STORE_CONFLICT' });
          last = kept[0]!.slice(0, 16);
          expect(Buffer.from((await store.get(servlet, keyOfName('home')))!).toString()).toBe(kept[0]);
        }
      } finally {
        for (const other of stores.slice(1)) await other.close();
      }
    });

    test('what has expired is gone, and a sweep takes it out of the books', async () => {
      const servlet = freshServlet();
      const lasting = await store.put(entry(servlet, Buffer.from('lasting')));
      const key = await store.put(entry(servlet, randomBytes(1000), { expiresAt: Date.now() + 200 }));
      await eventually(
        () => store.get(servlet, key),
        (found) => found === null,
      );
      await eventually(
        () => store.sweep().then(() => store.usage(servlet)),
        (bytes) => bytes === 7 + ENTRY_COST_BYTES,
      );
      expect(await store.get(servlet, lasting)).not.toBeNull();
    });

    test('at the quota the oldest go first, of this servlet and no other', async () => {
      const servlet = freshServlet();
      const neighbour = freshServlet();
      const cost = 1000 + ENTRY_COST_BYTES;
      const quotaBytes = 10 * cost;
      const neighbours = await store.put(entry(neighbour, Buffer.from('neighbour')));
      const pieces = Array.from({ length: 12 }, () => randomBytes(1000));
      const keys: string[] = [];
      for (const bytes of pieces.slice(0, 10)) keys.push(await store.put(entry(servlet, bytes, { quotaBytes })));
      // Kept again, the first is the newest.
      await store.put(entry(servlet, pieces[0]!, { quotaBytes }));
      for (const bytes of pieces.slice(10)) keys.push(await store.put(entry(servlet, bytes, { quotaBytes })));
      const isThere = await Promise.all(keys.map(async (key) => (await store.get(servlet, key)) !== null));
      expect(isThere).toEqual([true, false, false, ...Array.from({ length: 9 }, () => true)]);
      expect(await store.usage(servlet)).toBe(quotaBytes);
      expect(await store.get(neighbour, neighbours)).not.toBeNull();
    });

    test('what is larger than the quota is refused, and nothing goes for it', async () => {
      const servlet = freshServlet();
      const key = await store.put(entry(servlet, Buffer.from('small')));
      await expect(store.put(entry(servlet, randomBytes(2000), { quotaBytes: 2000 }))).rejects.toMatchObject({
        code: 'STORE_TOO_LARGE',
      });
      expect(await store.get(servlet, key)).not.toBeNull();
    });

    test('many at once are all kept', async () => {
      const servlet = freshServlet();
      const pieces = Array.from({ length: 200 }, () => randomBytes(500));
      const keys = await Promise.all(pieces.map((bytes) => store.put(entry(servlet, bytes))));
      const found = await Promise.all(keys.map((key) => store.get(servlet, key)));
      expect(found.every((bytes, index) => pieces[index]!.equals(bytes!))).toBe(true);
      expect(await store.usage(servlet)).toBe(200 * (500 + ENTRY_COST_BYTES));
    });

    test('another one that is opened on the same place finds it', async () => {
      if (!options.keepsOverClose) return;
      const servlet = freshServlet();
      const key = await store.put(entry(servlet, Buffer.from('for both')));
      const other = open();
      try {
        expect(Buffer.from((await other.get(servlet, key))!).toString()).toBe('for both');
        expect(await other.usage(servlet)).toBe(8 + ENTRY_COST_BYTES);
        const theirs = await other.put(entry(servlet, Buffer.from('theirs')));
        expect(await store.get(servlet, theirs)).not.toBeNull();
      } finally {
        await other.close();
      }
    });

    test('it can be closed twice, and then keeps nothing', async () => {
      const closed = open();
      await closed.close();
      await closed.close();
      const found = closed.get(freshServlet(), keyOf(Buffer.from('x')));
      const outcome = await found.catch((error: unknown) => (error as { code: unknown }).code);
      expect([null, 'STORE_UNAVAILABLE']).toContain(outcome);
    });
  });
}
