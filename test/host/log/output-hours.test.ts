import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Dropped, OutputHours } from '../../../packages/host/src/log/output-hours.ts';
import { eventually } from '../../support/eventually.ts';
import { StartedHost } from '../../support/started-host.ts';

const KB = 1024;
const HOUR_MS = 3_600_000;

/** Hours of a servlet that may write so many bytes in each, and what they tell. */
function hoursOf(maxBytes: number): { hours: OutputHours; clock: { now: number }; told: string[] } {
  const clock = { now: 0 };
  const told: string[] = [];
  const teller = {
    onFirst: (servlet: string, kind: string) => told.push(`${servlet}: first of ${kind}`),
    onOver: (servlet: string, { lines, bytes }: Dropped) => told.push(`${servlet}: ${lines} lines, ${bytes} bytes`),
  };
  const maxBytesOf = (servlet: string): number => (servlet === 'loud' ? maxBytes : Infinity);
  return { hours: new OutputHours(maxBytesOf, teller, () => clock.now), clock, told };
}

test('OutputHours lets a servlet write so much in each hour, the last quarter for errors alone, and counts what it drops', () => {
  const { hours, clock, told } = hoursOf(100);
  hours.add('loud', 74);
  expect(hours.mayWrite('loud', 'output', 10)).toBe(true);
  hours.add('loud', 10);
  expect([hours.mayWrite('loud', 'output', 7), hours.mayWrite('loud', 'output', 8)]).toEqual([false, false]);
  expect([hours.mayWrite('loud', 'errors', 9), hours.mayWrite('quiet', 'output', 9)]).toEqual([true, true]);
  hours.add('loud', 50);
  expect(hours.mayWrite('loud', 'errors', 5)).toBe(false);
  expect(told.splice(0)).toEqual(['loud: first of output', 'loud: first of errors']);
  clock.now = HOUR_MS;
  expect(hours.mayWrite('loud', 'output', 1)).toBe(true);
  expect(told).toEqual(['loud: 3 lines, 20 bytes']);
});

test('OutputHours tells what a servlet lost that is silent since: when its hour is over, or at the end', () => {
  const { hours, clock, told } = hoursOf(0);
  hours.mayWrite('loud', 'output', 3);
  hours.sweep();
  expect(told.splice(0)).toEqual(['loud: first of output']);
  clock.now = HOUR_MS;
  hours.sweep();
  hours.sweep();
  expect(told.splice(0)).toEqual(['loud: 1 lines, 3 bytes']);
  hours.mayWrite('loud', 'errors', 4);
  hours.close();
  hours.close();
  expect(told).toEqual(['loud: first of errors', 'loud: 1 lines, 4 bytes']);
});

const LOUD = `
  export default (request) => {
    if (request.url.endsWith('?throw')) throw new Error('e'.repeat(4000));
    for (let count = 0; count < 200; count++) console.log('x'.repeat(1000));
    return 'said';
  };`;

