import { expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { eventually } from '../support/eventually.ts';

const text = async (url: string): Promise<string> => (await fetch(url)).text();
const plain = (word: string): string => `export default () => '${word}';`;
const flow = (word: string): string => `
  import { sendSuspend } from '@custodian/worker';
  export default async () => {
    await sendSuspend((url) => '<a href="' + url + '">${word}</a>');
    return '${word} again';
  };`;

test('reload() has what begins afterwards run in the new code', async () => {
  await using started = await StartedHost.withReserves({ page: plain('old') });
  expect(await text(`${started.url}/page`)).toBe('old');
  started.directory.write('page', plain('new'));
  expect(await text(`${started.url}/page`)).toBe('old');
  started.host.reload('page');
  expect(await text(`${started.url}/page`)).toBe('new');
  // The new one and its spare: those with the old code have gone.
  await eventually(
    () => started.host.servlets[0]?.threads,
    (threads) => threads === 2,
  );
});

test('reload() lets visitors finish in the code that they began in, also where a servlet may have one thread only', async () => {
  await using started = await StartedHost.withReserves({ page: flow('old') }, { limits: { threadsMaxCount: 1 } });
  const link = /href="([^"]+)"/.exec(await text(`${started.url}/page`))?.[1] as string;
  started.directory.write('page', flow('new'));
  started.host.reload('page');
  expect(await text(`${started.url}/page`)).toContain('>new<');
  expect(await text(`${started.url}${link}`)).toBe('old again');
});

test('reload() does not take in threads that were starting with the old code', async () => {
  await using started = await StartedHost.withReserves({ page: plain('old') });
  const first = text(`${started.url}/page`);
  started.directory.write('page', plain('new'));
  started.host.reload('page');
  await first;
  expect(await text(`${started.url}/page`)).toBe('new');
});

test('reload() of a servlet that is not there is a RangeError', async () => {
  await using started = await StartedHost.withReserves({ page: plain('old') });
  expect(() => started.host.reload('pgae')).toThrow(RangeError);
});
