import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { StartedHost } from '../../support/started-host.ts';

/** Tells how many of the objects that it has made are gone. */
const HELD = `
  let collected = 0;
  const registry = new FinalizationRegistry(() => { collected += 1; });
  export default (request) => {
    if (!request.query.has('make')) return String(collected);
    for (let count = 0; count < 5; count++) registry.register({ count }, '');
    return 'made';
  };`;

test('refresh() says what it has done, and has the threads collect garbage', async () => {
  const limits = { threadsMaxCount: 1 };
  await using started = await StartedHost.start({ held: HELD }, { refresh: true, limits });
  const textOf = async (path: string): Promise<string> => (await fetch(started.url + path)).text();
  expect(await textOf('/held?make')).toBe('made');
  for (const [path, said] of [
    ['/conf/refresh-passwords', 'Passwords refreshed\n'],
    ['/conf/collect-garbage', 'Garbage collected\n'],
  ] as const) {
    const response = await fetch(started.url + path);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      said,
    ]);
  }
  expect(
    await eventually(
      () => textOf('/held'),
      (count) => count === '5',
    ),
  ).toBe('5');
  // The servlet's thread is the same one: nothing was reloaded.
  expect(await textOf('/conf/refresh-servlets')).toBe('Servlet cache refreshed\n');
  expect(
    await eventually(
      () => textOf('/held'),
      (count) => count === '0',
    ),
  ).toBe('0');
});
