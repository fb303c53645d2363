import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { FileLocks, LockBusyError, LockHeldError } from '../../packages/host/src/file-locks.ts';

const HOLDER = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'custodian-locks-'));
type Holder = ChildProcessByStdio<Writable, Readable, null>;
const holders: Holder[] = [];
afterAll(() => {
  // SIGKILL ends one that stands still, too.
  for (const holder of holders) holder.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

function start(...args: string[]): Holder {
  const stdio = ['pipe', 'pipe', 'inherit'] as const;
  const holder: Holder = spawn(process.execPath, ['--no-warnings', HOLDER, ...args], { stdio: [...stdio] });
  holders.push(holder);
  return holder;
}

/** A process that has the lock by now. */
async function holderOf(directory: string): Promise<Holder> {
  const holder = start('hold', directory, 'name');
  await once(holder.stdout, 'data');
  return holder;
}

/** Makes everything in a directory look an hour old. */
function age(directory: string): void {
  const then = Date.now() / 1000 - 3600;
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then);
}

describe('FileLocks', () => {
  test('a lock of a process that was killed is free, and of those who come for it at once each has it alone', async () => {
    const directory = join(root, 'killed');
    const holder = await holderOf(directory);
    age(directory);
    const file = join(root, 'number');
    writeFileSync(file, '0');
    const counters = Array.from({ length: 3 }, () => start('count', directory, 'name', file, '40'));
    const gone = counters.map((counter) => once(counter, 'exit'));
    // They have begun to look whether it is free.
    await sleep(300);
    expect(readFileSync(file, 'utf8')).toBe('0');
    holder.kill('SIGKILL');
    for (const exit of gone) expect((await exit)[0]).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('120');
  });

  test('a lock is not taken from who stands still with it, for however long, and is when it is given back', async () => {
    const directory = join(root, 'still');
    const holder = await holderOf(directory);
    holder.kill('SIGSTOP');
    age(directory);
    const locks = new FileLocks(directory);
    let isHeld = false;
    const held = locks.hold('name', () => Promise.resolve((isHeld = true)));
    await sleep(300);
    expect(isHeld).toBe(false);
    holder.kill('SIGCONT');
    holder.stdin.end();
    expect(await held).toBe(true);
    await locks.close();
  });

  test('what is run under a lock of one process runs one after another, and an error gives the lock back', async () => {
    const [one, two] = [new FileLocks(join(root, 'same')), new FileLocks(join(root, 'same'))];
    await expect(one.hold('name', () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    let running = 0;
    const most: number[] = [];
    await Promise.all(
      [one, two, one, two, one].map((locks) =>
        locks.hold('name', async () => {
          most.push(++running);
          await sleep(2);
          running--;
        }),
      ),
    );
    expect(most).toEqual([1, 1, 1, 1, 1]);
    await Promise.all([one.close(), two.close()]);
  });

  test('who waits for a lock keeps nobody from another, and gives up when it is told to', async () => {
    const locks = new FileLocks(join(root, 'apart'));
    const free = Promise.withResolvers<void>();
    const held = locks.hold('a', () => free.promise);
    const [given, never] = [new AbortController(), vi.fn<() => Promise<void>>(() => Promise.resolve())];
    const waiting = locks.hold('a', never, given.signal);
    const others = Array.from({ length: 64 }, (_, n) => locks.hold(`b${n}`, () => Promise.resolve(n)));
    expect(await Promise.all(others)).toEqual(Array.from({ length: 64 }, (_, n) => n));
    given.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    free.resolve();
    await held;
    expect(await locks.hold('a', () => Promise.resolve('free'))).toBe('free');
    expect(never).not.toHaveBeenCalled();
    await locks.close();
  });

  test.skipIf(process.platform !== 'linux')('a lock that nobody holds or waits for keeps no file open', async () => {
    const directory = join(root, 'shut');
    const opened = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
        } catch {
          // That of the directory that was read.
          return false;
        }
      }).length;
    const locks = new FileLocks(directory);
    const during = await Promise.all(
      Array.from({ length: 9 }, (_, n) => locks.hold(`n${n % 3}`, () => Promise.resolve(opened()))),
    );
    expect(Math.max(...during)).toBeGreaterThan(0);
    expect(opened()).toBe(0);
    expect(await locks.hold('n0', () => Promise.resolve('again'))).toBe('again');
    await locks.close();
  });

  test.skipIf(process.platform !== 'linux')(
    'who makes the file of a lock gives back no lock that others have on it',
    async () => {
      const directory = join(root, 'new');
      const [one, two] = [new FileLocks(directory), new FileLocks(directory)];
      const isLocked = (name: string): boolean => {
        const { ino } = statSync(join(directory, `${name}.lock`));
        return readFileSync('/proc/locks', 'utf8').includes(`:${ino} `);
      };
      const wereLocked: boolean[] = [];
      for (let n = 0; n < 40; n++) {
        const name = `n${n}`;
        const look = async (): Promise<void> => {
          await sleep(1);
          wereLocked.push(isLocked(name));
        };
        await Promise.all([one.hold(name, look), two.hold(name, look)]);
      }
      expect(wereLocked).toEqual(Array(80).fill(true));
      await Promise.all([one.close(), two.close()]);
    },
  );

  test('who has waited too long is told for whom: others of its own process, or another process', async () => {
    const directory = join(root, 'whose');
    const locks = new FileLocks(directory, { waitMaxMs: 200 });
    const free = Promise.withResolvers<void>();
    const held = locks.hold('name', () => free.promise);
    await expect(locks.hold('name', () => Promise.resolve())).rejects.toThrow(LockBusyError);
    free.resolve();
    await held;
    const holder = await holderOf(directory);
    const first = locks.hold('name', () => Promise.resolve());
    const second = locks.hold('name', () => Promise.resolve());
    await Promise.all([first, second].map((each) => expect(each).rejects.toThrow(LockHeldError)));
    holder.stdin.end();
    await once(holder, 'exit');
    expect(await locks.hold('name', () => Promise.resolve('free'))).toBe('free');
    await locks.close();
  });
});
