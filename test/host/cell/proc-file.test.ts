import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ProcFile } from '../../../packages/host/src/cell/proc-file.ts';

const FORM = /^\d+(?: \d+){6}\n$/;

/** Descriptors of this process that are of such a file. */
const openOf = (path: RegExp): number[] =>
  readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return path.test(readlinkSync(`/proc/self/fd/${fd}`));
      } catch {
        return false;
      }
    });

describe.runIf(process.platform === 'linux')('ProcFile', () => {
  it('ProcFile reads what is there now, of a file that it opens once', () => {
    const file = new ProcFile('/proc/self/statm', FORM);
    const before = openOf(/statm$/).length;
    const texts = [file.read(), file.read(), file.read()];
    expect(texts.every((text) => FORM.test(text))).toBe(true);
    expect(openOf(/statm$/).length).toBe(before + 1);
  });

  it('ProcFile opens its file anew when another has closed it, or has opened something else at its number, and leaves that alone', () => {
    const file = new ProcFile('/proc/self/statm', FORM);
    const others = openOf(/statm$/);
    file.read();
    const [fd] = openOf(/statm$/).filter((other) => !others.includes(other)) as [number];
    closeSync(fd);
    expect(file.read()).toMatch(FORM);
    closeSync(fd);
    const mine = openSync(import.meta.filename, 'r');
    expect(mine).toBe(fd);
    expect(file.read()).toMatch(FORM);
    expect(readlinkSync(`/proc/self/fd/${mine}`)).toBe(import.meta.filename);
    closeSync(mine);
  });

  it('ProcFile fails when what it tells of is gone, and has closed its descriptor then', async () => {
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const path = `/proc/${child.pid}/statm`;
    const file = new ProcFile(path, FORM);
    expect(file.read()).toMatch(FORM);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => file.read()).toThrow('ENOENT');
    expect(openOf(new RegExp(`/${child.pid}/`))).toEqual([]);
  });
});
