import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { numberAt, ProcFile, type ProcReader } from '../../../packages/host/src/cell/proc-file.ts';

const FORM = /^\d+(?: \d+){6}\n$/;
const STATM: ProcReader<string> = (bytes, end) => {
  const text = bytes.toString('latin1', 0, end);
  return FORM.test(text) ? text : null;
};

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
    const file = new ProcFile('/proc/self/statm', STATM);
    const before = openOf(/statm$/).length;
    const texts = [file.read(), file.read(), file.read()];
    expect(texts.every((text) => FORM.test(text))).toBe(true);
    expect(openOf(/statm$/).length).toBe(before + 1);
  });

  it('ProcFile opens its file anew when another has closed it, or has opened something else at its number, and leaves that alone', () => {
    const file = new ProcFile('/proc/self/statm', STATM);
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
    const file = new ProcFile(path, STATM);
    expect(file.read()).toMatch(FORM);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => file.read()).toThrow('ENOENT');
    expect(openOf(new RegExp(`/${child.pid}/`))).toEqual([]);
  });
});

describe('numberAt', () => {
  const read = (text: string, place = 1, count = 3): number | null => {
    const bytes = Buffer.from(`${text}left by another file`);
    return numberAt(place, count)(bytes, text.length);
  };

  it('numberAt gives the number at its place', () => {
    expect(read('12 345 6\n', 0)).toBe(12);
    expect(read('12 345 6\n', 1)).toBe(345);
    expect(read('12 345 6\n', 2)).toBe(6);
    expect(read('0 0 0\n')).toBe(0);
    expect(read('1 90071992547409 1\n')).toBe(90_071_992_547_409);
  });

  it('numberAt knows what is another file, as an expression for the same form does', () => {
    for (const text of [
      '',
      '\n',
      ' \n',
      '1 2\n',
      '1 2 3 4\n',
      '1 2 3',
      '1 2 3 \n',
      ' 1 2 3\n',
      '1  2 3\n',
      '1 2  3\n',
      '1 -2 3\n',
      '1 2 x\n',
      '1\n2 3\n',
    ])
      expect(read(text), JSON.stringify(text)).toBeNull();
    const form = /^\d+(?: \d+){2}\n$/;
    const letters = ['1', '29', ' ', '\n', '/', ':', '3 4 5\n', '7 '];
    for (let round = 0; round < 20_000; round++) {
      let text = '';
      while (text.length < 8 && Math.random() < 0.9) text += letters[Math.floor(Math.random() * letters.length)];
      expect(read(text), JSON.stringify(text)).toBe(form.test(text) ? Number(text.split(' ')[1]) : null);
    }
  });
});
