import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OutputHours } from '../../../packages/host/src/log/output-hours.ts';
import { StartedHost } from '../../support/started-host.ts';

const KB = 1024;
const HOUR_MS = 3_600_000;

test('OutputHours lets a servlet write so much in each hour, and counts what it drops', () => {
  let now = 0;
  const hours = new OutputHours(
    (servlet) => (servlet === 'loud' ? 100 : Infinity),
    () => now,
  );
  expect(hours.add('loud', 99)).toBe(false);
  expect(hours.mayWrite('loud')).toBe(true);
  expect(hours.add('loud', 50)).toBe(true);
  expect([hours.mayWrite('loud'), hours.mayWrite('loud'), hours.mayWrite('quiet')]).toEqual([false, false, true]);
  expect(hours.takeDropped('loud')).toBe(0);
  now = HOUR_MS;
  expect(hours.mayWrite('loud')).toBe(true);
  expect([hours.takeDropped('loud'), hours.takeDropped('loud')]).toEqual([2, 0]);
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
    expect(text.match(/its output is dropped for the rest of the hour/g)).toHaveLength(2);
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
