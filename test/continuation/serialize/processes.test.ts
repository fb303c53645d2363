import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playAcross, PRELUDE, ResumeProcess, writeProgram } from '../support/saved-program.ts';

let processes: ResumeProcess[] = [];
beforeAll(() => {
  processes = [new ResumeProcess(), new ResumeProcess()];
});
afterAll(() => {
  for (const each of processes) each[Symbol.dispose]();
});

const SUM2 = `${PRELUDE}
export async function sum2() {
  const m = await number('First number:');
  const n = await number('Second number:');
  return m + n;
}
async function number(label) { return Number(await ask(label)); }
`;

describe('encode() and decode()', () => {
  test('encode() of one process and decode() of another go on with the run', async () => {
    const file = writeProgram({ 'sum2.ts': SUM2 });
    const seen = await playAcross(processes, file, ['sum2'], [3, 4]);
    expect(seen).toMatchObject([
      { kind: 'asks', label: 'First number:' },
      { kind: 'asks', label: 'Second number:' },
      { kind: 'returns', value: '7' },
    ]);
  });

  test('decode() goes on from one page as often as it is asked to, and each time from the same values', async () => {
    const file = writeProgram({
      'sums.ts': `${PRELUDE}
export async function sums() { let sum = 0; for (let i = 0; i < 3; i++) sum += await ask(sum); return sum; }`,
    });
    const seen = await playAcross(processes, file, ['sums'], [1, 2]),
      last = seen.at(-1)!;
    if (last.kind !== 'asks') throw new Error('no page');
    for (const answer of [10, 20, 10])
      expect(await processes[0]!.take({ file, start: null, saved: last.saved, answer })).toEqual({
        kind: 'returns',
        value: String(3 + answer),
      });
  });

  test('encode() writes the first page of sum2 in less than 70 bytes', async () => {
    const [first] = await playAcross(processes, writeProgram({ 'sum2.ts': SUM2 }), ['sum2'], []);
    if (first?.kind !== 'asks') throw new Error('no page');
    expect(Buffer.from(first.saved, 'base64').length).toBeLessThan(70);
  });

  test('encode() names the variable, the way to what it can not save, and the line that waits', async () => {
    const file = writeProgram({
      'conn.ts': `${PRELUDE}
export async function page() {
  const cart = { items: [1, { lock: Promise.resolve() }] };
  await ask('waiting');
  return cart;
}`,
    });
    const [refused] = await playAcross(processes, file, ['page'], []);
    expect(refused).toMatchObject({ kind: 'refused', code: 'SERVLET_UNSERIALIZABLE', path: 'cart.items[1].lock' });
    expect((refused as { message: string }).message).toMatch(
      /^Cannot save the page that page waits for \(.*conn\.ts:6:3\): "cart\.items\[1\]\.lock" is a promise: await it before/,
    );
  });
});
