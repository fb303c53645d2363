import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileBoxService } from '../../packages/host/src/file-box/file-box-service.ts';
import { ask } from '../../packages/worker/src/asks.ts';
import { connectAsks } from '../support/thread-asks.ts';

describe('FileBoxService', () => {
  let root: string;
  let faults: unknown[];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'custodian-boxes-'));
    faults = connectAsks('shop/cart', [new FileBoxService(join(root, 'boxes'))]);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const set = async (name: string, value: string, version?: string | null): Promise<unknown> => {
    const head = version === undefined ? { set: name } : { set: name, if: version };
    return ((await ask('file-box', head, { body: Buffer.from(value) })).json() as { version: unknown }).version;
  };
  const get = async (name: string): Promise<string> => {
    const answer = await ask('file-box', { get: name });
    return Buffer.from(await answer.bytes(1 << 21)).toString();
  };

  test('a box holds what was set last; boxes of any name, and of other servlets, are others', async () => {
    const names = ['a', 'A', '../a', 'a/b', '/etc/passwd', 'ä', '.', 'x'.repeat(255)];
    for (const name of names) await set(name, `of ${name}`);
    await set('a', 'again');
    expect(await Promise.all(names.map(get))).toEqual(['again', ...names.slice(1).map((name) => `of ${name}`)]);
    connectAsks('shop', [new FileBoxService(join(root, 'boxes'))]);
    expect((await ask('file-box', { get: 'a' })).json()).toEqual({ version: null });
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    const boxes = files.filter(({ name }) => !name.endsWith('.lock'));
    expect(boxes).toHaveLength(names.length);
    for (const file of files) expect(statSync(join(file.parentPath, file.name)).mode & 0o777).toBe(0o600);
  });

  test('a value is set only in place of the one that was read', async () => {
    const first = (await set('n', '1', null)) as string;
    await expect(set('n', '2', null)).rejects.toMatchObject({ code: 'FILE_BOX_CONFLICT' });
    const second = (await set('n', '2', first)) as string;
    await expect(set('n', '3', first)).rejects.toMatchObject({ code: 'FILE_BOX_CONFLICT' });
    expect(await set('n', '2', second)).toBe(second);
    expect(await get('n')).toBe('2');
  });

  test('of many that set it at once in place of the same value, one does', async () => {
    const first = (await set('n', 'start')) as string;
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => set('n', String(n), first)));
    const winners = outcomes.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
    expect(winners).toHaveLength(1);
    expect(await get('n')).toBe(String(winners[0]));
  });

  test('two hosts with one state directory lose no change of each other’s, and count what both have set', async () => {
    const services = [new FileBoxService(join(root, 'boxes')), new FileBoxService(join(root, 'boxes'))];
    let at = 0;
    faults = connectAsks('shop/cart', [
      {
        name: 'file-box',
        // By turns, as a balancer gives requests to hosts.
        answer: (asked) => services[at++ % 2]!.answer(asked),
      },
    ]);
    await set('n', '0');
    const add = async (): Promise<void> => {
      for (;;) {
        const answer = await ask('file-box', { get: 'n' });
        const { version } = answer.json() as { version: string };
        const n = Number(Buffer.from(await answer.bytes(100)).toString());
        try {
          await set('n', String(n + 1), version);
          return;
        } catch (error) {
          if ((error as { code: unknown }).code !== 'FILE_BOX_CONFLICT') throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 24 }, add));
    expect(await get('n')).toBe('24');
    const megabyte = 'x'.repeat((1 << 20) - 1024);
    for (let n = 0; n < 15; n++) await set(`n${n}`, megabyte);
    for (let n = 0; n < 2; n++)
      await expect(set(`more${n}`, megabyte)).rejects.toMatchObject({ code: 'LIMIT_FILE_BOX' });
    for (const service of services) await service.close();
  });

  test('all boxes of a servlet together have a limit, which counts what is set anew once', async () => {
    const megabyte = 'x'.repeat((1 << 20) - 1024);
    for (let n = 0; n < 16; n++) await set(`n${n}`, megabyte);
    await set('n0', megabyte);
    await expect(set('one more', 'x')).rejects.toMatchObject({ code: 'LIMIT_FILE_BOX' });
    await set('n0', 'small');
    await set('one more', 'x');
    expect(await get('n0')).toBe('small');
    // Another process counts what it finds.
    connectAsks('shop/cart', [new FileBoxService(join(root, 'boxes'))]);
    await expect(set('n1000', megabyte)).rejects.toMatchObject({ code: 'LIMIT_FILE_BOX' });
  });

  test('a disk that does not let a box be set or read is an error with a code, which says nothing of the host', async () => {
    writeFileSync(join(root, 'boxes'), 'in the way');
    const refused = {
      code: 'FILE_BOX_UNAVAILABLE',
      message: expect.not.stringContaining(root) as string,
    };
    await expect(set('n', '1')).rejects.toMatchObject(refused);
    await expect(get('n')).rejects.toMatchObject(refused);
  });

  describe('while another process holds the boxes of a servlet', () => {
    let holder: ChildProcessByStdio<Writable, Readable, null>;
    let gone: Promise<unknown>;
    beforeEach(async () => {
      await set('n', '0');
      const name = readdirSync(join(root, 'boxes', 'locks'))[0]!.replace('.lock', '');
      const program = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url));
      holder = spawn(process.execPath, ['--no-warnings', program, 'hold', join(root, 'boxes', 'locks'), name], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      gone = once(holder, 'exit');
      await once(holder.stdout, 'data');
    });
    afterEach(async () => {
      holder.stdin.end();
      await gone;
    });

    test('what it sets is refused after a while, and the error says whose fault it is', async () => {
      await expect(set('n', '1')).rejects.toMatchObject({
        code: 'FILE_BOX_UNAVAILABLE',
        message: 'Cannot set a file box: somebody else holds it and does not give it back',
      });
      expect(faults).toMatchObject([{ cause: { message: expect.stringContaining('.lock') as string } }]);
      expect(await get('n')).toBe('0');
    });

    test('other servlets’ boxes are set at once', async () => {
      const waiting = set('n', '1');
      const service = new FileBoxService(join(root, 'boxes'));
      for (let n = 0; n < 40; n++) {
        connectAsks(`other${n}`, [service]);
        await set('n', String(n));
      }
      await service.close();
      holder.stdin.end();
      await waiting;
      expect(faults).toEqual([]);
    });

    test('so many of its sets wait, with so many bytes, and one that is given up waits no longer', async () => {
      const service = new FileBoxService(join(root, 'boxes'), { setsMaxCount: 40 });
      connectAsks('shop/cart', [service]);
      const megabyte = Buffer.alloc(1 << 20, 'x');
      const fill = (count: number, signal: AbortSignal): Promise<unknown>[] =>
        Array.from({ length: count }, () => ask('file-box', { set: 'n' }, { body: megabyte, signal }));
      const given = new AbortController();
      // With what their pieces count for, they are more than 32 MB.
      const first = fill(32, given.signal);
      await expect(Promise.race(first)).rejects.toMatchObject({ code: 'FILE_BOX_BUSY' });
      const few = Array.from({ length: 10 }, () => set('n', '1'));
      await expect(Promise.race(few)).rejects.toMatchObject({ code: 'FILE_BOX_BUSY' });
      given.abort(new Error('given up'));
      await Promise.allSettled(first);
      await sleep(50);
      // So many would not fit beside them, nor would so much.
      const second = fill(31, new AbortController().signal);
      holder.stdin.end();
      await Promise.all(second);
      await service.close();
    });
  });

  test('a value over 1 MB is refused', async () => {
    await expect(set('n', 'x'.repeat((1 << 20) + 1))).rejects.toMatchObject({ code: 'FILE_BOX_TOO_LARGE' });
  });

  test('what no thread’s runtime asks is malformed', async () => {
    for (const head of [{}, { get: '' }, { get: 'x'.repeat(256) }, { set: 5 }, { set: 'a', if: 5 }])
      void ask('file-box', head).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(faults.map((fault) => (fault as { code: unknown }).code)).toEqual(Array(5).fill('CUSTODIAN_PROTOCOL'));
  });

  test('a thread that asks for a box hundreds of times at once has no hundreds of values lie here', async () => {
    await set('large', 'x'.repeat(1 << 20));
    let most = 0;
    const clock = setInterval(() => (most = Math.max(most, openFilesIn(root))), 1);
    // It takes none of the answers, of which so many bytes may be on their way.
    const answers = await Promise.allSettled(Array.from({ length: 300 }, () => ask('file-box', { get: 'large' })));
    clearInterval(clock);
    // Each has its box open while it is read.
    expect(most).toBeLessThanOrEqual(4);
    const outcomes = answers.map((answer) => (answer.status === 'fulfilled' ? 'here' : answer.reason.code));
    expect(new Set(outcomes)).toEqual(new Set(['here', 'ASK_BUSY']));
    for (const answer of answers) if (answer.status === 'fulfilled') answer.value.cancel();
    expect((await get('large')).length).toBe(1 << 20);
  });
});

/** How many descriptors of this process are of files in that directory; 0 where that can't be told. */
function openFilesIn(directory: string): number {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}