test('what servlets print and throw makes the log longer by logMb in an hour, and no neighbour is quieter for it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
  const logDestination = join(directory, 'log');
  try {
    const host = await StartedHost.start(
      {
        loud: LOUD,
        throwing: LOUD,
        neighbour: `export default () => { console.log('from the neighbour'); return 'said'; };`,
      },
      { log: 'events', logDestination, profile: 'guest' },
      {
        loud: { limits: { logMb: 0.05 } },
        throwing: { limits: { logMb: 0.05 } },
      },
    );
    for (let count = 0; count < 3; count++) await fetch(`${host.url}/loud`);
    for (let count = 0; count < 40; count++) await fetch(`${host.url}/throwing?throw`);
    await fetch(`${host.url}/neighbour`);
    await host[Symbol.asyncDispose]();
    expect(statSync(logDestination).size).toBeLessThan(150 * KB);
    const text = readFileSync(logDestination, 'utf8');
    expect(text).toContain('from the neighbour');
    expect(text.match(/loud: its output is dropped for the rest of the hour/g)).toHaveLength(1);
    expect(text.match(/throwing: its errors are dropped for the rest of the hour/g)).toHaveLength(1);
    expect(text.match(/loud: \d+ lines \(\d+ bytes\) were dropped within an hour/g)).toHaveLength(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('logMaxBytesPerSecond is what a thread may print in a second', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
  const logDestination = join(directory, 'log');
  try {
    const host = await StartedHost.start(
      { loud: LOUD },
      { log: 'events', logDestination, profile: 'guest' },
      {
        loud: { limits: { logMaxBytesPerSecond: 20 * KB } },
      },
    );
    await fetch(`${host.url}/loud`);
    await host[Symbol.asyncDispose]();
    const lines = readFileSync(logDestination, 'utf8').match(/x{1000}/g) ?? [];
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThan(50);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('an error page names an id that is in the log, whatever else was printed, or none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
  const logDestination = join(directory, 'log');
  const idOf = (page: string): string | undefined => /log has more about it, under ([0-9a-f]{12})/.exec(page)?.[1];
  try {
    const exit = `export default () => setTimeout(() => { throw new Error('at last'); });`;
    const host = await StartedHost.start(
      { loud: LOUD, mute: LOUD, mortal: exit },
      { log: 'events', logDestination, isDevelopment: false },
      { loud: { limits: { logMb: 0.1 } }, mute: { limits: { logMb: 0 } } },
    );
    const page = async (path: string): Promise<string> => (await fetch(`${host.url}/${path}`)).text();
    for (let count = 0; count < 3; count++) await page('loud');
    const ids: (string | undefined)[] = [];
    for (let count = 0; count < 30; count++) ids.push(idOf(await page('loud?throw')));
    const muteId = idOf(await page('mute?throw'));
    const mortalId = idOf(await page('mortal'));
    await host[Symbol.asyncDispose]();
    const text = readFileSync(logDestination, 'utf8');
    const told = ids.filter((id) => id !== undefined);
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThan(30);
    for (const id of [...told, mortalId]) expect(text).toContain(`"id":"${id}"`);
    expect(muteId).toBeUndefined();
    expect(text).toContain('mute: 1 lines');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('without a log, an error page names no id in it', async () => {
  await using host = await StartedHost.start({ throwing: LOUD }, { log: false, isDevelopment: false });
  const page = await (await fetch(`${host.url}/throwing?throw`)).text();
  expect(page).toContain('SERVLET_ERROR');
  expect(page).not.toContain('log');
});

test('a line that is longer than may go out in a second is cut, and says by how much; what is dropped is told though nothing follows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'custodian-log-'));
  const logDestination = join(directory, 'log');
  try {
    const host = await StartedHost.start(
      {
        long: `
          // What it replaces decides nothing.
          globalThis.setTimeout = globalThis.clearTimeout = () => { throw new Error('replaced'); };
          performance.now = Math.min = () => Infinity;
          Buffer.byteLength = Math.max = () => 0;
          export default () => { console.log('é'.repeat(100_000)); console.log('lost'); return 'said'; };`,
        smiling: `export default () => { console.log('x' + '😀'.repeat(8000)); return 'said'; };`,
      },
      { log: 'events', logDestination },
      { long: { limits: { logMaxBytesPerSecond: 1001 } } },
    );
    await fetch(`${host.url}/smiling`);
    await fetch(`${host.url}/long`);
    const text = await eventually(
      () => readFileSync(logDestination, 'utf8'),
      (read) => read.includes('1 lines of output were dropped'),
    );
    await host[Symbol.asyncDispose]();
    const [, kept, cut] = /"(é+)… \((\d+) more characters were cut\)"/.exec(text) ?? [];
    expect(kept!.length).toBeGreaterThan(400);
    expect(kept!.length).toBeLessThan(500);
    expect(kept!.length + Number(cut)).toBe(100_000);
    expect(text).not.toContain('lost');
    expect(text).toContain(`"x${'😀'.repeat(4095)}… (7810 more characters were cut)"`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
